//! The node's end of Fleet: one type over the wires that SuperLinks speak.

use std::time::Duration;

use bytes::Bytes;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{MessageId, Parcel};
use flwr_core::object::{ObjectId, Pulled};
use flwr_core::port::{Fleet, Result};
use flwr_core::run::AppRun;
use flwr_wire::generations::{v1_20_objects, v1_23_nodes};
use flwr_wire::line::Line;

/// A node's session, in the wire that its SuperLink speaks. [`crate::find::joined`] makes sessions.
#[derive(Debug)]
pub enum NodeSession<L> {
    /// flwr 1.20 to 1.22.
    V1_20(v1_20_objects::FleetCaller<L>),
    /// flwr 1.23 to 1.39.
    V1_23(v1_23_nodes::FleetCaller<L>),
}

/// Does this with the session, whichever it is.
macro_rules! with {
    ($whole:ident, $session:ident => $call:expr) => {
        match $whole {
            Self::V1_20($session) => $call,
            Self::V1_23($session) => $call,
        }
    };
}

impl<L: Line> Fleet for NodeSession<L> {
    fn node(&self) -> Option<NodeId> {
        with!(self, session => session.node())
    }

    async fn join(&self, interval: f64) -> Result<NodeId> {
        with!(self, session => session.join(interval).await)
    }

    async fn heartbeat(&self, interval: f64) -> Result<bool> {
        with!(self, session => session.heartbeat(interval).await)
    }

    async fn leave(&self) -> Result<()> {
        with!(self, session => session.leave().await)
    }

    async fn pull(&self, patience: Duration) -> Result<Option<Parcel>> {
        with!(self, session => session.pull(patience).await)
    }

    async fn push(&self, reply: Parcel, worked: Option<Duration>) -> Result<Option<Vec<ObjectId>>> {
        with!(self, session => session.push(reply, worked).await)
    }

    async fn push_object(&self, run: RunId, id: ObjectId, content: Bytes) -> Result<bool> {
        with!(self, session => session.push_object(run, id, content).await)
    }

    async fn pull_object(&self, run: RunId, id: ObjectId) -> Result<Pulled> {
        with!(self, session => session.pull_object(run, id).await)
    }

    async fn confirm(&self, run: RunId, message: MessageId) -> Result<()> {
        with!(self, session => session.confirm(run, message).await)
    }

    async fn run(&self, run: RunId) -> Result<AppRun> {
        with!(self, session => session.run(run).await)
    }

    async fn fab(&self, run: Option<RunId>, hash: &str) -> Result<Bytes> {
        with!(self, session => session.fab(run, hash).await)
    }
}
