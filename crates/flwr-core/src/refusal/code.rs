//! The numbers of refusals, and what a caller does about each.
//!
//! Numbers below 50,000 are upstream's: its API error codes of flwr 1.42, under its names. Those of
//! failures (HTTP 500 and 503) are absent, since a failure is no refusal. Upstream has deleted 2010;
//! it must not be given again. Numbers from 50,000 are ours, for refusals that have no number
//! upstream: 500xx Invalid, 501xx Unauthenticated, 502xx Forbidden, 503xx Precondition, 504xx
//! Exhausted, 505xx NotOffered. A number keeps its meaning for ever.

/// What a caller does about a refusal. Each wire renders a class in its own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The request itself is wrong. Asking again is of no use.
    Invalid,
    /// The caller does not prove who it is.
    Unauthenticated,
    /// The caller is known and has no right to this.
    Forbidden,
    /// The run does not run (any more). Peers drop what they do for the run.
    RunOver,
    /// The thing that the request names does not exist.
    NotFound,
    /// The thing is in a state in which the request cannot be met.
    Precondition,
    /// The thing exists already.
    Exists,
    /// A limit is reached. Asking later may help.
    Exhausted,
    /// This program does not have the feature.
    NotOffered,
}

/// Defines [`Code`] from one table: the variant, its number, its name and its class.
macro_rules! codes {
    ($($variant:ident = $number:literal, $name:literal, $class:ident;)*) => {
        /// The number of a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`")] $variant = $number,)*
        }

        impl Code {
            /// All codes, by number.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code with this number. `None`: the number is unknown, or is a failure's.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name: upstream's, where the number is upstream's.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What a caller does about it.
            #[must_use]
            pub const fn class(self) -> Class {
                match self {
                    $(Self::$variant => Class::$class,)*
                }
            }
        }
    };
}

codes! {
    NoFederationManagementSupport = 1, "NO_FEDERATION_MANAGEMENT_SUPPORT", NotOffered;
    FederationNotFoundOrNoPermission = 2, "FEDERATION_NOT_FOUND_OR_NO_PERMISSION", NotFound;
    AccountAlreadyMember = 3, "ACCOUNT_ALREADY_MEMBER", Precondition;
    FederationAlreadyExists = 4, "FEDERATION_ALREADY_EXISTS", Exists;
    InviteAlreadyExists = 5, "INVITE_ALREADY_EXISTS", Exists;
    AccountsNotFound = 6, "ACCOUNTS_NOT_FOUND", NotFound;
    FederationNotFoundOrNoPendingInvite = 7, "FEDERATION_NOT_FOUND_OR_NO_PENDING_INVITE", NotFound;
    AccountNotAMember = 8, "ACCOUNT_NOT_A_MEMBER", Precondition;
    NoPermissions = 9, "NO_PERMISSIONS", Forbidden;
    ForbiddenAction = 10, "FORBIDDEN_ACTION", Precondition;
    SupernodeAlreadyInFederation = 11, "SUPERNODE_ALREADY_IN_FEDERATION", Precondition;
    FederationNotSpecified = 12, "FEDERATION_NOT_SPECIFIED", Precondition;
    EntitlementError = 13, "ENTITLEMENT_ERROR", Forbidden;
    InvalidRunConfig = 15, "INVALID_RUN_CONFIG", Precondition;
    RunIdNotFound = 16, "RUN_ID_NOT_FOUND", NotFound;
    RunSeriesIdNotFound = 17, "RUN_SERIES_ID_NOT_FOUND", NotFound;
    RunAlreadyFinished = 18, "RUN_ALREADY_FINISHED", Precondition;
    NoAccountAuth = 19, "NO_ACCOUNT_AUTH", NotOffered;
    NoArtifactProvider = 20, "NO_ARTIFACT_PROVIDER", NotOffered;
    PullUnfinishedRun = 21, "PULL_UNFINISHED_RUN", Precondition;
    PublicKeyNotValid = 22, "PUBLIC_KEY_NOT_VALID", Precondition;
    PublicKeyAlreadyInUse = 23, "PUBLIC_KEY_ALREADY_IN_USE", Precondition;
    NodeNotFound = 24, "NODE_NOT_FOUND", NotFound;
    FederationNotFound = 25, "FEDERATION_NOT_FOUND", Precondition;
    FederationNotFoundOrNotMember = 26, "FEDERATION_NOT_FOUND_OR_NOT_MEMBER", Precondition;
    InvalidFederationName = 27, "INVALID_FEDERATION_NAME", Precondition;
    NodeNotFoundOrNotOwner = 28, "NODE_NOT_FOUND_OR_NOT_OWNER", Precondition;
    AccountInfoNotFound = 29, "ACCOUNT_INFO_NOT_FOUND", Forbidden;
    RunNotAssociatedWithAccount = 30, "RUN_NOT_ASSOCIATED_WITH_ACCOUNT", Forbidden;
    RunIdNotBelongToAccount = 31, "RUN_ID_NOT_BELONG_TO_ACCOUNT", Forbidden;
    UnsupportedFabHubTransport = 32, "UNSUPPORTED_FAB_HUB_TRANSPORT", Precondition;
    InvalidAppSpec = 33, "INVALID_APP_SPEC", Precondition;
    FabDownloadLinkFailure = 34, "FAB_DOWNLOAD_LINK_FAILURE", Precondition;
    FabDownloadFailure = 35, "FAB_DOWNLOAD_FAILURE", Precondition;
    AccountAuthenticationFailed = 36, "ACCOUNT_AUTHENTICATION_FAILED", Unauthenticated;
    InvalidConnectorRequest = 38, "INVALID_CONNECTOR_REQUEST", Invalid;
    ConnectorNotFound = 39, "CONNECTOR_NOT_FOUND", NotFound;
    LicenseCheckFailed = 41, "LICENSE_CHECK_FAILED", Forbidden;
    InvalidAutomationRequest = 42, "INVALID_AUTOMATION_REQUEST", Invalid;
    InvalidRunSeriesDescription = 43, "INVALID_RUN_SERIES_DESCRIPTION", Invalid;
    AgentappUserPromptRequired = 44, "AGENTAPP_USER_PROMPT_REQUIRED", Invalid;
    InvalidSupernodeLocation = 45, "INVALID_SUPERNODE_LOCATION", Invalid;
    RuntimeVersionIncompatible = 1001, "RUNTIME_VERSION_INCOMPATIBLE", Precondition;
    UnsupportedContentType = 1002, "UNSUPPORTED_CONTENT_TYPE", Invalid;
    InvalidProtobufPayload = 1003, "INVALID_PROTOBUF_PAYLOAD", Invalid;
    RuntimeAuthenticationFailed = 1008, "RUNTIME_AUTHENTICATION_FAILED", Unauthenticated;
    FleetSupernodeRegistrationDisabled = 2001, "FLEET_SUPERNODE_REGISTRATION_DISABLED", Precondition;
    FleetSupernodeUnregistrationDisabled = 2002, "FLEET_SUPERNODE_UNREGISTRATION_DISABLED", Precondition;
    FleetInvalidHeartbeatInterval = 2003, "FLEET_INVALID_HEARTBEAT_INTERVAL", Invalid;
    FleetNodeActivationFailed = 2004, "FLEET_NODE_ACTIVATION_FAILED", Precondition;
    FleetNodeDeactivationFailed = 2005, "FLEET_NODE_DEACTIVATION_FAILED", Precondition;
    FleetNodeUnregistrationFailed = 2006, "FLEET_NODE_UNREGISTRATION_FAILED", Precondition;
    FleetRunStatusNotAllowed = 2007, "FLEET_RUN_STATUS_NOT_ALLOWED", RunOver;
    FleetGetRunFailed = 2008, "FLEET_GET_RUN_FAILED", RunOver;
    FleetGetFabFailed = 2009, "FLEET_GET_FAB_FAILED", Forbidden;
    RuntimeConnectorCredentialsNotAvailable = 3001, "RUNTIME_CONNECTOR_CREDENTIALS_NOT_AVAILABLE", Forbidden;
    RuntimeTaskStartFailed = 3002, "RUNTIME_TASK_START_FAILED", Precondition;
    RuntimeAutomationCreationNotAllowed = 3003, "RUNTIME_AUTOMATION_CREATION_NOT_ALLOWED", Forbidden;
    RuntimeUnexpectedNodeId = 3004, "RUNTIME_UNEXPECTED_NODE_ID", Precondition;
    RuntimeEndpointUnavailable = 3005, "RUNTIME_ENDPOINT_UNAVAILABLE", Forbidden;
    RuntimeTaskCreationNotAllowed = 3007, "RUNTIME_TASK_CREATION_NOT_ALLOWED", Forbidden;
    RuntimeInvalidTaskCreationRequest = 3008, "RUNTIME_INVALID_TASK_CREATION_REQUEST", Precondition;
    RuntimeInvalidTaskMessage = 3009, "RUNTIME_INVALID_TASK_MESSAGE", Precondition;
    RuntimeConnectorNotAvailable = 3010, "RUNTIME_CONNECTOR_NOT_AVAILABLE", Forbidden;
    RuntimeRunSeriesContextNotFound = 3011, "RUNTIME_RUN_SERIES_CONTEXT_NOT_FOUND", NotFound;
    RuntimeFabNotFound = 3012, "RUNTIME_FAB_NOT_FOUND", NotFound;
    RuntimeInvalidMessageCount = 3013, "RUNTIME_INVALID_MESSAGE_COUNT", Invalid;
    RuntimeMessageRunIdMismatch = 3014, "RUNTIME_MESSAGE_RUN_ID_MISMATCH", Forbidden;
    RuntimeInvalidCompactedContextRequest = 3015, "RUNTIME_INVALID_COMPACTED_CONTEXT_REQUEST", Invalid;
    RuntimeCompactedContextAlreadyExists = 3016, "RUNTIME_COMPACTED_CONTEXT_ALREADY_EXISTS", Exists;
    Field = 50001, "FIELD", Invalid;
    Message = 50002, "MESSAGE", Invalid;
    Tree = 50003, "TREE", Invalid;
    ObjectId = 50004, "OBJECT_ID", Invalid;
    RunStatus = 50005, "RUN_STATUS", Invalid;
    Fab = 50006, "FAB", Invalid;
    ReplyTtl = 50007, "REPLY_TTL", Invalid;
    ObjectDiffers = 50008, "OBJECT_DIFFERS", Invalid;
    SignatureMissing = 50101, "SIGNATURE_MISSING", Unauthenticated;
    KeyNotListed = 50102, "KEY_NOT_LISTED", Unauthenticated;
    KeyMalformed = 50103, "KEY_MALFORMED", Unauthenticated;
    SignatureWrong = 50104, "SIGNATURE_WRONG", Unauthenticated;
    TimestampMalformed = 50105, "TIMESTAMP_MALFORMED", Unauthenticated;
    TimestampStale = 50106, "TIMESTAMP_STALE", Unauthenticated;
    NodeNotRegistered = 50107, "NODE_NOT_REGISTERED", Unauthenticated;
    NodeIsAnother = 50108, "NODE_IS_ANOTHER", Unauthenticated;
    NodeNotProven = 50109, "NODE_NOT_PROVEN", Unauthenticated;
    ClientNotListed = 50110, "CLIENT_NOT_LISTED", Unauthenticated;
    LoginUnknown = 50111, "LOGIN_UNKNOWN", Unauthenticated;
    LauncherNotProven = 50120, "LAUNCHER_NOT_PROVEN", Unauthenticated;
    UnsignedNotServed = 50121, "UNSIGNED_NOT_SERVED", Unauthenticated;
    JoinTokenUnknown = 50122, "JOIN_TOKEN_UNKNOWN", Unauthenticated;
    JoinProofWrong = 50123, "JOIN_PROOF_WRONG", Unauthenticated;
    CertificateWithdrawn = 50124, "CERTIFICATE_WITHDRAWN", Unauthenticated;
    AccountNotListed = 50201, "ACCOUNT_NOT_LISTED", Forbidden;
    LoginDenied = 50202, "LOGIN_DENIED", Forbidden;
    ProviderRefuses = 50203, "PROVIDER_REFUSES", Forbidden;
    TokensUseless = 50204, "TOKENS_USELESS", Forbidden;
    TlsRequired = 50205, "TLS_REQUIRED", Forbidden;
    LauncherNotAllowed = 50220, "LAUNCHER_NOT_ALLOWED", Forbidden;
    CertificateOfNode = 50221, "CERTIFICATE_OF_NODE", Forbidden;
    ObjectMalformed = 50301, "OBJECT_MALFORMED", Precondition;
    RunTransition = 50302, "RUN_TRANSITION", Precondition;
    RunNotFinished = 50303, "RUN_NOT_FINISHED", Precondition;
    RunResumedBefore = 50304, "RUN_RESUMED_BEFORE", Precondition;
    ServerAppLives = 50305, "SERVER_APP_LIVES", Precondition;
    InstructionUnknown = 50306, "INSTRUCTION_UNKNOWN", Precondition;
    InstructionAnswered = 50307, "INSTRUCTION_ANSWERED", Precondition;
    JoinNotOffered = 50320, "JOIN_NOT_OFFERED", Precondition;
    JoinNeedsTls13 = 50321, "JOIN_NEEDS_TLS_1_3", Precondition;
    JoinTokenUsedUp = 50322, "JOIN_TOKEN_USED_UP", Precondition;
    JoinTokenExpired = 50323, "JOIN_TOKEN_EXPIRED", Precondition;
    JoinTokenRevoked = 50324, "JOIN_TOKEN_REVOKED", Precondition;
    JoinedNodeGone = 50325, "JOINED_NODE_GONE", Precondition;
    JoinTokenNotFound = 50326, "JOIN_TOKEN_NOT_FOUND", Precondition;
    JoinTokenImpossible = 50327, "JOIN_TOKEN_IMPOSSIBLE", Precondition;
    KeyIsListed = 50328, "KEY_IS_LISTED", Precondition;
    CertificatesNotIssued = 50329, "CERTIFICATES_NOT_ISSUED", Precondition;
    CertificateNeeded = 50330, "CERTIFICATE_NEEDED", Precondition;
    JoinTokenOwnerNotListed = 50331, "JOIN_TOKEN_OWNER_NOT_LISTED", Precondition;
    StorageFull = 50401, "STORAGE_FULL", Exhausted;
    StorageFailed = 50402, "STORAGE_FAILED", Exhausted;
    FeatureNotOffered = 50501, "FEATURE_NOT_OFFERED", NotOffered;
}

impl Code {
    /// The first number that is not upstream's.
    pub const OWN: u16 = 50_000;

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_are_read_back() {
        let numbers = Code::ALL.iter().map(|code| code.number());
        let numbers: Vec<u16> = numbers.collect();
        assert!(numbers.is_sorted_by(|before, after| before < after));
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(*code));
        }
        for unknown in [0, 14, 1005, 2010, Code::OWN, u16::MAX] {
            assert_eq!(Code::from_number(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn own_numbers_say_their_class() {
        for code in Code::ALL.iter().filter(|code| code.number() >= Code::OWN) {
            let class = match (code.number() - Code::OWN) / 100 {
                0 => Class::Invalid,
                1 => Class::Unauthenticated,
                2 => Class::Forbidden,
                3 => Class::Precondition,
                4 => Class::Exhausted,
                _ => Class::NotOffered,
            };
            assert_eq!(code.class(), class, "{}", code.name());
        }
    }

    #[test]
    fn classes_are_upstreams() {
        // flwr 1.42 answers these with HTTP 404, 412, 403, 401, 409, 400 and 501.
        for (number, name, class) in [
            (16, "RUN_ID_NOT_FOUND", Class::NotFound),
            (18, "RUN_ALREADY_FINISHED", Class::Precondition),
            (31, "RUN_ID_NOT_BELONG_TO_ACCOUNT", Class::Forbidden),
            (36, "ACCOUNT_AUTHENTICATION_FAILED", Class::Unauthenticated),
            (4, "FEDERATION_ALREADY_EXISTS", Class::Exists),
            (2003, "FLEET_INVALID_HEARTBEAT_INTERVAL", Class::Invalid),
            (19, "NO_ACCOUNT_AUTH", Class::NotOffered),
            (2007, "FLEET_RUN_STATUS_NOT_ALLOWED", Class::RunOver),
        ] {
            let code = Code::from_number(number).unwrap();
            assert_eq!((code.name(), code.class()), (name, class));
        }
    }
}
