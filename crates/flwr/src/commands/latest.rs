//! `latest`: the user's newest run that is not finished.

use flwr_client::line::Line;
use flwr_core::port::Control as _;
use flwr_core::run::Run;

use crate::connect::SuperLink;
use crate::error::{Error, Result};
use crate::render::printable;

/// The run behind `latest`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) run_id: u64,
    /// The app of the run, for the user to recognise.
    pub(super) app: String,
    pub(super) status: String,
    /// Whether the run belongs to the user's account. Without login, runs belong to nobody.
    pub(super) is_callers: bool,
}

impl Newest {
    /// Asks the SuperLink.
    pub(super) async fn find(superlink: &SuperLink<impl Line>) -> Result<Self> {
        let runs = superlink.control.runs(None).await?.runs;
        let account = superlink.account_id();
        Self::among(&runs, account.as_deref())
    }

    /// For an account, only its own runs count: admins also see the runs of others. `runs` are
    /// oldest first.
    fn among(runs: &[Run], account: Option<&str>) -> Result<Self> {
        let is_own = |run: &&Run| account.is_none_or(|account| run.account == account);
        let mut own = runs.iter().rev().filter(is_own).peekable();
        let newest = own.peek().map(|run| run.id.0);
        let Some(run) = own.find(|run| !run.status.phase.is_finished()) else {
            return Err(Error::NoneUnfinished { newest });
        };
        Ok(Self {
            run_id: run.id.0,
            app: printable(&run.fab_id),
            status: run.status.phase.to_string(),
            is_callers: account.is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::run;

    fn runs() -> [Run; 5] {
        [
            (9, "09:00", "alice", "running"),
            (1, "10:00", "alice", "pending"),
            (7, "11:00", "alice", "finished:completed"),
            (5, "12:00", "bob", "starting"),
            (3, "13:00", "carol", "finished:failed"),
        ]
        .map(|(id, at, account, status)| Run {
            account: account.to_owned(),
            ..run(id, [&format!("2026-11-20T{at}:00+00:00"), "", ""], status)
        })
    }

    #[test]
    fn the_newest_unfinished_run_is_the_callers_own() {
        let runs = runs();
        let alices = Newest::among(&runs, Some("alice")).unwrap();
        assert_eq!((alices.run_id, alices.is_callers), (1, true));
        let anybodys = Newest::among(&runs, None).unwrap();
        assert_eq!((anybodys.run_id, anybodys.is_callers), (5, false));
        assert_eq!(anybodys.app, "pub/digits");
        assert_eq!(anybodys.status, "starting");
    }

    #[test]
    fn where_all_are_finished_the_newest_is_told() {
        let runs = runs();
        let error = Newest::among(&runs, Some("carol")).unwrap_err();
        assert!(matches!(error, Error::NoneUnfinished { newest: Some(3) }));
        assert!(error.hint().unwrap().contains("`flwr log 3`"));
        let error = Newest::among(&runs, Some("dave")).unwrap_err();
        assert!(matches!(error, Error::NoneUnfinished { newest: None }));
        assert!(error.hint().unwrap().contains("flwr run"));
    }
}
