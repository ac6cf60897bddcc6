//! What expires, and then: messages past their time, and runs whose ServerApp fell silent. What is
//! old goes too, more slowly: finished runs, nodes that are gone for good, and free space.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::cause::chain;
use flwr_daemon::clock::FollowingClock;
use flwr_daemon::stop::Stopper;
use flwr_security::allow_list::AllowList;
use flwr_security::key::PublicKey;
use flwr_wire::generations::WireName;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, error, warn};

use crate::auth::Policy;
use crate::error::Result;
use crate::link::state::{KnownNode, Takeover};
use crate::link::{Keep, Link};

/// How often to look. A second late is soon enough: expiry is counted in tens of seconds, and
/// whoever waits for one message looks by itself.
const PERIOD: Duration = Duration::from_secs(1);

/// How often to look for what is old. The space of many runs returns in steps, one each time.
const UPKEEP: Duration = Duration::from_secs(2);
/// How often to look whether anything can be stored. Orchestrators ask every few seconds.
const DISK: Duration = Duration::from_secs(2);
/// How often to look for SuperLinks that have died, and for the time that all go by.
const NEIGHBOURS: Duration = Duration::from_secs(5);
/// Seconds by which the machine's clock may be off before that is told.
const OFF: f64 = 5.0;
/// How often, in these periods, to look for nodes that are gone for good: every minute.
const NODES: u32 = 30;

/// What is kept, and how long.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Which finished runs.
    pub keep_runs: Keep,
    /// Which nodes, however long they are away: those that are listed.
    pub policy: Policy,
    /// Where ServerApps print to, if they print to files.
    pub outputs: Option<PathBuf>,
}

impl Rules {
    /// Whether the node has shown no key: its release signs no requests, and no list asks for keys.
    fn is_keyless(&self, node: &KnownNode) -> bool {
        let wire = node.wire.as_deref().and_then(WireName::find);
        self.policy.is_open() && wire.is_some_and(|wire| !wire.is_signed())
    }
}

/// Lets go of what is over, until it is time to stop.
pub async fn run(link: Arc<Link>, stopper: Stopper) {
    tokio::join!(watch_clock(&link, &stopper), expire(&link, &stopper));
}

/// Reads the clock every second, also while the disk is slow.
async fn watch_clock(link: &Link, stopper: &Stopper) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopper.run_until_stopped(ticks.tick()).await.is_some() {
        link.watch_clock();
    }
}

async fn expire(link: &Link, stopper: &Stopper) {
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

/// Tells the clock the time that all SuperLinks of the state go by, until it is time to stop.
pub async fn follow_time(link: Arc<Link>, clock: Arc<FollowingClock>, stopper: Stopper) {
    let mut ticks = interval(NEIGHBOURS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_off = false;
    while stopper.run_until_stopped(ticks.tick()).await.is_some() {
        if let Err(error) = link.tell_time(&clock).await {
            // Whoever needs the database says so.
            debug!(error = chain(&error), "the database did not tell the time");
            continue;
        }
        let ahead = clock.machine_is_ahead();
        let is_off = ahead.abs() > OFF;
        if is_off && !was_off {
            let (seconds, side) = (ahead.abs(), if ahead > 0.0 { "ahead of" } else { "behind" });
            warn!(
                "the clock of this machine is {seconds:.0} s {side} that of the database server, by which all SuperLinks go: set the machine's clock, for example with `timedatectl set-ntp true`"
            );
        }
        was_off = is_off;
    }
}

/// Looks whether anything can be stored, for health checks, until it is time to stop.
pub async fn watch_disk(link: Arc<Link>, stopper: Stopper) {
    let mut ticks = interval(DISK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopper.run_until_stopped(ticks.tick()).await.is_some() {
        link.try_to_write().await;
    }
}

/// Ends the sessions of nodes that may not come in any more, until it is time to stop. The list, or the
/// flags, may have changed while this program was away, so that the first look ends sessions too.
pub async fn shut_out(link: Arc<Link>, policy: Policy, stopper: Stopper) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known: Option<Option<Arc<AllowList>>> = None;
    while stopper.run_until_stopped(ticks.tick()).await.is_some() {
        let now = policy.list().map(|keys| keys.now());
        let is_known = match (&known, &now) {
            (Some(Some(known)), Some(now)) => Arc::ptr_eq(known, now),
            (Some(None), None) => true,
            _ => false,
        };
        if is_known {
            continue;
        }
        let is_admitted = |node: &KnownNode| policy.admits(Some(&node.key), node.owner.is_some());
        match link.end_sessions(is_admitted).await {
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
    let mut has_leftovers = true;
    while stopper.run_until_stopped(ticks.tick()).await.is_some() {
        // What fails is tried again after a minute.
        if has_leftovers && until_nodes == 0 {
            match link.delete_leftovers().await {
                Ok(()) => has_leftovers = false,
                Err(error) => error!(
                    error = &error as &dyn std::error::Error,
                    "uploads that an earlier SuperLink did not finish could not be deleted"
                ),
            }
        }
        if let Err(error) = link.delete_unused_names().await {
            error!(
                error = &error as &dyn std::error::Error,
                "objects that nothing uses any more could not be deleted"
            );
        }
        if let Err(error) = tidy(&link, &rules, until_nodes == 0).await {
            let error = &error as &dyn std::error::Error;
            error!(
                error,
                "old runs, nodes and join tokens could not be deleted"
            );
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
        let is_listed = |key: &PublicKey| rules.policy.lists(key);
        link.forget_lost_nodes(is_listed, |node| rules.is_keyless(node))
            .await?;
        link.forget_join_tokens().await?;
    }
    count_outputs(link, rules).await;
    link.give_back_space().await
}

/// Buries SuperLinks of the state that have died, until it is time to stop. What they stored and did not
/// note goes.
pub async fn bury(link: Arc<Link>, rule: Takeover, stopper: Stopper) {
    let mut ticks = interval(NEIGHBOURS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopper.run_until_stopped(ticks.tick()).await.is_some() {
        if let Err(error) = look_after(&link, rule).await {
            let error = &error as &dyn std::error::Error;
            error!(
                error,
                "the runs of SuperLinks that died could not be taken over"
            );
        }
    }
}

async fn look_after(link: &Link, rule: Takeover) -> Result<()> {
    let has_buried = link.bury(rule).await?;
    link.end_orphans(rule).await?;
    match has_buried {
        true => link.delete_leftovers().await,
        false => Ok(()),
    }
}

/// Counts what ServerApps have printed towards `--max-storage`.
async fn count_outputs(link: &Link, rules: &Rules) {
    let Some(dir) = rules.outputs.clone() else {
        return;
    };
    let counted = spawn_blocking(move || {
        let files = fs::read_dir(dir).into_iter().flatten().flatten();
        // A file may go while this looks.
        files
            .filter_map(|file| Some(file.metadata().ok()?.len()))
            .sum()
    });
    link.note_outputs(counted.await.unwrap_or_default());
}
