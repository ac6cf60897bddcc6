//! Every reason for "no", with what it is about. A refusal is an answer: to ask again in the same
//! way is of no use, other than after a [`Failure::TryAgain`].
//!
//! A refusal names no release of Flower and no transport. [`Refusal::code`] has its number, the
//! number has a [`Class`], and each wire renders the class in its own terms. Display is the whole
//! text in plain words; a wire whose peers know other words brings these itself.

use thiserror::Error;

use crate::cause::chain;
use crate::config::ConfigError;
use crate::id::{NodeId, RunId};
use crate::message::{Flaws, MessageId};
use crate::object::{InvalidObjectId, ObjectError, ObjectId, TreeError};
use crate::run::{InvalidStatus, Phase};

mod about;
mod answer;
mod code;
mod feature;
mod from;
mod ground;
mod joining;
mod number;
mod unanswered;

pub use answer::{Failure, Refused};
pub use code::{Class, Code};
pub use feature::Feature;
pub use ground::Ground;
pub use joining::JoinRefusal;
pub use unanswered::{Silence, Unanswered};

/// The name of the one federation that a SuperLink has.
pub const FEDERATION: &str = "@none/default";

/// Why a program does not do what it is asked.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Refusal {
    /// A field of the request is not what it should be.
    #[error("`{field}` {problem}")]
    Field {
        /// The field at fault.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The bytes of the request are no message of its method.
    #[error("the request cannot be read: {0}")]
    Unreadable(String),
    /// A node's heartbeat interval is out of bounds.
    #[error(
        "Invalid heartbeat interval: `heartbeat_interval` is {given}, and {min} to {max} seconds are expected"
    )]
    HeartbeatInterval {
        /// Seconds, as the node asks for.
        given: f64,
        /// The least that is allowed.
        min: f64,
        /// The most that is allowed.
        max: f64,
    },

    /// A peer names a run that is unknown here, or not known any more.
    #[error("run {0} is not known to this SuperLink")]
    UnknownRun(RunId),
    /// A person names a run that does not exist: probably a typing mistake.
    #[error("there is no run {0}")]
    RunNotFound(RunId),
    /// The run is not running, and must be for this.
    #[error("run {run} is {phase}")]
    RunIs {
        /// The run.
        run: RunId,
        /// Where it stands instead.
        phase: Phase,
    },
    /// A run cannot go from there to here.
    #[error("run {run} cannot go from {from} to {to}")]
    Transition {
        /// The run.
        run: RunId,
        /// Where it stands.
        from: Phase,
        /// Where it was to go.
        to: Phase,
    },
    /// A run that is finished already cannot be stopped.
    #[error("Run ID {0} is already finished")]
    AlreadyFinished(RunId),
    /// Only finished runs are deleted.
    #[error("Run ID {run} is {phase}: end it first, with `flwr stop {run}`")]
    NotFinished {
        /// The run.
        run: RunId,
        /// Where it stands.
        phase: Phase,
    },
    /// A run can have one token only.
    #[error("run {0} has its token already")]
    HasToken(RunId),
    /// A run is begun again once only.
    #[error("run {0} was begun again before")]
    ResumedBefore(RunId),
    /// The run is finished, and the process of its ServerApp has not ended.
    #[error(
        "run {0} is finished, and its ServerApp process is still ending: try again in a moment"
    )]
    ProcessLives(RunId),
    /// The text is not the status of a run.
    #[error("{0}")]
    Status(InvalidStatus),
    /// The FAB is malformed.
    #[error("the FAB is refused: {0}")]
    Fab(String),
    /// A node asks what an unknown run is.
    #[error("Run ID not found: {0}")]
    NoRunForNode(RunId),
    /// A node gets no FAB, for this reason.
    #[error("{0}")]
    NoFabForNode(Box<Self>),
    /// A node asks for a FAB that is not its run's.
    #[error("Requested FAB hash {hash} does not match the FAB hash of run {run}")]
    FabOfAnotherRun {
        /// The run.
        run: RunId,
        /// The hash that the node asks for.
        hash: String,
    },
    /// There is no FAB with this hash.
    #[error("Found no FAB with hash: {0}")]
    UnknownFab(String),
    /// A request gives a hash beside a bundle that has another one.
    #[error("FAB ({0}) hash from request doesn't match contents")]
    FabHash(String),
    /// The name of an app on Flower Hub is malformed.
    #[error("{0:?} is not the name of an app: `@account/app` or `@account/app==1.2.3` is expected")]
    AppSpec(String),
    /// A request names an app on Flower Hub, from which this program fetches nothing.
    #[error(
        "the app {0} is not fetched: this SuperLink does not call Flower Hub. Get the app, and run it from its directory: `flwr run path/to/app`"
    )]
    AppNotFetched(String),
    /// A request names a bundle by its hash alone.
    #[error("this SuperLink stores no apps: the request must carry the bundle of the app")]
    AppNotStored,
    /// The run configuration is malformed.
    #[error("the run configuration is refused: {}", chain(.0.as_ref()))]
    RunConfig(Box<ConfigError>),

    /// A message breaks rules.
    #[error("malformed message: {0}")]
    Malformed(Flaws),
    /// A message is of another run than its request.
    #[error("message {message} is of run {found}, not of run {run}")]
    OtherRun {
        /// The message.
        message: ObjectId,
        /// The request's run.
        run: RunId,
        /// The message's.
        found: RunId,
    },
    /// The reply answers nothing that its node was asked in this run, or not any more.
    #[error("no instruction {0} waits for a reply of this node")]
    UnknownInstruction(MessageId),
    /// The message on which the ClientApp works is of another run, or there is none.
    #[error("the message in work is not of run {0}")]
    NotInWork(RunId),
    /// A ClientApp answers its message with one reply.
    #[error("a ClientApp answers its message with one reply, not with {0} messages")]
    ReplyCount(usize),
    /// A ClientApp asks for what only ServerApps have.
    #[error("a ClientApp has no {0}")]
    NotForClientApps(&'static str),
    /// Another reply came first.
    #[error("instruction {0} is answered already")]
    AlreadyAnswered(MessageId),
    /// The reply came after its time to live.
    #[error("the reply to instruction {0} came after its time to live")]
    ReplyExpired(MessageId),
    /// The reply would outlive the instruction it answers.
    #[error("the reply's `metadata.ttl` reaches {excess:.1} s beyond the instruction's")]
    ReplyOutlivesInstruction {
        /// Seconds.
        excess: f64,
    },
    /// There is not one object tree for each message, with the message as its root.
    #[error(
        "message {0} has no object tree of its own: `message_object_trees` must hold one for each message, with its id at the root"
    )]
    NoTree(ObjectId),
    /// An object tree is malformed.
    #[error("malformed object tree: {0}")]
    Tree(TreeError),
    /// The text is not an object id.
    #[error("{0}")]
    ObjectId(InvalidObjectId),
    /// Two trees disagree about what an object is made of, so one of them is wrong.
    #[error("object {0} was announced with other children before")]
    ObjectDiffers(ObjectId),
    /// Pushed bytes are no object.
    #[error("Object with ID '{id}' has an unexpected structure. {problem}")]
    Object {
        /// SHA-256 of the bytes.
        id: ObjectId,
        /// What is wrong with them.
        problem: ObjectError,
    },
    /// An object's head and the tree that announced it disagree.
    #[error(
        "Object with ID '{0}' has an unexpected structure. Its head lists other children than the object tree that announced it."
    )]
    ObjectChildren(ObjectId),

    /// A header of the signature is not there, or is no base64.
    #[error("Missing authentication metadata")]
    MissingSignature,
    /// The key is not on the list.
    #[error("Public key not recognized")]
    UnknownKey,
    /// The header holds no elliptic curve key.
    #[error("Public key not recognized: it is not an elliptic curve public key in PEM")]
    MalformedKey,
    /// The signature is not this key's over this time.
    #[error("Invalid signature")]
    InvalidSignature,
    /// The time is none, or has no UTC offset.
    #[error("Invalid timestamp: ISO 8601 with a UTC offset is expected")]
    MalformedTimestamp,
    /// The time is not of now.
    #[error(
        "Invalid timestamp: it is {age:.1} s old by the SuperLink's clock, and -5 to 305 s are allowed; set the clocks"
    )]
    StaleTimestamp {
        /// Seconds since it was made, by our clock; negative if it is ahead.
        age: f64,
    },
    /// The caller's key is bound to no node: the node has to register first.
    #[error("the caller's key is of no registered node")]
    NotRegistered,
    /// The caller's key is bound to no node, and a node is activated by its key.
    #[error("No SuperNode found with the given public key.{}", way_out(*.by_people))]
    NoNodeOfKey {
        /// People register nodes here.
        by_people: bool,
    },
    /// A node registers itself where people register nodes, or a list names them.
    #[error(
        "SuperNode authentication is enabled. All SuperNodes must be registered via the CLI: register the public key with `flwr supernode register`, or add it to the SuperLink's list"
    )]
    RegisteredByPeople,
    /// A node unregisters itself where people register nodes.
    #[error(
        "SuperNode authentication is enabled. All SuperNodes must be unregistered via the CLI: `flwr supernode unregister`"
    )]
    UnregisteredByPeople,
    /// A key that is bound to a node is registered once more.
    #[error("Public key already in use")]
    KeyInUse,
    /// A node that is not online cannot go offline.
    #[error("SuperNode with node ID {0} could not be deactivated: it is not online")]
    NotOnline(NodeId),
    /// A node speaks for another.
    #[error("the caller is not node {claimed}, for which it speaks")]
    OtherNode {
        /// The node that the caller's key is bound to.
        caller: Option<NodeId>,
        /// The node for which it speaks.
        claimed: NodeId,
    },
    /// A node does not prove by its shared secret that it is what it says.
    #[error("the node does not prove who it is")]
    AccessDenied,
    /// The request carries no signature, and nodes that sign nothing are not served here.
    #[error("the request carries no signature")]
    UnsignedNotServed,
    /// An app speaks as a node other than its own. The SuperLink's ServerApps speak as the SuperLink.
    #[error("an app speaks as node {0}")]
    UnexpectedNode(NodeId),
    /// The token is none of this program's.
    #[error("the token is unknown")]
    UnknownToken,
    /// The metadata of a call has no token, or one of nobody. Such calls are of releases whose apps
    /// show their token there.
    #[error("the metadata of the call has no token of an app here")]
    UnknownAppToken,
    /// The client's certificate is not on the list.
    #[error("The client certificate {0} is not on the SuperLink's list of clients")]
    ClientNotListed(String),
    /// The service asks for a certificate, and the port does not.
    #[error(
        "this service needs a client certificate: {0} (SuperNode: --client-certificate and --client-key; `flwr`: client-certificate and client-key of the federation)"
    )]
    CertificateNeeded(String),
    /// The caller does not prove that it may start the processes of apps.
    #[error("the caller may not start apps here: {0} (--superexec-auth-secret-file)")]
    LauncherNotProven(&'static str),
    /// The processes of apps are started from other addresses.
    #[error("apps are not started from {0} here: --appio-allow-from of the daemon allows that")]
    LauncherNotAllowed(std::net::IpAddr),
    /// A node's certificate, on a port for people.
    #[error(
        "The client certificate {0} is a SuperNode's, and opens no port for people: use a certificate of your own"
    )]
    CertificateOfNode(String),
    /// A node shows a certificate that was issued to another node, or is not good any more.
    #[error(
        "The client certificate {0} is not good any more: its SuperNode was unregistered, has another key, or is another than the caller"
    )]
    CertificateWithdrawn(String),
    /// The call is allowed over TLS only.
    #[error("Runs are started over TLS here: drop --insecure and give --root-certificates")]
    TlsRequired,

    /// No tokens, or none that prove an account.
    #[error("the caller is not signed in")]
    NotSignedIn,
    /// The account is proven and not on the list.
    #[error("the account is not on the SuperLink's list")]
    AccountNotListed,
    /// The login provider refuses the SuperLink. Its operator has to act.
    #[error("the login provider refuses this SuperLink: the SuperLink's log says why")]
    ProviderRefuses,
    /// There is no such login, or not any more.
    #[error("the login is not known here, or took too long: run `flwr login` again")]
    UnknownLogin,
    /// The user, or the provider, said no.
    #[error("the login was denied")]
    LoginDenied,
    /// The provider's tokens cannot be used here.
    #[error("the login provider's tokens are of no use to this SuperLink: {0}")]
    UselessTokens(String),
    /// The run was made before accounts were on.
    #[error("the run belongs to no account")]
    RunOfNobody,
    /// The run was made by another account.
    #[error("the run belongs to another account")]
    RunOfAnother,

    /// A run is to be started in a federation that does not exist.
    #[error("Federation '{0}' does not exist: this SuperLink has one federation, {only}", only = FEDERATION)]
    NoFederation(String),
    /// A federation is asked for that does not exist, or that the caller may not see.
    #[error(
        "Federation '{0}' does not exist or you are not a member of it: this SuperLink has one federation, {only}",
        only = FEDERATION
    )]
    NotInFederation(String),
    /// The key of a node that is to be registered is no elliptic curve key.
    #[error("The provided public key is not valid: {0}")]
    KeyNotValid(String),
    /// There is no such node, or it is another account's.
    #[error("this account has no node {0}")]
    NodeNotFound(NodeId),
    /// A list of keys decides who may come in, and nobody registers nodes.
    #[error(
        "SuperNodes are not registered or unregistered here: the list of keys decides ({0}, --auth-list-public-keys). Put the key on the list, or take it off"
    )]
    KeysAreListed(String),

    /// A node does not join, or does not change its key.
    #[error("{0}")]
    Joining(JoinRefusal),

    /// The storage limit is reached: nothing new is taken.
    #[error(
        "the SuperLink is full: {used} bytes are kept, and --max-storage allows {limit}; it takes new runs and messages again when runs have finished"
    )]
    Full {
        /// Bytes that are kept.
        used: u64,
        /// Bytes that may be.
        limit: u64,
    },
    /// The disk does not take what would have to be kept. Told to people; peers try again.
    #[error("nothing can be stored: {0}; the SuperLink's operator has to look at where it stores")]
    NotStored(String),
    /// This program does not have a feature of Flower.
    #[error("{0} are not offered here")]
    NotOffered(Feature),
}

/// What the holder of a key without a node can do.
const fn way_out(by_people: bool) -> &'static str {
    if by_people {
        " Register it with `flwr supernode register`, or add it to the SuperLink's list."
    } else {
        ""
    }
}
