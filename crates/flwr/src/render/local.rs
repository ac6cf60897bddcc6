//! Prints the status of the local federation, and the output of its daemons.

use flwr_core::port::control::Usage;
use flwr_core::size::Size;
use serde_json::{Value, json};

use super::{Colour, LogFilter, Output, pretty};
use crate::cli::Format;
use crate::error::Result;
use crate::local_federation::LocalFederation;

/// The local federation.
#[derive(Debug)]
pub(crate) enum LocalStatus {
    Down,
    Up {
        description: LocalFederation,
        /// SuperNodes that are online.
        online: usize,
        /// What takes the space of the SuperLink, if it has told.
        usage: Option<Box<Usage>>,
    },
}

impl Output {
    /// That the local federation is up, and what to do with it.
    pub(crate) fn up(&mut self, description: &LocalFederation) -> Result<()> {
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
                usage,
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
                "space": usage.as_deref().map(space),
            }),
        };
        if self.format == Format::Json {
            self.answered = true;
            return self.put(&pretty(&json));
        }
        let LocalStatus::Up {
            description,
            online,
            usage,
        } = status
        else {
            return self.say("The local federation is not up. `flwr up --detach` starts it.");
        };
        let log = match &description.log {
            Some(log) => log.display().to_string(),
            None => "on the terminal of `flwr up`".to_owned(),
        };
        let mut facts = vec![
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
        ];
        if let Some(usage) = usage {
            facts.extend(kept(usage));
        }
        self.facts(&facts)
    }

    /// A line of a daemon of the local federation.
    pub(crate) fn member(&mut self, name: &str, text: &str) -> Result<()> {
        let prefix = super::paint(&format!("{name:<11} |"), member_colour(name), self.colours);
        let mut filter = LogFilter::new(self.colours);
        let text = filter.next(text.as_bytes());
        self.put(&format!("{prefix} {text}{}\n", filter.reset()))
    }
}

/// What takes the space, in bytes.
fn space(usage: &Usage) -> Value {
    json!({
        "runs": usage.runs,
        "finished-runs": usage.finished_runs,
        "run-bytes": usage.run_bytes,
        "log-bytes": usage.log_bytes,
        "object-bytes": usage.object_bytes,
        "fab-bytes": usage.fab_bytes,
        "database-bytes": usage.database_bytes,
        "free-bytes": usage.free_bytes,
    })
}

fn kept(usage: &Usage) -> [(&'static str, String); 2] {
    [
        (
            "Runs",
            format!(
                "{}, {} of them finished; {} of logs, {} of Contexts",
                usage.runs,
                usage.finished_runs,
                Size(usage.log_bytes),
                Size(usage.run_bytes)
            ),
        ),
        (
            "Space",
            format!(
                "database {} ({} free), objects {}, FABs {}",
                Size(usage.database_bytes),
                Size(usage.free_bytes),
                Size(usage.object_bytes),
                Size(usage.fab_bytes)
            ),
        ),
    ]
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
