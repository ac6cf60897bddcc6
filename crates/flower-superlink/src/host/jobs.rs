//! Those who start ServerApps in the SuperLink's place.

use std::sync::Arc;

use flwr_core::id::RunId;
use flwr_core::port::{Jobs, Result};
use flwr_core::refusal::Refusal;
use flwr_core::run::KnownRun;

use crate::link::Link;

/// A session of a caller that may start ServerApps. Only [`Host`](super::Host) makes sessions.
#[derive(Debug, Clone)]
pub struct JobsSession {
    pub(super) link: Arc<Link>,
    /// Whether runs wait for such callers here.
    pub(super) is_waiting: bool,
}

impl Jobs for JobsSession {
    async fn waiting(&self) -> Result<Vec<RunId>> {
        if !self.is_waiting {
            return Ok(Vec::new());
        }
        Ok(self.link.unclaimed_runs().await?)
    }

    async fn claim(&self, run: RunId) -> Result<Option<String>> {
        if !self.is_waiting {
            return Ok(None);
        }
        let token = self.link.issue_token(run).await?;
        Ok(token.map(|token| token.as_str().to_owned()))
    }

    async fn run(&self, run: RunId) -> Result<Option<KnownRun>> {
        if !self.is_waiting {
            return Err(Refusal::UnknownToken.into());
        }
        Ok(self.link.run(run).await?.map(KnownRun::Full))
    }
}
