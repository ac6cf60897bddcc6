//! Features of Flower that a program may have or not.

use std::fmt;

use super::FEDERATION;

/// What a SuperLink may offer or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// People sign in.
    Accounts,
    /// Files that a run leaves behind.
    Artifacts,
    /// Federations are made, and have members.
    Federations,
    /// Runs without SuperNodes.
    Simulations,
    /// Runs that belong together.
    RunSeries,
    /// What happens in a run, beside its log.
    RunEvents,
    /// Runs that start by themselves.
    Automations,
    /// Accounts at other services, for apps.
    Connectors,
    /// Apps that are kept for later runs.
    Apps,
    /// Tasks of agents, models and connectors.
    Agents,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accounts => "accounts",
            Self::Artifacts => "artifacts",
            Self::Federations => {
                return write!(
                    f,
                    "federations beside {FEDERATION}, their members and invitations"
                );
            }
            Self::Simulations => "simulations",
            Self::RunSeries => "series of runs",
            Self::RunEvents => "events of runs",
            Self::Automations => "automations",
            Self::Connectors => "connectors",
            Self::Apps => "apps stored at the SuperLink",
            Self::Agents => "tasks of agents",
        })
    }
}
