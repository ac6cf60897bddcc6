//! What a state refuses, and how it fails.

use flwr_core::id::RunId;
use flwr_core::message::MessageId;
use flwr_core::object::ObjectId;
use flwr_core::run::Phase;
use thiserror::Error;

/// What a state method gives.
pub type StateResult<T> = Result<T, StateError>;

/// Why a state method did nothing.
#[derive(Debug, Error)]
pub enum StateError {
    /// The protocol has an answer for it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The backend failed.
    #[error("the state could not be read or written")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What the state refuses, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such run.
    #[error("run {0} is not known to this SuperLink")]
    UnknownRun(RunId),
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
    /// The reply answers nothing that this node was asked in this run, or not any more.
    #[error("no instruction {0} waits for a reply of this node")]
    UnknownInstruction(MessageId),
    /// Another reply came first.
    #[error("instruction {0} is answered already")]
    AlreadyAnswered(MessageId),
    /// The reply would outlive the instruction it answers.
    #[error("the reply's `metadata.ttl` reaches {excess:.1} s beyond the instruction's")]
    ReplyOutlivesInstruction {
        /// Seconds, as text: a refusal can be compared.
        excess: String,
    },
    /// Two trees disagree about what an object is made of, so one of them is wrong.
    #[error("object {0} was announced with other children before")]
    ObjectDiffers(ObjectId),
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
    /// The token is none of this SuperLink's.
    #[error("Invalid token.")]
    UnknownToken,
}

impl Refusal {
    /// Whether the run's standing is the reason, and nothing else about the request.
    #[must_use]
    pub const fn is_about_the_run(&self) -> bool {
        matches!(self, Self::UnknownRun(_) | Self::RunIs { .. })
    }
}
