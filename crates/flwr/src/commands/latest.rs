//! `latest`: the user's newest run that is not finished.

use flwr_proto::Run;

use crate::connect::SuperLink;
use crate::error::{Error, Result};
use crate::render::{printable, status_words};

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
    pub(super) async fn find(superlink: &mut SuperLink) -> Result<Self> {
        let runs = superlink.list_runs(None).await?.run_dict;
        let account = superlink.account_id();
        Self::among(runs.values(), account.as_deref())
    }

    /// For an account, only its own runs count: admins also see the runs of others.
    fn among<'a>(runs: impl Iterator<Item = &'a Run>, account: Option<&str>) -> Result<Self> {
        let mut own: Vec<_> = runs
            .filter(|run| account.is_none_or(|account| run.flwr_aid == account))
            .collect();
        // ISO 8601 in UTC sorts as text.
        own.sort_by(|a, b| a.pending_at.cmp(&b.pending_at));
        let is_unfinished = |run: &&&Run| !status_words(run).0.starts_with("finished");
        let Some(run) = own.iter().rev().find(is_unfinished) else {
            return Err(Error::NoneUnfinished {
                newest: own.last().map(|run| run.run_id),
            });
        };
        Ok(Self {
            run_id: run.run_id,
            app: printable(&run.fab_id),
            status: printable(&status_words(run).0),
            is_callers: account.is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use flwr_proto::RunStatus;

    use super::*;

    fn run(run_id: u64, pending_at: &str, account: &str, status: &str) -> Run {
        Run {
            run_id,
            fab_id: "pub/digits".into(),
            pending_at: format!("2026-11-20T{pending_at}:00.000000+00:00"),
            flwr_aid: account.into(),
            status: Some(RunStatus {
                status: status.into(),
                ..RunStatus::default()
            }),
            ..Run::default()
        }
    }

    fn runs() -> [Run; 5] {
        [
            run(9, "09:00", "alice", "running"),
            run(1, "10:00", "alice", "pending"),
            run(7, "11:00", "alice", "finished"),
            run(5, "12:00", "bob", "starting"),
            run(3, "13:00", "carol", "finished"),
        ]
    }

    #[test]
    fn the_newest_unfinished_run_is_the_callers_own() {
        let runs = runs();
        let alices = Newest::among(runs.iter(), Some("alice")).unwrap();
        assert_eq!((alices.run_id, alices.is_callers), (1, true));
        let anybodys = Newest::among(runs.iter(), None).unwrap();
        assert_eq!((anybodys.run_id, anybodys.is_callers), (5, false));
        assert_eq!(anybodys.app, "pub/digits");
        assert_eq!(anybodys.status, "starting");
    }

    #[test]
    fn where_all_are_finished_the_newest_is_told() {
        let runs = runs();
        let error = Newest::among(runs.iter(), Some("carol")).unwrap_err();
        assert!(matches!(error, Error::NoneUnfinished { newest: Some(3) }));
        assert!(error.hint().unwrap().contains("`flwr log 3`"));
        let error = Newest::among(runs.iter(), Some("dave")).unwrap_err();
        assert!(matches!(error, Error::NoneUnfinished { newest: None }));
        assert!(error.hint().unwrap().contains("flwr run"));
    }
}
