//! Where our SuperLink answers otherwise than pip's, on purpose.

use super::ask::Said;

/// A difference from one or several releases of pip's.
#[derive(Debug)]
pub(super) struct Purpose {
    pub(super) what: &'static [&'static str],
    ours: Ours,
    /// For people.
    _why: &'static str,
}

/// What ours says instead.
#[derive(Debug)]
enum Ours {
    /// The same status and number, in other words. These begin the text.
    Words(&'static str),
    /// Something else: what came of the call, which begins like this.
    Other(&'static str),
}

impl Purpose {
    const fn words(what: &'static [&'static str], ours: &'static str, _why: &'static str) -> Self {
        let ours = Ours::Words(ours);
        Self { what, ours, _why }
    }

    const fn other(what: &'static [&'static str], ours: &'static str, _why: &'static str) -> Self {
        let ours = Ours::Other(ours);
        Self { what, ours, _why }
    }

    /// Whether this is the difference.
    pub(super) fn excuses(&self, theirs: &Said, ours: &Said) -> bool {
        match self.ours {
            Ours::Words(words) => {
                let text = ours.text().unwrap_or_default();
                ours.has_the_status_of(theirs) && text.starts_with(words)
            }
            Ours::Other(said) => ours.to_string().starts_with(said),
        }
    }
}

/// From flwr 1.33 on, upstream says only which call has failed.
const SAYS_WHY: &str = "ours says the cause in every release";

/// Ours names what it is about, and the way out.
const SAYS_WHAT: &str = "ours says which, or what there is instead";

/// Of Fleet.
pub(super) const FLEET: &[Purpose] = &[
    Purpose::other(
        &["registration of no key"],
        "Unauthenticated: Public key not recognized",
        "a node without a key could never sign",
    ),
    Purpose::other(
        &["registration of another's key"],
        "Unauthenticated: Invalid signature",
        "nobody registers a key that is not theirs: its holder would find the key in use",
    ),
    Purpose::other(
        &["activation twice"],
        "answer: done",
        "a SuperNode that was killed comes back at once, and not when its last heartbeat is over",
    ),
    Purpose::other(
        &["registration after unregistration"],
        "answer: done",
        "a key that was unregistered is registered again, as a new node",
    ),
    Purpose::other(
        &["GetRun of an unknown run"],
        "PermissionDenied",
        "1.23 answers with no run, at which its SuperNode fails; later ones say less",
    ),
    Purpose::words(
        &["GetFab of an unknown run"],
        "run 7 is not known to this SuperLink",
        SAYS_WHY,
    ),
    Purpose::words(&["a FAB of another hash"], "Requested FAB hash", SAYS_WHY),
    Purpose::words(
        &[
            "activation of an unknown key",
            "activation after unregistration",
        ],
        "No SuperNode found with the given public key",
        SAYS_WHY,
    ),
    Purpose::words(
        &[
            "end of a session that has not begun",
            "end of a session twice",
        ],
        "SuperNode with node ID N could not be deactivated",
        SAYS_WHY,
    ),
    Purpose::words(
        &[
            "GetRun of a stopped run",
            "GetFab of a stopped run",
            "PushMessages of a stopped run",
            "PushObject of a stopped run",
            "PullObject of a stopped run",
            "ConfirmMessageReceived of a stopped run",
        ],
        "",
        SAYS_WHY,
    ),
    Purpose::other(
        &["push in an unknown session"],
        "answer: stored=true",
        "ours opens no sessions: an object is taken that a message of the run has announced, and whose \
         bytes have the announced hash",
    ),
    Purpose::other(
        &["reply to an unknown message", "reply that lives too long"],
        "answer: [0], 0 objects",
        "the bytes of a reply that is refused are not asked for",
    ),
];

/// Of Fleet, where people register nodes.
pub(super) const REGISTERED: &[Purpose] = &[Purpose::words(
    &[
        "activation where nobody has registered the key",
        "activation of a key that a person unregistered",
    ],
    "No SuperNode found with the given public key. Register it",
    SAYS_WHY,
)];

/// Of the services of app processes.
pub(super) const APPS: &[Purpose] = &[
    Purpose::other(
        &[
            "token of an unknown run",
            "ClientApp: token of an unknown run",
        ],
        "answer: token=false",
        "theirs is a token of no use",
    ),
    Purpose::other(
        &["heartbeat of no token"],
        "PermissionDenied: Invalid token.",
        "at both answers an app of 1.23 gives no more heartbeats",
    ),
    Purpose::other(
        &["inputs twice", "task: inputs twice"],
        "answer: done",
        "a process whose answer was lost asks again",
    ),
    Purpose::other(
        &[
            "app: ConfirmMessageReceived as another node",
            "task: ConfirmMessageReceived as another node",
        ],
        "FailedPrecondition: Unexpected node ID.",
        "as all other calls about objects",
    ),
    Purpose::words(
        &[
            "messages after the stop",
            "replies after the stop",
            "outputs after the stop",
        ],
        "Invalid token.",
        "the token of a run that is over is forgotten; apps print neither text",
    ),
    Purpose::other(
        &["GetRun of an unknown run, by an app"],
        "PermissionDenied: Invalid token.",
        "an app speaks for its own run",
    ),
    Purpose::other(
        &[
            "task: PushObject of an unknown run",
            "task: PullObject of an unknown run",
            "task: ConfirmMessageReceived of an unknown run",
            "task: PushLogs of an unknown run",
        ],
        "Unauthenticated: Authentication failed.",
        "an app speaks for its own run",
    ),
    Purpose::other(
        &[
            "task: nodes without a token",
            "task: replies without a token",
            "task: PushObject without a token",
            "task: PullObject without a token",
            "task: ConfirmMessageReceived without a token",
            "task: PushLogs without a token",
        ],
        "PermissionDenied: Invalid token.",
        "without a token it is a call of an app of flwr 1.29 or earlier, which are served here too",
    ),
    Purpose::other(
        &["task: no messages"],
        "answer: 0 of 0",
        "no messages are no mistake",
    ),
    Purpose::other(
        &["task: a task for a model"],
        "Unimplemented",
        "agents are not offered",
    ),
    Purpose::words(
        &[
            "GetRun of a run that waits",
            "GetFab of a run that waits",
            "PushMessages of a run that waits",
            "PushObject of a run that waits",
            "PullObject of a run that waits",
            "ConfirmMessageReceived of a run that waits",
        ],
        "Run is pending.",
        SAYS_WHY,
    ),
];

/// Of Control.
pub(super) const CONTROL: &[Purpose] = &[
    Purpose::other(
        &["list of no runs"],
        "answer: 0 runs",
        "a command that wants none gets none; theirs knows no limit until 1.27",
    ),
    Purpose::other(
        &["login"],
        "Unimplemented",
        "commands until 1.29 tell no release, and those until 1.22 read that nobody signs in by the status",
    ),
    Purpose::other(
        &[
            "a run of nothing",
            "a run of junk",
            "a run of too large a bundle",
        ],
        "FailedPrecondition: the FAB is refused",
        "at an answer without a run the command says only that no run was started",
    ),
    Purpose::other(
        &["a run of too large a bundle"],
        "InvalidArgument 50006: the FAB is refused: FAB size exceeds",
        "at an answer without a run the command says only that no run was started",
    ),
    Purpose::other(
        &["a run of a bundle of another hash"],
        "FailedPrecondition",
        "a bundle that changed on its way is not run",
    ),
    Purpose::other(
        &["a run with an unknown key of its configuration"],
        "FailedPrecondition",
        "until 1.26 theirs ignores the key, which somebody mistyped",
    ),
    Purpose::words(
        &["a run of an app without a name"],
        "\"nonsense\" is not the name of an app",
        SAYS_WHAT,
    ),
    Purpose::words(
        &["a run in an unknown federation"],
        "Federation '@none/other' does not exist",
        SAYS_WHAT,
    ),
    Purpose::words(
        &[
            "stop of an unknown run",
            "list of an unknown run",
            "log of an unknown run",
        ],
        "there is no run 7",
        SAYS_WHAT,
    ),
    Purpose::words(
        &["stop of a stopped run"],
        "Run ID N is already finished",
        SAYS_WHAT,
    ),
    Purpose::words(
        &["end of an unknown node", "end of a node twice"],
        "this account has no node",
        SAYS_WHAT,
    ),
    Purpose::words(
        &["pull of an unknown run", "pull of a stopped run"],
        "artifacts are not offered here",
        SAYS_WHAT,
    ),
    Purpose::words(
        &["tokens of a login"],
        "accounts are not offered here",
        SAYS_WHAT,
    ),
    Purpose::words(
        &[
            "ArchiveFederation",
            "ListInvitations",
            "AcceptInvitation",
            "RejectInvitation",
            "RevokeInvitation",
            "RemoveAccountFromFederation",
        ],
        "federations beside @none/default",
        SAYS_WHAT,
    ),
    Purpose::other(
        &[
            "CreateFederation",
            "AddNodeToFederation",
            "RemoveNodeFromFederation",
            "CreateInvitation",
        ],
        "Unimplemented 1: federations beside @none/default",
        "what is not offered is refused before the request is looked at",
    ),
    Purpose::other(
        &[
            "ConfigureSimulationFederation",
            "ListRunSeries",
            "GetRunSeries",
            "StopAutomation",
            "ListConnectors",
            "DisconnectConnector",
            "BeginConnectorOAuth",
            "CompleteConnectorOAuth",
            "ListApps",
            "AddApp",
            "RemoveApp",
        ],
        "Unimplemented 50501",
        "what is not offered is refused before the request is looked at",
    ),
];
