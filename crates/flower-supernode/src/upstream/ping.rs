//! One call that changes nothing, for whoever only wants to know whether calls are answered.

use std::sync::Arc;

use flwr_client::channel;
use flwr_client::fleet::fleet;
use flwr_client::refused::{Failure, Refused};
use flwr_daemon::clock::Clock;
use flwr_proto as proto;

use super::explain::Explainer;
use super::signer;
use crate::config::Config;

/// Seconds until the next heartbeat, of which there will be none.
const INTERVAL: f64 = 30.0;

/// Whether the SuperLink answers this node's signed calls; else why it does not. A node that is
/// not registered is told so only if its key is taken.
pub(crate) async fn ping(
    config: &Config,
    clock: Arc<dyn Clock>,
    node: proto::Node,
) -> Result<(), String> {
    let superlink = &config.superlink;
    let line = channel::channel(
        (&superlink.host, superlink.port),
        &config.trust,
        &config.route,
    );
    let key = &config.key.private;
    let fingerprint = key.public_key().fingerprint();
    let explainer = Explainer::new(superlink.to_string(), fingerprint, &config.trust);
    let mut fleet = fleet(line, signer(key.clone(), clock));
    let heartbeat = proto::SendNodeHeartbeatRequest {
        node: Some(node),
        heartbeat_interval: INTERVAL,
    };
    match fleet.send_node_heartbeat(heartbeat).await {
        Ok(_) => Ok(()),
        Err(status) if Failure::of(&status) == Failure::Refused(Refused::UnknownNode) => Ok(()),
        Err(status) => Err(explainer.explain(&status)),
    }
}
