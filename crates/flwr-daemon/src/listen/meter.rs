//! Counts connections: those that are open, by the service of their port, and those that were refused
//! before their first request.

use flwr_metrics::{Entered, Levels, Registry, Tally};

use super::greet::Refused;

/// Counts connections. Clones share their values.
#[derive(Clone, Debug)]
pub struct Meter {
    open: Levels,
    refused: Tally,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            open: Levels::new("service"),
            refused: Tally::new("kind", &Refused::KINDS),
        }
    }
}

impl Meter {
    /// A connection to this service, for as long as the guard lives.
    pub(super) fn enter(&self, service: &'static str) -> Entered {
        self.open.enter(service)
    }

    /// A connection was refused.
    pub(super) fn refused(&self, refused: &Refused) {
        self.refused.count(refused.kind());
    }

    /// Names what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Connections that are open, by the service of their port";
        self.open.register(registry, "flwr_connections", help);
        let help = "Connections that were refused before their first request";
        let name = "flwr_connection_refusals";
        self.refused.register(registry, name, help);
    }
}
