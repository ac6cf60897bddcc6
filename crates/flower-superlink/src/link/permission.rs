//! Permission on runs and nodes. Users may read and stop their own runs and unregister their own nodes,
//! and admins may all. Without login, everybody may read and stop all runs and unregister all nodes.

use flwr_core::port::control::AccountInfo;
use flwr_core::refusal::Refusal;
use flwr_core::run::Run;

use super::state::{KnownNode, KnownToken};

/// Somebody who asks something of Control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Nobody signs in here.
    Anybody,
    /// The holder of an account.
    Account {
        /// Its id: the `sub` of its tokens, which never changes hands. Never empty.
        id: String,
        /// What people call them.
        name: String,
        /// Whether the runs of others are theirs too.
        admin: bool,
    },
}

impl Principal {
    /// The account id that a new run of this caller gets; empty without login.
    #[must_use]
    pub fn account(&self) -> &str {
        match self {
            Self::Anybody => "",
            Self::Account { id, .. } => id,
        }
    }

    /// The caller, as people see accounts; without login as upstream's SuperLinks name nobody.
    #[must_use]
    pub fn shown(&self) -> AccountInfo {
        match self {
            Self::Anybody => AccountInfo {
                id: "<id:none>".to_owned(),
                name: "none".to_owned(),
            },
            Self::Account { id, name, .. } => AccountInfo {
                id: id.clone(),
                name: name.clone(),
            },
        }
    }

    /// Whether the caller decides for everybody.
    #[must_use]
    pub const fn is_admin(&self) -> bool {
        matches!(self, Self::Anybody | Self::Account { admin: true, .. })
    }

    /// Checks that the caller may unregister a node. A node that registered itself is nobody's.
    ///
    /// # Errors
    /// If it is somebody else's, or nobody's.
    pub fn may_dismiss(&self, node: &KnownNode) -> Result<(), Refusal> {
        let is_own = node.owner.as_deref() == Some(self.account());
        if self.is_admin() || is_own {
            return Ok(());
        }
        Err(Refusal::NodeNotFound(node.id))
    }

    /// Whether the caller may see and revoke a join token: users their own, and admins all.
    #[must_use]
    pub fn may_revoke(&self, token: &KnownToken) -> bool {
        self.is_admin() || token.owner == self.account()
    }

    /// Checks that the caller may read and stop a run.
    ///
    /// # Errors
    /// If it is somebody else's, or nobody's: made before people signed in.
    pub fn may_touch(&self, run: &Run) -> Result<(), Refusal> {
        match self {
            Self::Anybody | Self::Account { admin: true, .. } => Ok(()),
            Self::Account { .. } if run.account.is_empty() => Err(Refusal::RunOfNobody),
            Self::Account { id, .. } if *id == run.account => Ok(()),
            Self::Account { .. } => Err(Refusal::RunOfAnother),
        }
    }
}

#[cfg(test)]
mod tests {
    use flwr_core::id::RunId;
    use flwr_core::run::{Phase, RunStatus};
    use flwr_core::time::Timestamp;

    use super::*;

    fn run(account: &str) -> Run {
        Run {
            id: RunId(1),
            fab_id: String::new(),
            fab_version: String::new(),
            fab_hash: String::new(),
            account: account.to_owned(),
            override_config: Default::default(),
            status: RunStatus::plain(Phase::Pending),
            pending_at: Timestamp::ZERO,
            starting_at: None,
            running_at: None,
            finished_at: None,
        }
    }

    fn refused(principal: &Principal, account: &str) -> Option<Refusal> {
        principal.may_touch(&run(account)).err()
    }

    #[test]
    fn a_run_is_its_owners_and_the_admins() {
        let account = |id: &str, admin| Principal::Account {
            id: id.to_owned(),
            name: String::new(),
            admin,
        };
        let (alice, admin) = (account("alice-1", false), account("root-1", true));
        assert_eq!(refused(&alice, "alice-1"), None);
        assert_eq!(refused(&alice, "bob-1"), Some(Refusal::RunOfAnother));
        assert_eq!(refused(&alice, ""), Some(Refusal::RunOfNobody));
        for owner in ["alice-1", "bob-1", "root-1", ""] {
            assert_eq!(refused(&admin, owner), None, "{owner}");
            assert_eq!(refused(&Principal::Anybody, owner), None, "{owner}");
        }
    }

    #[test]
    fn a_node_is_its_owners_and_the_admins() {
        let account = |id: &str, admin| Principal::Account {
            id: id.to_owned(),
            name: String::new(),
            admin,
        };
        let key = flwr_security::key::PrivateKey::generate().unwrap();
        let node = |owner: Option<&str>| {
            let (id, key) = (flwr_core::id::NodeId(5), key.public_key().clone());
            KnownNode {
                owner: owner.map(str::to_owned),
                ..KnownNode::registered(id, key, Timestamp::ZERO)
            }
        };
        let (alice, admin) = (account("alice-1", false), account("root-1", true));
        for owner in [None, Some(""), Some("alice-1"), Some("bob-1")] {
            let node = node(owner);
            assert_eq!(Principal::Anybody.may_dismiss(&node), Ok(()), "{owner:?}");
            assert_eq!(admin.may_dismiss(&node), Ok(()), "{owner:?}");
            let is_own = owner == Some("alice-1");
            assert_eq!(alice.may_dismiss(&node).is_ok(), is_own, "{owner:?}");
        }
    }
}
