//! One call that changes nothing, for whoever only wants to know whether calls are answered.

use std::sync::Arc;

use flwr_client::channel;
use flwr_daemon::clock::Clock;
use flwr_proto as proto;

use super::client::{Signer, connect};
use super::judge::{Judge, Verdict};
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
    let judge = Judge::new(superlink.to_string(), fingerprint, &config.trust);
    let mut fleet = connect(line, Signer::new(key.clone(), clock));
    let heartbeat = proto::SendNodeHeartbeatRequest {
        node: Some(node),
        heartbeat_interval: INTERVAL,
    };
    match fleet.send_node_heartbeat(heartbeat).await {
        Ok(_) => Ok(()),
        Err(status) if judge.judge(&status) == Verdict::Forgotten => Ok(()),
        Err(status) => Err(judge.explain(&status)),
    }
}
