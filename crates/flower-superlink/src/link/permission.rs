//! Permission on runs. Users may read and stop their own runs, and admins all runs. Without login,
//! everybody may read and stop all runs.

use flwr_core::run::Run;

use crate::error::Error;

/// The caller of the Control API.
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
    /// If the run belongs to another account, or to none (a run from before login was configured).
    pub fn may_touch(&self, run: &Run) -> Result<(), Error> {
        match self {
            Self::Anybody | Self::Account { admin: true, .. } => Ok(()),
            Self::Account { .. } if run.account.is_empty() => Err(Error::RunOfNobody),
            Self::Account { id, .. } if *id == run.account => Ok(()),
            Self::Account { .. } => Err(Error::RunOfAnother),
        }
    }
}

#[cfg(test)]
mod tests {
    use flwr_core::id::RunId;
    use flwr_core::run::{Phase, RunStatus};
    use flwr_core::time::Timestamp;
    use tonic::{Code, Status};

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

    fn refused(principal: &Principal, account: &str) -> Option<String> {
        let status = Status::from(principal.may_touch(&run(account)).err()?);
        assert_eq!(status.code(), Code::PermissionDenied);
        Some(status.message().to_owned())
    }

    #[test]
    fn a_run_is_its_owners_and_the_admins() {
        let account = |id: &str, admin| Principal::Account {
            id: id.to_owned(),
            admin,
        };
        let (alice, admin) = (account("alice-1", false), account("root-1", true));
        assert_eq!(refused(&alice, "alice-1"), None);
        assert_eq!(
            refused(&alice, "bob-1").as_deref(),
            Some("⛔️ Run ID does not belong to the user")
        );
        assert_eq!(
            refused(&alice, "").as_deref(),
            Some(
                "⛔️ User authentication is enabled, but the run is not associated with a `flwr_aid`."
            )
        );
        for owner in ["alice-1", "bob-1", "root-1", ""] {
            assert_eq!(refused(&admin, owner), None, "{owner}");
            assert_eq!(refused(&Principal::Anybody, owner), None, "{owner}");
        }
    }
}
