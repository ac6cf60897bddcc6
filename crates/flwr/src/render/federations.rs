//! Prints the list of federations, and the details of one federation.

use serde_json::{Value, json};

use super::printable;
use super::table::{Row, Table};
use super::{Colour, Output};
use crate::cli::Format;
use crate::error::Result;
use crate::resolved::ResolvedFederation;

/// One federation, every field in the words it is shown with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FederationRow {
    pub(crate) name: String,
    address: Option<String>,
    trust: String,
    source: String,
    is_default: bool,
}

impl FederationRow {
    /// One that is described.
    pub(crate) fn new(chosen: &ResolvedFederation, is_default: bool) -> Self {
        let federation = &chosen.federation;
        Self {
            name: federation.name.clone(),
            address: federation.address.as_ref().map(ToString::to_string),
            trust: trust(chosen),
            source: chosen.source.clone(),
            is_default,
        }
    }

    /// One of which no more is known than this.
    pub(crate) fn other(name: &str, trust: &str, source: &str, is_default: bool) -> Self {
        Self {
            name: name.to_owned(),
            address: None,
            trust: trust.to_owned(),
            source: source.to_owned(),
            is_default,
        }
    }
}

/// How its SuperLink is known.
fn trust(chosen: &ResolvedFederation) -> String {
    let federation = &chosen.federation;
    if federation.address.is_none() {
        return "simulation".to_owned();
    }
    if federation.insecure {
        return "plaintext".to_owned();
    }
    let roots = federation.root_certificates.as_deref();
    let client = match federation.identity {
        Some(_) => ", client certificate",
        None => "",
    };
    format!("TLS, {}{client}", roots.unwrap_or("the system's roots"))
}

fn table(rows: &[FederationRow]) -> Table {
    let row = |row: &FederationRow| {
        let cells = [
            row.name.as_str(),
            row.address.as_deref().unwrap_or("-"),
            &row.trust,
            &row.source,
            if row.is_default { "yes" } else { "" },
        ];
        Row {
            cells: cells.into_iter().map(printable).collect(),
            short: None,
            colour: Colour::Green,
        }
    };
    Table {
        headers: vec!["Name", "Address", "Trust", "From", "Default"],
        rows: rows.iter().map(row).collect(),
        coloured: 4,
        spare: &[3],
    }
}

fn list_json(rows: &[FederationRow]) -> Value {
    let federation = |row: &FederationRow| {
        json!({
            "name": row.name,
            "address": row.address,
            "trust": row.trust,
            "from": row.source,
            "default": row.is_default,
        })
    };
    let rows: Vec<_> = rows.iter().map(federation).collect();
    // Releases from 1.26 on call connections what were federations before.
    json!({"success": true, "federations": rows, "connections": rows})
}

impl Output {
    /// The list of federations, in the format that was asked for.
    pub(crate) fn federations(&mut self, rows: &[FederationRow]) -> Result<()> {
        self.list(&table(rows), || list_json(rows))
    }

    /// One federation, and why it is the one.
    pub(crate) fn federation(&mut self, chosen: &ResolvedFederation) -> Result<()> {
        let row = FederationRow::new(chosen, false);
        if self.format == Format::Json {
            return self.json(&json!({
                "success": true,
                "name": row.name,
                "address": row.address,
                "trust": row.trust,
                "from": row.source,
                "why": chosen.why,
            }));
        }
        self.facts(&[
            ("Federation", row.name),
            ("Address", row.address.unwrap_or_else(|| "-".to_owned())),
            ("Trust", row.trust),
            ("From", row.source),
            ("Used because", chosen.why.clone()),
        ])
    }

    /// Which federation is used and why, where that was asked for.
    pub(crate) fn using(&mut self, chosen: &ResolvedFederation) {
        let row = FederationRow::new(chosen, false);
        let address = row.address.as_deref().unwrap_or("no address");
        self.detail(&format!(
            "federation `{}` ({address}; {}) from {}: {}",
            row.name, row.trust, row.source, chosen.why
        ));
    }

    /// Names and what is to be said of each.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) -> Result<()> {
        let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, fact) in facts {
            self.say(&format!("{name:<width$}  {}", printable(fact)))?;
        }
        Ok(())
    }
}
