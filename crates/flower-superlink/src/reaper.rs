//! What expires, and then: messages past their time, and runs whose ServerApp fell silent. What is
//! old goes too, more slowly: finished runs, nodes that are gone for good, and free space.

use std::sync::Arc;
use std::time::Duration;

use flwr_daemon::stop::Stopper;
use flwr_security::allow_list::AllowList;
use flwr_security::from_file::FromFile;
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

use crate::auth::Policy;
use crate::error::Result;
use crate::link::{Keep, Link};

/// How often to look. A second late is soon enough: expiry is counted in tens of seconds, and
/// whoever waits for one message looks by itself.
const PERIOD: Duration = Duration::from_secs(1);

/// How often to look for what is old. The space of many runs returns in steps, one each time.
const UPKEEP: Duration = Duration::from_secs(2);
/// How often, in these periods, to look for nodes that are gone for good: every ten minutes.
const NODES: u32 = 300;

/// What is kept, and how long.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Which finished runs.
    pub keep_runs: Keep,
    /// Which nodes, however long they are away: those that are listed.
    pub policy: Policy,
}

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

/// Ends the sessions of nodes whose keys are taken off the list, until it is time to stop. The list
/// may have changed while this program was away, so that the first look ends sessions too.
pub async fn shut_out(link: Arc<Link>, keys: Arc<FromFile<AllowList>>, stopper: Stopper) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known: Option<Arc<AllowList>> = None;
    while stopper.run_until_stopped(ticks.tick()).await.is_some() {
        let now = keys.now();
        if known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &now)) {
            continue;
        }
        match link.end_sessions(|key| now.contains(key)).await {
            Ok(()) => known = Some(now),
            // It is tried again with the next tick.
            Err(error) => error!(
                error = &error as &dyn std::error::Error,
                "SuperNodes whose keys are not listed could not be set offline"
            ),
        }
    }
}

/// Deletes what is old and not to be kept, until it is time to stop.
pub async fn keep_tidy(link: Arc<Link>, rules: Rules, stopper: Stopper) {
    let mut ticks = interval(UPKEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut until_nodes = 0;
    while stopper.run_until_stopped(ticks.tick()).await.is_some() {
        if let Err(error) = tidy(&link, &rules, until_nodes == 0).await {
            let error = &error as &dyn std::error::Error;
            error!(error, "old runs and nodes could not be deleted");
        }
        until_nodes = if until_nodes == 0 {
            NODES
        } else {
            until_nodes - 1
        };
    }
}

async fn tidy(link: &Link, rules: &Rules, nodes_too: bool) -> Result<()> {
    link.delete_old_runs(rules.keep_runs).await?;
    if nodes_too {
        link.forget_lost_nodes(|key| rules.policy.lists(key))
            .await?;
    }
    link.give_back_space().await
}
