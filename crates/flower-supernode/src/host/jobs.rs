//! Those who start ClientApps in the SuperNode's place.

use std::sync::Arc;

use flwr_core::id::RunId;
use flwr_core::port::{Jobs, Result};
use flwr_core::refusal::{Failure, Refusal};
use flwr_core::run::KnownRun;

use crate::error::Error;
use crate::work::Desk;

/// A session of a caller that may start ClientApps. Only [`Host`](super::Host) makes sessions.
#[derive(Debug)]
pub(crate) struct JobsSession {
    pub(super) desk: Arc<Desk>,
}

impl Jobs for JobsSession {
    async fn waiting(&self) -> Result<Vec<RunId>> {
        Ok(self.desk.waiting())
    }

    async fn claim(&self, run: RunId) -> Result<Option<String>> {
        let failed = |error: Error| Failure::TryAgain(error.to_string());
        let token = self.desk.claim(run).map_err(failed)?;
        Ok(token.map(|token| token.as_str().to_owned()))
    }

    async fn run(&self, run: RunId) -> Result<Option<KnownRun>> {
        let job = self.desk.job_of(run).ok_or(Refusal::NotInWork(run))?;
        Ok(Some(job.inbox.inputs.run.clone().into()))
    }
}
