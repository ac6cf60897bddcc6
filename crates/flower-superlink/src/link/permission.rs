//! Permission on runs. Users may read and stop their own runs, and admins all runs. Without login,
//! everybody may read and stop all runs.

use flwr_core::refusal::Refusal;
use flwr_core::run::Run;

/// Somebody who asks something of Control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Nobody signs in here.
    Anybody,
    /// The holder of an account.
    Account {
        /// Its id: the `sub` of its tokens, which never changes hands. Never empty.
        id: String,
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
}
