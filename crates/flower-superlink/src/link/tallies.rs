//! Counts what happens here: replies, and bytes of objects. What there is, the state counts.

use flwr_core::message::Body;
use flwr_metrics::{Registry, Tally};

use super::Link;
use super::state::Census;
use crate::error::Result;

const OK: &str = "ok";
const ERROR: &str = "error";
const DROPPED: &str = "dropped";
const LOST: &str = "lost";
const IN: &str = "in";
const OUT: &str = "out";

/// What has happened since the start.
#[derive(Debug)]
pub(super) struct Tallies {
    replies: Tally,
    objects: Tally,
}

impl Default for Tallies {
    fn default() -> Self {
        Self {
            replies: Tally::new("outcome", &[OK, ERROR, DROPPED, LOST]),
            objects: Tally::new("direction", &[IN, OUT]),
        }
    }
}

impl Tallies {
    /// A node has replied, with an error or a result.
    pub(super) fn replied(&self, is_error: bool) {
        self.replies.count(if is_error { ERROR } else { OK });
    }

    /// The reply of a node was refused.
    pub(super) fn dropped(&self) {
        self.replies.count(DROPPED);
    }

    /// The SuperLink has replied in the place of a node.
    pub(super) fn lost(&self) {
        self.replies.count(LOST);
    }

    /// A node has pushed this many bytes of objects.
    pub(super) fn received(&self, bytes: u64) {
        self.objects.add(IN, bytes);
    }

    /// A node has pulled this many bytes of objects.
    pub(super) fn sent(&self, bytes: u64) {
        self.objects.add(OUT, bytes);
    }
}

/// Whether the body of a reply is an error.
pub(super) const fn is_error(body: &Body) -> bool {
    matches!(body, Body::Error { .. })
}

impl Link {
    /// Names what is counted here and in the state.
    pub fn register_numbers(&self, registry: &mut Registry) {
        let Tallies { replies, objects } = &self.tallies;
        let help = "Replies to messages; the SuperLink itself replies for nodes that are lost";
        replies.register(registry, "flwr_replies", help);
        let help = "Bytes of objects that nodes have pushed (in) and pulled (out)";
        objects.register(registry, "flwr_object_bytes", help);
        if let Some(commits) = self.state.commits() {
            commits.register(registry);
        }
    }

    /// How much there is of what moves.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn census(&self) -> Result<Census> {
        Ok(self.state.census(self.now()).await?)
    }
}
