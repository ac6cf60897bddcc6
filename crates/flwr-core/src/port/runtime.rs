//! What the process of an app asks of its daemon: a ServerApp of the SuperLink, a ClientApp of its
//! SuperNode.

use std::time::Duration;

use bytes::Bytes;

use super::Result;
use crate::context::Context;
use crate::id::{NodeId, RunId};
use crate::message::{MessageId, Parcel};
use crate::object::{ObjectId, Pulled};
use crate::run::{KnownRun, Phase, RunStatus};

/// What an app starts from.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Its run.
    pub run: KnownRun,
    /// Its Context.
    pub context: Context,
    /// Its bundle.
    pub fab: Bytes,
}

/// Which messages an app asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Those that are for it.
    All,
    /// The replies to these instructions, named as [`Sent`] names them: `None` is an instruction that
    /// was not sent, and has an error for an answer.
    Replies(Vec<Option<MessageId>>),
}

/// What became of messages that an app sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sent {
    /// The id of each, in the order in which they were sent. `None`: its node is not known.
    pub ids: Vec<Option<MessageId>>,
    /// The objects that are still to be pushed.
    pub missing: Vec<ObjectId>,
}

/// The session of one app process with its daemon. A value of this trait exists only behind a
/// proof of which run the process belongs to, so that the run is no argument of any method.
pub trait Runtime: Send + Sync + 'static {
    /// The run to which the process belongs. `None`: no run waits for a process.
    fn run_id(&self) -> Option<RunId>;

    /// The node for which the app runs: a ServerApp runs for the SuperLink. `None`: there is no
    /// message in work on which the app could work.
    fn node(&self) -> Option<NodeId>;

    /// What the app starts from. `None`: no run waits for a process. A process whose answer was
    /// lost asks again, and is answered alike, also if its run is running already.
    ///
    /// # Errors
    /// If the run of a ServerApp is over.
    fn inputs(&self) -> impl Future<Output = Result<Option<Inputs>>> + Send;

    /// Gives a sign of life, and promises the next within `interval` seconds. False if the run is
    /// over. A process may give signs before it asks for its inputs.
    ///
    /// # Errors
    /// If the interval is not 10 to 1,800 s.
    fn alive(&self, interval: f64) -> impl Future<Output = Result<bool>> + Send;

    /// The app is at work. The run of a ServerApp that is starting is running from here on. Nothing
    /// happens where it is running already, or the process has no inputs yet.
    ///
    /// # Errors
    /// If the run is not known.
    fn at_work(&self) -> impl Future<Output = Result<()>> + Send {
        self.status(RunStatus::plain(Phase::Running))
    }

    /// The nodes to which the run can send.
    ///
    /// # Errors
    /// If the run is not running.
    fn nodes(&self) -> impl Future<Output = Result<Vec<NodeId>>> + Send;

    /// The run. `None`: it is not known.
    ///
    /// # Errors
    /// If the state fails, or no message of the run is in work.
    fn run(&self) -> impl Future<Output = Result<Option<KnownRun>>> + Send;

    /// The bytes of a FAB.
    ///
    /// # Errors
    /// If there is none with this hash.
    fn fab(&self, hash: &str) -> impl Future<Output = Result<Bytes>> + Send;

    /// Sends messages.
    ///
    /// # Errors
    /// If the run is not running, or a message is of another run.
    fn send(&self, parcels: Vec<Parcel>) -> impl Future<Output = Result<Sent>> + Send;

    /// Receives messages. The call is held for `patience` at most.
    ///
    /// # Errors
    /// If the run is not running, or ceases to.
    fn receive(
        &self,
        asked: Asked,
        patience: Duration,
    ) -> impl Future<Output = Result<Vec<Parcel>>> + Send;

    /// Stores the bytes of an announced object. False: no message announced it.
    ///
    /// # Errors
    /// If the run is not running, or the bytes are no object.
    fn push_object(
        &self,
        id: ObjectId,
        content: Bytes,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// The bytes of an object.
    ///
    /// # Errors
    /// If the run is not running.
    fn pull_object(&self, id: ObjectId) -> impl Future<Output = Result<Pulled>> + Send;

    /// Confirms that a message and its objects arrived.
    ///
    /// # Errors
    /// If the run is not running.
    fn confirm(&self, message: MessageId) -> impl Future<Output = Result<()>> + Send;

    /// Adds what the app printed to the run's log.
    ///
    /// # Errors
    /// If the run is not known.
    fn log(&self, text: String) -> impl Future<Output = Result<()>> + Send;

    /// Moves the run on.
    ///
    /// # Errors
    /// If the run is not known or over.
    fn status(&self, to: RunStatus) -> impl Future<Output = Result<()>> + Send;

    /// The app has said everything. Stores the Context that the app leaves behind.
    ///
    /// # Errors
    /// If the run is not running.
    fn finish(&self, context: Option<Context>) -> impl Future<Output = Result<()>> + Send;

    /// The app has ended as `end` says, and has said everything. Stores the Context that the app
    /// leaves behind, if there is one. A process whose answer was lost says so again.
    ///
    /// # Errors
    /// If the run cannot end so from where it stands: only a running run is completed.
    fn conclude(
        &self,
        context: Option<Context>,
        end: RunStatus,
    ) -> impl Future<Output = Result<()>> + Send {
        async move {
            if context.is_some() {
                self.finish(context).await?;
            }
            self.status(end).await
        }
    }
}
