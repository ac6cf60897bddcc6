//! The model of nodes and of the ServerApp's task.

use flwr_core::id::NodeId;
use flwr_core::message::MessageId;
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;

use crate::link::state::{NodeStatus, Session, Traffic};

/// A node that is registered.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) session: Session,
    pub(super) until: Timestamp,
    pub(super) heard: bool,
    /// It ended its session, and has not given a sign of life since.
    pub(super) left: bool,
    pub(super) in_hand: Option<MessageId>,
}

impl Node {
    pub(super) const fn new(id: NodeId) -> Self {
        Self {
            id,
            session: 0,
            until: Timestamp::ZERO,
            heard: false,
            left: false,
            in_hand: None,
        }
    }

    pub(super) const fn begin(&mut self, until: Timestamp) {
        self.session += 1;
        self.heard = false;
        self.keep(until);
    }

    pub(super) const fn keep(&mut self, until: Timestamp) {
        self.until = until;
        self.left = false;
    }

    pub(super) fn end(&mut self, now: Timestamp) {
        self.session += 1;
        self.until = self.until.min(now);
        (self.heard, self.left) = (false, true);
    }

    pub(super) fn status(&self, now: Timestamp) -> NodeStatus {
        if self.until > now {
            NodeStatus::Online
        } else {
            NodeStatus::Offline
        }
    }
}

/// The task of the ServerApp, whose run is running all the time.
#[derive(Debug, Default)]
pub(super) struct Task {
    pub(super) token: Option<ObjectId>,
    pub(super) has_process: bool,
    pub(super) traffic: Traffic,
    /// Round, node and number of each sample.
    pub(super) samples: Vec<(u32, usize, f64)>,
}

impl Task {
    pub(super) const fn claim(&mut self, token: ObjectId) -> bool {
        let is_free = self.token.is_none();
        if is_free {
            self.token = Some(token);
        }
        is_free
    }

    pub(super) fn rewind(&mut self) {
        self.samples.clear();
        self.token = None;
        self.has_process = false;
    }
}
