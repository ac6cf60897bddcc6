//! Those who start ServerApps on another machine.

use std::sync::Arc;

use bytes::Bytes;
use flwr_core::config::UserConfig;
use flwr_core::port::launch::Launched;
use flwr_core::port::{Launch, Result};
use flwr_wire::host::{Head, LaunchHost};

use super::Host;
use crate::link::Link;

/// A session of somebody who starts ServerApps. Only [`Host`] makes sessions, each for a caller whose
/// connection is good enough.
#[derive(Debug, Clone)]
pub struct LaunchSession {
    link: Arc<Link>,
}

impl Launch for LaunchSession {
    async fn start(&self, fab: Bytes, overrides: UserConfig) -> Result<Launched> {
        let (run, token) = self.link.start_run_outside(fab, overrides).await?;
        Ok(Launched {
            run,
            token: token.as_str().to_owned(),
        })
    }
}

impl LaunchHost for Host {
    type Launch = LaunchSession;

    fn admit(&self, head: &Head) -> Result<LaunchSession> {
        self.require_tls(head.peer.as_ref())?;
        let link = Arc::clone(self.link());
        Ok(LaunchSession { link })
    }
}
