//! Federations: the list, one of them, and the local one.

use serde_json::{Value, json};

use super::table::{Row, Table, printable};
use super::{Colour, Output, pretty};
use crate::cli::Format;
use crate::error::Result;
use crate::federation::Chosen;
use crate::local::Description;

/// One federation, every field in the words it is shown with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FederationRow {
    pub(crate) name: String,
    address: Option<String>,
    trust: String,
    source: String,
    is_default: bool,
}

/// The local federation.
#[derive(Debug)]
pub(crate) enum LocalStatus {
    Down,
    Up {
        description: Description,
        /// SuperNodes that are online.
        online: usize,
    },
}

impl FederationRow {
    /// One that is described.
    pub(crate) fn new(chosen: &Chosen, is_default: bool) -> Self {
        let federation = &chosen.federation;
        Self {
            name: federation.name.clone(),
            address: federation.address.as_ref().map(ToString::to_string),
            trust: trust(chosen),
            source: chosen.source.clone(),
            is_default,
        }
    }

    /// A name for the one of `flwr up`.
    pub(crate) fn local(name: &str, source: &str, is_default: bool) -> Self {
        Self {
            name: name.to_owned(),
            address: None,
            trust: "flwr up".to_owned(),
            source: source.to_owned(),
            is_default,
        }
    }
}

/// How its SuperLink is known.
fn trust(chosen: &Chosen) -> String {
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
    json!({"success": true, "federations": rows.iter().map(federation).collect::<Vec<_>>()})
}

impl Output {
    /// The list of federations, in the format that was asked for.
    pub(crate) fn federations(&mut self, rows: &[FederationRow]) -> Result<()> {
        self.list(&table(rows), || list_json(rows))
    }

    /// One federation, and why it is the one.
    pub(crate) fn federation(&mut self, chosen: &Chosen) -> Result<()> {
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
    pub(crate) fn using(&mut self, chosen: &Chosen) {
        let row = FederationRow::new(chosen, false);
        let address = row.address.as_deref().unwrap_or("no address");
        self.detail(&format!(
            "federation `{}` ({address}; {}) from {}: {}",
            row.name, row.trust, row.source, chosen.why
        ));
    }

    /// That the local federation is up, and what to do with it.
    pub(crate) fn up(&mut self, description: &Description) -> Result<()> {
        let nodes = description.supernodes;
        self.success(&format!(
            "The local federation is up: a SuperLink at {}, {nodes} {}, TLS and SuperNode authentication.",
            description.address,
            if nodes == 1 { "SuperNode" } else { "SuperNodes" },
        ))?;
        self.say("  flwr run path/to/app --stream    runs an app on it")?;
        match &description.log {
            Some(log) => {
                self.say("  flwr status, flwr down           tell of it, and stop it")?;
                self.say(&format!("  {}", log.display()))
            }
            None => self.say("  Ctrl-C                           stops it"),
        }
    }

    /// Whether the local federation is up.
    pub(crate) fn local_status(&mut self, status: &LocalStatus) -> Result<()> {
        let json = match status {
            LocalStatus::Down => json!({"success": true, "status": "down"}),
            LocalStatus::Up {
                description,
                online,
            } => json!({
                "success": true,
                "status": "up",
                "since": description.since,
                "address": description.address,
                "fleet-address": description.fleet_address,
                "root-certificates": description.root_certificates,
                "supernodes": description.supernodes,
                "supernodes-online": online,
                "pid": description.pid,
                "log": description.log,
            }),
        };
        if self.format == Format::Json {
            self.answered = true;
            return self.put(&pretty(&json));
        }
        let LocalStatus::Up {
            description,
            online,
        } = status
        else {
            return self.say("The local federation is not up. `flwr up --detach` starts it.");
        };
        let log = match &description.log {
            Some(log) => log.display().to_string(),
            None => "on the terminal of `flwr up`".to_owned(),
        };
        self.facts(&[
            (
                "Local federation",
                format!("up since {}", description.since),
            ),
            (
                "SuperLink",
                format!(
                    "{} (Control), {} (Fleet), TLS",
                    description.address, description.fleet_address
                ),
            ),
            (
                "Root certificates",
                description.root_certificates.display().to_string(),
            ),
            (
                "SuperNodes",
                format!("{online} of {} online", description.supernodes),
            ),
            ("Process", description.pid.to_string()),
            ("Log", log),
        ])
    }

    /// A line of a daemon of the local federation.
    pub(crate) fn member(&mut self, name: &str, text: &str) -> Result<()> {
        let prefix = super::paint(&format!("{name:<11} |"), member_colour(name), self.colours);
        self.put(&format!("{prefix} {text}\n"))
    }

    /// Names and what is to be said of each.
    fn facts(&mut self, facts: &[(&str, String)]) -> Result<()> {
        let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, fact) in facts {
            self.say(&format!("{name:<width$}  {}", printable(fact)))?;
        }
        Ok(())
    }
}

/// The SuperLink's own, and those of the SuperNodes in turns.
fn member_colour(name: &str) -> Colour {
    let number = name.rsplit('-').next().and_then(|n| n.parse::<u32>().ok());
    match number.map(|n| n % 4) {
        None => Colour::Yellow,
        Some(0) => Colour::Magenta,
        Some(1) => Colour::Cyan,
        Some(2) => Colour::Blue,
        Some(_) => Colour::Green,
    }
}
