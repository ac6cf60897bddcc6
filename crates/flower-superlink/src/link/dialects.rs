//! Which version of Flower each node speaks.

use std::time::Duration;

use flwr_core::id::NodeId;
use tokio::time::Instant;
use tracing::info;

use super::Link;
use super::state::Dialect;
use super::wake::Topic;
use crate::error::Result;

/// The limit from a node's registration to its first heartbeat. The heartbeat shows its version.
const NODE_FIRST_HEARTBEAT: Duration = Duration::from_secs(3);

impl Link {
    /// The node gives a sign of life as those of today do.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn hear(&self, node: NodeId) -> Result<()> {
        self.heard_in(node, Dialect::Objects).await
    }

    /// The node gives a sign of life as those of flwr 1.15 to 1.18 do.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn hear_inline(&self, node: NodeId) -> Result<()> {
        self.heard_in(node, Dialect::Inline).await
    }

    /// How a node of flwr 1.8 to 1.14 wants its messages; `None` if it is none of these.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn tasks_dialect(&self, node: NodeId) -> Result<Option<Dialect>> {
        let known = self.state.dialect(node).await?;
        Ok(known.filter(|dialect| dialect.is_tasks()))
    }

    /// Notes how a node of flwr 1.8 to 1.14 wants its messages.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn speaks_tasks(&self, node: NodeId, dialect: Dialect) -> Result<()> {
        let known = self.tasks_dialect(node).await?;
        if known.is_none_or(|known| known != dialect && dialect != Dialect::Tasks) {
            info!(node_id = %node, ?dialect, "the SuperNode is of flwr 1.8 to 1.14");
            self.state.set_dialect(node, dialect).await?;
        }
        self.sessions.hear(node);
        Ok(())
    }

    /// Only the first sign of life since the node registered, or since the SuperLink started, tells
    /// anything new.
    async fn heard_in(&self, node: NodeId, dialect: Dialect) -> Result<()> {
        if self.sessions.was_heard(node) {
            return Ok(());
        }
        let known = self.state.dialect(node).await?;
        if known.unwrap_or(Dialect::Objects) != dialect {
            info!(node_id = %node, ?dialect, "the SuperNode is of another version than it was, or than ours");
            self.state.set_dialect(node, dialect).await?;
        }
        self.sessions.hear(node);
        self.wake.notify(Topic::Node(node));
        Ok(())
    }

    /// What the node speaks. One that has just registered is waited for, until it gives a sign of
    /// life or as long as that may take.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn dialect(&self, node: NodeId) -> Result<Dialect> {
        let listener = self.wake.listen(Topic::Node(node));
        let deadline = Instant::now() + NODE_FIRST_HEARTBEAT;
        loop {
            let changed = listener.next();
            if !self.sessions.is_unheard(node) || self.wait(changed, deadline).await.is_none() {
                let known = self.state.dialect(node).await?;
                return Ok(known.unwrap_or(Dialect::Objects));
            }
        }
    }
}
