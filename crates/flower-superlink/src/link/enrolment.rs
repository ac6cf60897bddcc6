//! Registration of nodes by people. A registered node comes in by its key, whenever it starts, and
//! belongs to the account that registered it.

use std::sync::Arc;

use flwr_core::id::NodeId;
use flwr_core::refusal::Refusal;
use flwr_security::key::PublicKey;
use flwr_security::tls::Certificate;
use tracing::info;

use super::Link;
use super::commit::Stores;
use super::permission::Principal;
use super::state::{Enrolment, KnownNode};
use crate::error::Result;

/// What people say of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Label {
    /// What they call it.
    pub name: Option<String>,
    /// Where it is: degrees of latitude and longitude.
    pub location: Option<String>,
}

impl Link {
    /// Registers a node by its key. The node belongs to the principal, and is not online by that. A key
    /// whose node was unregistered gets a node with another id.
    ///
    /// # Errors
    /// If the key is of a node already.
    pub async fn enroll(
        &self,
        key: &PublicKey,
        principal: &Principal,
        label: Label,
    ) -> Result<NodeId> {
        let (fresh, now) = (super::nodes::random_node()?, self.now());
        let Label { name, location } = label;
        let enrolment = Enrolment {
            key: key.clone(),
            owner: principal.account().to_owned(),
            name: name.clone(),
            location: location.clone(),
        };
        let enrolled = self.commit(move |Stores { state, .. }| async move {
            state.enroll_node(&enrolment, fresh, now).await
        });
        let node = enrolled.await?;
        let (key, account) = (key.fingerprint(), principal.account());
        info!(node_id = %node, %key, account, name, location, "SuperNode registered by `flwr supernode register`");
        Ok(node)
    }

    /// Unregisters a node at once, and for ever. The calls that are held for the node end.
    ///
    /// # Errors
    /// If there is no such node, or it is not the principal's.
    pub async fn dismiss(&self, node: NodeId, principal: &Principal) -> Result<()> {
        let known = self.state.node(node).await?;
        let known = known.filter(|known| known.unregistered_at.is_none());
        let known = known.ok_or(Refusal::NodeNotFound(node))?;
        principal.may_dismiss(&known)?;
        self.connections.leave(node);
        let now = self.now();
        let gone = self
            .commit(move |Stores { state, .. }| async move { state.dismiss_node(node, now).await });
        gone.await?;
        let (key, account) = (known.key.fingerprint(), principal.account());
        info!(node_id = %node, %key, account, "SuperNode unregistered by `flwr supernode unregister`");
        Ok(())
    }

    /// All nodes, those that were unregistered and are not forgotten among them, in the order of their
    /// ids.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn all_nodes(&self) -> Result<Vec<KnownNode>> {
        Ok(self.state.nodes().await?)
    }

    /// The certificate by which a node was last seen since the SuperLink started.
    #[must_use]
    pub fn certificate_of(&self, node: NodeId) -> Option<Arc<Certificate>> {
        self.connections.certificate(node)
    }
}
