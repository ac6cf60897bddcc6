//! Accounts, and the federations that they are in.

use super::{NodeInfo, Runs};

/// An account, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountInfo {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A federation: people, nodes and runs that belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Federation {
    /// Its id: `@account/name`.
    pub id: String,
    /// What it is for.
    pub description: String,
    /// Whether it is closed for new runs.
    pub archived: bool,
    /// Whether its runs are simulations.
    pub simulation: bool,
}

/// Somebody in a federation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    /// Who it is.
    pub account: AccountInfo,
    /// `owner` or `member`. Empty: the SuperLink does not say.
    pub role: String,
}

/// A federation, with all that is in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WholeFederation {
    /// The federation itself.
    pub federation: Federation,
    /// The people.
    pub members: Vec<Member>,
    /// The nodes, in the order of their ids.
    pub nodes: Vec<NodeInfo>,
    /// The runs that the caller may look at, oldest first, and the SuperLink's time.
    pub runs: Runs,
}
