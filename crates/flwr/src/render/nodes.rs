//! The list of SuperNodes.

use flwr_core::port::control::{NodeInfo, NodeStatus};
use flwr_security::key::spki_to_pem;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Colour;
use super::printable;
use super::table::{Row, Table};

const NONE: &str = "N/A";

/// One SuperNode, every field in the words it is shown with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeRow {
    node_id: u64,
    status: NodeStatus,
    /// SHA-256 of the public key's PEM text, which names it as well as the key does.
    key: String,
    certificate: Option<String>,
}

impl NodeRow {
    /// The nodes in the order in which the SuperLink tells them.
    pub(crate) fn all(nodes: &[NodeInfo]) -> Vec<Self> {
        nodes.iter().map(Self::new).collect()
    }

    fn new(node: &NodeInfo) -> Self {
        Self {
            node_id: node.id.0,
            status: node.status,
            key: hex::encode(Sha256::digest(spki_to_pem(&node.key))),
            certificate: node.certificate.clone(),
        }
    }

    fn colour(&self) -> Colour {
        match self.status {
            NodeStatus::Online => Colour::Green,
            _ => Colour::Yellow,
        }
    }
}

pub(super) fn json(rows: &[NodeRow]) -> Value {
    let node = |row: &NodeRow| {
        json!({
            "node-id": row.node_id.to_string(),
            "status": row.status.name(),
            "public-key-sha256": row.key,
            "certificate": row.certificate,
        })
    };
    json!({"success": true, "nodes": rows.iter().map(node).collect::<Vec<_>>()})
}

pub(super) fn table(rows: &[NodeRow]) -> Table {
    let row = |node: &NodeRow| {
        let cells = [
            node.node_id.to_string(),
            node.status.to_string(),
            node.key.chars().take(16).collect(),
            node.certificate.clone().unwrap_or_else(|| NONE.to_owned()),
        ];
        Row {
            cells: cells.iter().map(|cell| printable(cell)).collect(),
            short: None,
            colour: node.colour(),
        }
    };
    Table {
        headers: vec!["Node ID", "Status", "Public Key", "Certificate"],
        rows: rows.iter().map(row).collect(),
        coloured: 1,
        spare: &[],
    }
}
