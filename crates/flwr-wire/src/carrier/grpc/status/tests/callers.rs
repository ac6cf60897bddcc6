//! What callers are refused who may not call.

use super::*;

pub(super) fn nodes_and_processes() -> Vec<Number> {
    let other = Refusal::OtherNode {
        caller: Some(NodeId(5)),
        claimed: NodeId(6),
    };
    check(&[
        (
            Refusal::MissingSignature,
            Unauthenticated,
            "Missing authentication metadata",
        ),
        (
            Refusal::UnknownKey,
            Unauthenticated,
            "Public key not recognized",
        ),
        (
            Refusal::MalformedKey,
            Unauthenticated,
            "Public key not recognized: it is not an elliptic curve public key in PEM",
        ),
        (
            Refusal::InvalidSignature,
            Unauthenticated,
            "Invalid signature",
        ),
        (
            Refusal::MalformedTimestamp,
            Unauthenticated,
            "Invalid timestamp: ISO 8601 with a UTC offset is expected",
        ),
        (
            Refusal::StaleTimestamp { age: 400.04 },
            Unauthenticated,
            "Invalid timestamp: it is 400.0 s old by the SuperLink's clock, and -5 to 305 s are allowed; set the clocks",
        ),
        (Refusal::NotRegistered, Unauthenticated, "Invalid node ID"),
        (other, Unauthenticated, "Invalid node ID"),
        (Refusal::AccessDenied, Unauthenticated, "Access denied"),
        (
            Refusal::UnsignedNotServed,
            Unauthenticated,
            "Missing authentication metadata: SuperNodes of flwr 1.8 to 1.14, which sign nothing, are served only where the SuperLink is given `--serve-older 1.8`",
        ),
        (
            Refusal::UnexpectedNode(NodeId(5)),
            FailedPrecondition,
            "Unexpected node ID.",
        ),
        (Refusal::UnknownToken, PermissionDenied, "Invalid token."),
        (
            Refusal::UnknownAppToken,
            Unauthenticated,
            "Authentication failed.",
        ),
        (
            Refusal::NotOffered(Feature::Simulations),
            Unimplemented,
            "simulations are not offered here",
        ),
        (
            Refusal::NotOffered(Feature::Agents),
            Unimplemented,
            "tasks of agents are not offered here",
        ),
        (
            Refusal::CertificateOfNode("CN=node-1".to_owned()),
            PermissionDenied,
            "The client certificate CN=node-1 is a SuperNode's, and opens no port for people: use a certificate of your own",
        ),
        (
            Refusal::CertificateWithdrawn("CN=7".to_owned()),
            Unauthenticated,
            "The client certificate CN=7 is not good any more: its SuperNode was unregistered, has another key, or is another than the caller",
        ),
        (
            Refusal::ClientNotListed("CN=alice".to_owned()),
            Unauthenticated,
            "The client certificate CN=alice is not on the SuperLink's list of clients",
        ),
        (
            Refusal::CertificateNeeded("the client shows none".to_owned()),
            FailedPrecondition,
            "this service needs a client certificate: the client shows none (SuperNode: --client-certificate and --client-key; `flwr`: client-certificate and client-key of the federation)",
        ),
        (
            Refusal::LauncherNotProven("why"),
            Unauthenticated,
            "the caller may not start apps here: why (--superexec-auth-secret-file)",
        ),
        (
            Refusal::LauncherNotAllowed([192, 0, 2, 1].into()),
            PermissionDenied,
            "apps are not started from 192.0.2.1 here: --appio-allow-from of the daemon allows that",
        ),
        (
            Refusal::TlsRequired,
            PermissionDenied,
            "Runs are started over TLS here: drop --insecure and give --root-certificates",
        ),
    ])
}

pub(super) fn people() -> Vec<Number> {
    let rows = [
        (Refusal::RunNotFound(RUN), NotFound, "Run ID not found"),
        (Refusal::NotSignedIn, Unauthenticated, "Access denied"),
        (
            Refusal::AccountNotListed,
            PermissionDenied,
            "\u{2757}\u{fe0f} User not authorized. Please contact the SuperLink administrator.",
        ),
        (
            Refusal::ProviderRefuses,
            PermissionDenied,
            "the login provider refuses this SuperLink: the SuperLink's log says why",
        ),
        (
            Refusal::UnknownLogin,
            Unauthenticated,
            "the login is not known here, or took too long: run `flwr login` again",
        ),
        (
            Refusal::LoginDenied,
            PermissionDenied,
            "the login was denied",
        ),
        (
            Refusal::UselessTokens("why".to_owned()),
            PermissionDenied,
            "the login provider's tokens are of no use to this SuperLink: why",
        ),
        (
            Refusal::RunOfNobody,
            PermissionDenied,
            "\u{26d4}\u{fe0f} User authentication is enabled, but the run is not associated with a `flwr_aid`.",
        ),
        (
            Refusal::RunOfAnother,
            PermissionDenied,
            "\u{26d4}\u{fe0f} Run ID does not belong to the user",
        ),
        (
            Refusal::NotOffered(Feature::Accounts),
            Unimplemented,
            "ControlServicer initialized without user authentication",
        ),
        (
            Refusal::NotOffered(Feature::Artifacts),
            Unimplemented,
            "ControlServicer initialized without artifact provider",
        ),
        (
            Refusal::NotStored("could not write `/data/a`: No space left on device".to_owned()),
            ResourceExhausted,
            "nothing can be stored: could not write `/data/a`: No space left on device; the SuperLink's operator has to look at where it stores",
        ),
        (
            Refusal::Full {
                used: 11,
                limit: 10,
            },
            ResourceExhausted,
            "the SuperLink is full: 11 bytes are kept, and --max-storage allows 10; it takes new runs and messages again when runs have finished",
        ),
    ];
    check_for(&[Form::Peer, Form::Command], &rows)
}
