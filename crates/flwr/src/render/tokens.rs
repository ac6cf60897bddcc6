//! The list of join tokens.

use flwr_core::port::joining::JoinTokenInfo;
use flwr_core::time::Timestamp;
use serde_json::{Value, json};

use super::Output;
use super::runs::moment;
use super::table::{Row, Table};
use super::{Colour, printable};
use crate::error::Result;

/// One join token, every field in the words it is shown with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TokenRow {
    token: JoinTokenInfo,
    status: &'static str,
}

impl TokenRow {
    /// A token, as it stands at this time of the SuperLink's.
    pub(crate) fn new(token: &JoinTokenInfo, now: Timestamp) -> Self {
        let status = if token.revoked_at.is_some() {
            "revoked"
        } else if token.uses_left == 0 {
            "used up"
        } else if token.expires_at <= now {
            "expired"
        } else {
            "open"
        };
        Self {
            token: token.clone(),
            status,
        }
    }

    pub(crate) fn json(&self) -> Value {
        let token = &self.token;
        json!({
            "token-id": token.id,
            "owner-aid": token.owner,
            "name": token.name,
            "address": token.address,
            "status": self.status,
            "created-at": moment(Some(token.issued_at)),
            "expires-at": moment(Some(token.expires_at)),
            "revoked-at": token.revoked_at.map(|at| moment(Some(at))),
            "uses": token.uses,
            "uses-left": token.uses_left,
            "node-ids": token.nodes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

impl Output {
    /// The list of join tokens, in the format that was asked for.
    pub(crate) fn join_tokens(&mut self, rows: &[TokenRow]) -> Result<()> {
        let all = || rows.iter().map(TokenRow::json).collect::<Vec<_>>();
        self.list(&table(rows), || json!({"success": true, "tokens": all()}))
    }
}

fn table(rows: &[TokenRow]) -> Table {
    let row = |row: &TokenRow| {
        let token = &row.token;
        let nodes: Vec<_> = token.nodes.iter().map(ToString::to_string).collect();
        let or_none = |text: &str| match text {
            "" => "N/A".to_owned(),
            text => text.to_owned(),
        };
        let cells = [
            token.id.clone(),
            or_none(token.name.as_deref().unwrap_or_default()),
            row.status.to_owned(),
            format!("{} of {}", token.uses_left, token.uses),
            moment(Some(token.expires_at)),
            token.address.clone(),
            or_none(&nodes.join(" ")),
        ];
        Row {
            cells: cells.iter().map(|cell| printable(cell)).collect(),
            short: None,
            colour: match row.status {
                "open" => Colour::Green,
                "revoked" => Colour::Red,
                _ => Colour::Yellow,
            },
        }
    };
    Table {
        headers: vec![
            "Token ID",
            "Name",
            "Status",
            "Uses Left",
            "Expires At",
            "Address",
            "Node IDs",
        ],
        rows: rows.iter().map(row).collect(),
        coloured: 2,
        spare: &[1, 5, 4],
    }
}
