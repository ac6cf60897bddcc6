//! Questions about a run.

use std::time::Duration;

use bytes::Bytes;
use flwr_core::id::{NodeId, RunId};
use flwr_core::port::Fleet as _;
use flwr_core::refusal::{Failure, Refusal};
use flwr_core::run::AppRun;
use tokio::time::sleep;
use tracing::info;

use super::{NoAnswer, Patience, Upstream, Verdict};

/// How often a run is asked about while its ClientApp works.
const WATCH_PERIOD: Duration = Duration::from_secs(2);

impl Upstream {
    /// The run, as the SuperLink knows it. A run that it does not know is over.
    pub(crate) async fn run(&self, node: NodeId, run: RunId) -> Result<AppRun, NoAnswer> {
        let asked = self.call(
            node,
            Patience::Few,
            |fleet| async move { fleet.run(run).await },
        );
        asked.await.map_err(|no_answer| match no_answer {
            NoAnswer::Unusable(Refusal::UnknownRun(_)) => {
                NoAnswer::RunOver(format!("run {run} is not known to the SuperLink"))
            }
            other => other,
        })
    }

    /// The bundle of the run's app, unchecked; `None` if the SuperLink has none.
    pub(crate) async fn fab(&self, node: NodeId, run: &AppRun) -> Result<Option<Bytes>, NoAnswer> {
        let asked = self.call(node, Patience::Few, |fleet| async move {
            fleet.fab(Some(run.id), &run.fab_hash).await
        });
        let fab = match asked.await {
            Ok(fab) => Some(fab),
            Err(NoAnswer::Unusable(Refusal::UnknownFab(_))) => None,
            Err(no_answer) => return Err(no_answer),
        };
        info!(
            fab_id = run.fab_id,
            fab_version = run.fab_version,
            "fetched the run's app"
        );
        Ok(fab)
    }

    /// Asks about the run now and then, until it is over, this node is another, or the SuperLink
    /// is given up. An answer that says nothing about the run changes nothing.
    pub(crate) async fn watch_run(&self, node: NodeId, run: RunId) -> NoAnswer {
        loop {
            sleep(WATCH_PERIOD).await;
            match self.run(node, run).await {
                Ok(_) | Err(NoAnswer::Refused(_) | NoAnswer::Unusable(_)) => {}
                Err(no_answer) => return no_answer,
            }
        }
    }

    /// Asks once whether the run is over. No answer: not that anybody knows.
    pub(crate) async fn is_over(&self, node: NodeId, run: RunId) -> bool {
        let session = self.registration.peek();
        let Some(session) = session.filter(|session| session.node == node) else {
            return false;
        };
        match session.fleet.run(run).await {
            Ok(_) => false,
            Err(Failure::Refused(refusal)) => matches!(refusal, Refusal::UnknownRun(_)),
            Err(failure) => self.judge(&failure) == Verdict::RunOver,
        }
    }
}
