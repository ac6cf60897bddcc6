//! What expires, and then: messages past their time, and runs whose ServerApp fell silent.

use std::sync::Arc;
use std::time::Duration;

use flwr_daemon::stop::Stopper;
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

use crate::link::Link;

/// How often to look. A second late is soon enough: expiry is counted in tens of seconds, and
/// whoever waits for one message looks by itself.
const PERIOD: Duration = Duration::from_secs(1);

/// Lets go of what is over, until it is time to stop.
pub async fn run(link: Arc<Link>, stopper: Stopper) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopper.run_until_stopped(ticks.tick()).await.is_some() {
        if let Err(error) = link.expire().await {
            error!(
                error = &error as &dyn std::error::Error,
                "nothing could be expired"
            );
        }
    }
}
