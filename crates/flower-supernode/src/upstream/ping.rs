//! One call that changes nothing, for whoever only wants to know whether calls are answered.

use std::sync::Arc;

use flwr_client::channel;
use flwr_client::find::{self, NodeLine};
use flwr_core::port::Fleet as _;
use flwr_daemon::clock::Clock;

use super::explain::Explainer;
use super::{Lasting, Verdict, signer};
use crate::config::Config;

/// Seconds until the next heartbeat, of which there will be none.
const INTERVAL: f64 = 30.0;

/// Whether the SuperLink answers this node's signed calls; else why it does not. A node that is
/// not registered is told so only if its key is taken.
pub(crate) async fn ping(config: &Config, clock: Arc<dyn Clock>) -> Result<(), String> {
    let superlink = &config.superlink;
    let channel = channel::channel(
        (&superlink.host, superlink.port),
        &config.trust,
        &config.route,
    );
    let key = &config.key.private;
    let fingerprint = key.public_key().fingerprint();
    let explainer = Explainer::new(
        superlink.to_string(),
        fingerprint,
        Lasting::of(&config.key),
        &config.trust,
    );
    let line = NodeLine::new(channel, signer(key.clone(), clock));
    let asked = async { find::unjoined(line).heartbeat(INTERVAL).await };
    match asked.await {
        Ok(_) => Ok(()),
        Err(failure) if Verdict::of(&failure) == Verdict::UnknownNode => Ok(()),
        Err(failure) => Err(explainer.explain(&failure)),
    }
}
