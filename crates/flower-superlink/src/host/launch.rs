//! Those who start ServerApps on another machine.

use bytes::Bytes;
use flwr_core::config::UserConfig;
use flwr_core::port::launch::Launched;
use flwr_core::port::{Launch, Result};
use flwr_wire::host::{Head, LaunchHost};

use super::Host;

/// A session of somebody who starts ServerApps. Only [`Host`] makes sessions, each for a caller whose
/// connection is good enough.
#[derive(Debug, Clone)]
pub struct LaunchSession {
    host: Host,
    head: Head,
}

impl Launch for LaunchSession {
    async fn start(&self, fab: Bytes, overrides: UserConfig) -> Result<Launched> {
        let link = self.host.link();
        let (run, token) = link.start_run_outside(fab, overrides).await?;
        // The caller asks on this connection how the run ended.
        self.host.bind(run, &self.head).await?;
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
        let (host, head) = (self.clone(), head.clone());
        Ok(LaunchSession { host, head })
    }
}
