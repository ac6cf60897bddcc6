//! A node's session with this SuperLink.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{MessageId, Parcel};
use flwr_core::object::{ObjectId, Pulled};
use flwr_core::port::{Fleet, Result};
use flwr_core::refusal::Refusal;
use flwr_core::run::Run;
use flwr_security::key::{PrivateKey, PublicKey};
use flwr_security::tls::Certificate;

use crate::error::Error;
use crate::link::Link;

/// A node's session. Only [`Host`](super::Host) makes sessions, each from a proof.
#[derive(Debug, Clone)]
pub struct FleetSession {
    pub(super) link: Arc<Link>,
    /// None where the node has shown no key.
    pub(super) key: Option<PublicKey>,
    pub(super) node: Option<NodeId>,
    /// The certificate that the caller's connection was made with.
    pub(super) certificate: Option<Arc<Certificate>>,
}

impl FleetSession {
    fn required_node(&self) -> Result<NodeId> {
        let unknown = Refusal::OtherNode {
            caller: None,
            claimed: NodeId::UNSET,
        };
        Ok(self.node.ok_or(unknown)?)
    }
}

impl Fleet for FleetSession {
    fn node(&self) -> Option<NodeId> {
        self.node
    }

    async fn activate(&self, interval: f64) -> Result<NodeId> {
        let key = match &self.key {
            Some(key) => key.clone(),
            // Nobody has this key: the node is known by the id that it gets.
            None => PrivateKey::generate()
                .map_err(|_| Error::Random)?
                .public_key()
                .clone(),
        };
        let certificate = self.certificate.clone();
        Ok(self.link.register_node(&key, interval, certificate).await?)
    }

    async fn heartbeat(&self, interval: f64) -> Result<bool> {
        let node = self.required_node()?;
        self.link.identify_node(node, self.certificate.clone());
        Ok(self.link.node_lives(node, interval).await?)
    }

    async fn deactivate(&self) -> Result<()> {
        Ok(self.link.remove_node(self.required_node()?).await?)
    }

    async fn pull(&self, patience: Duration) -> Result<Option<Parcel>> {
        Ok(self.link.claim(self.required_node()?, patience).await?)
    }

    async fn push(&self, reply: Parcel) -> Result<Option<Vec<ObjectId>>> {
        let (caller, claimed) = (self.node, reply.message.metadata.src);
        if caller != Some(claimed) {
            return Err(Refusal::OtherNode { caller, claimed }.into());
        }
        Ok(self.link.reply(reply).await?)
    }

    async fn push_object(&self, run: RunId, id: ObjectId, content: Bytes) -> Result<bool> {
        Ok(self.link.push_object(run, id, content).await?)
    }

    async fn pull_object(&self, run: RunId, id: ObjectId) -> Result<Pulled> {
        Ok(self.link.pull_object(run, id).await?)
    }

    async fn confirm(&self, run: RunId, message: MessageId) -> Result<()> {
        Ok(self.link.confirm(run, message).await?)
    }

    async fn run(&self, run: RunId) -> Result<Run> {
        Ok(self.link.require_running(run).await?)
    }

    async fn fab(&self, run: Option<RunId>, hash: &str) -> Result<Bytes> {
        if let Some(run) = run {
            self.link.require_running(run).await?;
        }
        Ok(self.link.fab(hash).await?)
    }
}
