//! Questions about a run.

use std::time::Duration;

use bytes::Bytes;
use flwr_client::refused::{Failure, Refused};
use flwr_core::config::ConfigError;
use flwr_core::id::{NodeId, RunId};
use flwr_core::run::AppRun;
use flwr_proto as proto;
use tokio::time::sleep;
use tracing::info;

use super::{Patience, Refusal, Upstream};

/// How often a run is asked about while its ClientApp works.
const WATCH_PERIOD: Duration = Duration::from_secs(2);

impl Upstream {
    /// The run, as the SuperLink knows it; `None` if it does not. A run whose configuration cannot
    /// be read is known all the same.
    pub(crate) async fn run(
        &self,
        node: NodeId,
        run: RunId,
    ) -> Result<Option<Result<AppRun, ConfigError>>, Refusal> {
        let answer = self
            .call(node, Patience::Few, |mut fleet, node| async move {
                fleet
                    .get_run(proto::GetRunRequest {
                        node: Some(node),
                        run_id: run.0,
                    })
                    .await
            })
            .await?;
        Ok(answer.run.map(AppRun::try_from))
    }

    /// The bundle of the run's app, unchecked; `None` if the SuperLink has none.
    pub(crate) async fn fab(&self, node: NodeId, run: &AppRun) -> Result<Option<Bytes>, Refusal> {
        let fetched = self
            .call(node, Patience::Few, |mut fleet, node| {
                let request = proto::GetFabRequest {
                    node: Some(node),
                    hash_str: run.fab_hash.clone(),
                    run_id: run.id.0,
                };
                async move { fleet.get_fab(request).await }
            })
            .await?;
        info!(
            fab_id = run.fab_id,
            fab_version = run.fab_version,
            "fetched the run's app"
        );
        Ok(fetched.fab.map(|fab| fab.content))
    }

    /// Asks about the run now and then, until it is over, this node is another, or the SuperLink
    /// is given up. An answer that says nothing about the run changes nothing.
    pub(crate) async fn watch_run(&self, node: NodeId, run: RunId) -> Refusal {
        loop {
            sleep(WATCH_PERIOD).await;
            match self.run(node, run).await {
                Ok(Some(_)) | Err(Refusal::Refused(_)) => {}
                Ok(None) => {
                    return Refusal::RunOver(format!("run {run} is not known to the SuperLink"));
                }
                Err(refusal) => return refusal,
            }
        }
    }

    /// Asks once whether the run is over. No answer: not that anybody knows.
    pub(crate) async fn is_over(&self, node: NodeId, run: RunId) -> bool {
        let request = proto::GetRunRequest {
            node: Some(proto::Node { node_id: node.0 }),
            run_id: run.0,
        };
        match self.fleet.clone().get_run(request).await {
            Ok(answer) => answer.into_inner().run.is_none(),
            Err(status) => self.judge(&status) == Failure::Refused(Refused::Forbidden),
        }
    }
}
