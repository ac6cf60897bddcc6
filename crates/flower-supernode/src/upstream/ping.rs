//! One call that changes nothing, for whoever only wants to know whether calls are answered.

use std::sync::Arc;

use flwr_client::channel;
use flwr_client::find::{self, NodeLine};
use flwr_core::port::Fleet as _;
use flwr_core::refusal::{Code, Failure};
use flwr_daemon::clock::Clock;

use super::explain::Explainer;
use super::{Lasting, Verdict, signer};
use crate::config::Config;

/// Seconds until the next heartbeat, of which there will be none.
const INTERVAL: f64 = 30.0;

/// What the answer to a signed call says of the node's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pinged {
    /// The SuperLink takes the key.
    Taken,
    /// Only a registration will show whether the SuperLink takes the key.
    Untold,
}

/// What the SuperLink answers to a signed call; else why there is no answer. A node that is not
/// registered is told so only if its key is taken. Over HTTP/1.1 all are told the same.
pub(crate) async fn ping(config: &Config, clock: Arc<dyn Clock>) -> Result<Pinged, String> {
    let superlink = &config.superlink;
    let channel = channel::channel_or(
        (&superlink.host, superlink.port),
        config.other_port,
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
        Ok(_) => Ok(Pinged::Taken),
        Err(Failure::Answered(refused)) if refused.code == Some(Code::NodeNotProven) => {
            Ok(Pinged::Untold)
        }
        Err(failure) if Verdict::of(&failure) == Verdict::UnknownNode => Ok(Pinged::Taken),
        Err(failure) => Err(explainer.explain(&failure)),
    }
}
