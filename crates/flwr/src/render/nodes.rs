//! The list of SuperNodes.

use flwr_core::port::control::{NodeInfo, NodeStatus, Nodes};
use flwr_core::time::Timestamp;
use flwr_security::key::{PublicKey, spki_to_pem};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Colour;
use super::printable;
use super::runs::moment;
use super::table::{Row, Table};

const NONE: &str = "N/A";

/// One SuperNode, every field in the words it is shown with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NodeRow {
    node: NodeInfo,
    /// SHA-256 of the public key's PEM text.
    hash: String,
    /// The public key as logs and `ssh-keygen -l` name it. `None`: it is no key that they know.
    fingerprint: Option<String>,
    /// Seconds since it came online, by the SuperLink's clock.
    online: f64,
}

impl NodeRow {
    /// The nodes in the order in which the SuperLink tells them.
    pub(crate) fn all(nodes: &Nodes) -> Vec<Self> {
        let rows = nodes.nodes.iter().map(|node| Self::new(node, nodes.now));
        rows.collect()
    }

    /// Nodes of which the time does not matter.
    pub(super) fn each(nodes: &[NodeInfo]) -> Vec<Self> {
        nodes.iter().map(|node| Self::new(node, None)).collect()
    }

    fn new(node: &NodeInfo, now: Option<Timestamp>) -> Self {
        let online = match (now, node.activated_at) {
            (Some(now), Some(at)) => now.since(at).max(0.0),
            _ => 0.0,
        };
        Self {
            node: node.clone(),
            hash: hex::encode(Sha256::digest(spki_to_pem(&node.key))),
            fingerprint: PublicKey::from_spki(&node.key)
                .map(|key| key.fingerprint())
                .ok(),
            online,
        }
    }

    /// Whether it was unregistered.
    pub(crate) fn is_gone(&self) -> bool {
        self.node.status == NodeStatus::Unregistered
    }

    /// Since when it stands so.
    fn since(&self) -> Option<Timestamp> {
        match self.node.status {
            NodeStatus::Registered => self.node.registered_at,
            NodeStatus::Online => self.node.activated_at,
            NodeStatus::Offline => self.node.deactivated_at,
            NodeStatus::Unregistered => self.node.unregistered_at,
        }
    }

    fn colour(&self) -> Colour {
        match self.node.status {
            NodeStatus::Online => Colour::Green,
            NodeStatus::Unregistered => Colour::Red,
            _ => Colour::Yellow,
        }
    }

    /// What a list of a federation's nodes has of it.
    pub(super) fn brief(&self) -> Value {
        json!({
            "node_id": self.node.id.to_string(),
            "owner": self.node.owner.name,
            "status": self.node.status.name(),
        })
    }
}

pub(super) fn json(rows: &[NodeRow]) -> Value {
    let node = |row: &NodeRow| {
        let node = &row.node;
        json!({
            "node-id": node.id.to_string(),
            "owner-aid": node.owner.id,
            "owner-name": node.owner.name,
            "status": node.status.name(),
            "created-at": moment(node.registered_at),
            "online-at": moment(node.activated_at),
            "online-elapsed": row.online,
            "offline-at": moment(node.deactivated_at),
            "deleted-at": moment(node.unregistered_at),
            "name": node.name,
            "location": node.location,
            "public-key-sha256": row.hash,
            "public-key-fingerprint": row.fingerprint,
            "certificate": node.certificate,
        })
    };
    json!({"success": true, "nodes": rows.iter().map(node).collect::<Vec<_>>()})
}

/// Nodes that were unregistered are there for those who ask for details.
pub(super) fn table(rows: &[NodeRow], verbose: bool) -> Table {
    let row = |row: &NodeRow| {
        let node = &row.node;
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| NONE.to_owned());
        let owner = match node.owner.name.as_str() {
            "" => NONE.to_owned(),
            name => name.to_owned(),
        };
        let cells = [
            node.id.to_string(),
            or_none(&node.name),
            owner,
            node.status.to_string(),
            moment(row.since()),
            or_none(&row.fingerprint),
            or_none(&node.certificate),
        ];
        Row {
            cells: cells.iter().map(|cell| printable(cell)).collect(),
            short: None,
            colour: row.colour(),
        }
    };
    let shown = rows.iter().filter(|row| verbose || !row.is_gone());
    Table {
        headers: vec![
            "Node ID",
            "Name",
            "Owner",
            "Status",
            "Since",
            "Public Key",
            "Certificate",
        ],
        rows: shown.map(row).collect(),
        coloured: 3,
        spare: &[1, 2, 4],
    }
}
