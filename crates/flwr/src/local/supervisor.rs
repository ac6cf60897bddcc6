//! The supervisor process of the local federation. It starts the daemons, passes on their output,
//! restarts daemons that crash, and stops all of them on request.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use flwr_core::monotonic;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use toml::Table;

use super::Local;
use super::member::{Fallen, Line, Member};
use super::plan::Plan;
use super::python::{self, Packages};
use crate::connect::SuperLink;
use crate::error::{Error, Result};
use crate::render::Output;

/// The time limit for the start of the SuperLink, and then of the SuperNodes.
const PATIENCE: Duration = Duration::from_secs(60);
/// The polling interval.
const LOOK: Duration = Duration::from_millis(50);
/// A signal within this time after another one counts as the same signal.
const SAME_SIGNAL: Duration = Duration::from_secs(1);
/// The limit of queued lines. A daemon that prints more is blocked.
const LINES: usize = 256;

/// Runs the federation until a signal comes.
pub(crate) async fn supervise(
    local: &Local,
    supernodes: u32,
    packages: Packages,
    log: Option<PathBuf>,
    output: &mut Output,
) -> Result<()> {
    let _lock = local.tend()?;
    let path = python::prepare(local, packages, output).await?;
    let plan = Plan::make(local, supernodes, &path, output)?;
    let mut federation = Running::start(output)?;
    let outcome = federation.live(local, &plan, log).await;
    federation.stop().await;
    outcome
}

/// A federation that runs or starts.
struct Running<'a> {
    output: &'a mut Output,
    signals: [Signal; 3],
    sender: mpsc::Sender<Line>,
    lines: mpsc::Receiver<Line>,
    superlink: Group,
    supernodes: Group,
}

/// Daemons that stop together.
struct Group {
    stop: CancellationToken,
    members: JoinSet<Result<(), Fallen>>,
}

impl Group {
    fn new() -> Self {
        Self {
            stop: CancellationToken::new(),
            members: JoinSet::new(),
        }
    }

    fn start(&mut self, member: &Member, lines: &mpsc::Sender<Line>) {
        let work = member.clone().tend(lines.clone(), self.stop.clone());
        self.members.spawn(work);
    }

    /// Waits until one daemon is given up. Pends for ever if there are no daemons.
    async fn fallen(&mut self) -> Error {
        loop {
            match self.members.join_next().await {
                Some(Ok(Err(fallen))) => return Error::Fallen(fallen.into()),
                Some(Err(panic)) => return Error::Fallen(panic.into()),
                Some(Ok(Ok(()))) => {}
                None => std::future::pending().await,
            }
        }
    }
}

impl<'a> Running<'a> {
    fn start(output: &'a mut Output) -> Result<Self> {
        let hear = |kind| signal(kind).map_err(Error::Runtime);
        let (sender, lines) = mpsc::channel(LINES);
        Ok(Self {
            output,
            signals: [
                hear(SignalKind::interrupt())?,
                hear(SignalKind::terminate())?,
                hear(SignalKind::hangup())?,
            ],
            sender,
            lines,
            superlink: Group::new(),
            supernodes: Group::new(),
        })
    }

    async fn live(&mut self, local: &Local, plan: &Plan, log: Option<PathBuf>) -> Result<()> {
        let mut description = plan.description.clone();
        let chosen = super::chosen(&description, &Table::new(), String::new())?;
        let superlink = SuperLink::connect(&chosen, "up")?;
        self.superlink.start(&plan.superlink, &self.sender);
        if self.until(nodes_online(&superlink, 0)).await?.is_none() {
            return Ok(());
        }
        for supernode in &plan.supernodes {
            self.supernodes.start(supernode, &self.sender);
        }
        let all = plan.supernodes.len();
        if self.until(nodes_online(&superlink, all)).await?.is_none() {
            return Ok(());
        }
        let now = OffsetDateTime::now_utc();
        let now = now.replace_nanosecond(0).unwrap_or(now);
        description.since = now.format(&Rfc3339).unwrap_or_default();
        description.log.clone_from(&log);
        local.describe(&description)?;
        self.output.up(&description)?;
        let ended = self.until(std::future::pending::<Result<()>>()).await;
        local.forget();
        ended.map(|_| ())
    }

    /// Does the work and passes on lines meanwhile. Gives `None` if a signal came first.
    async fn until<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        let mut work = std::pin::pin!(work);
        loop {
            let [interrupt, terminate, hangup] = &mut self.signals;
            tokio::select! {
                done = &mut work => return done.map(Some),
                Some(line) = self.lines.recv() => self.output.member(&line.name, &line.text)?,
                fallen = self.superlink.fallen() => return Err(fallen),
                fallen = self.supernodes.fallen() => return Err(fallen),
                _ = interrupt.recv() => return Ok(None),
                _ = terminate.recv() => return Ok(None),
                _ = hangup.recv() => return Ok(None),
            }
        }
    }

    /// Stops the SuperNodes first, so that they can unregister at the SuperLink. A second signal
    /// ends all daemons at once. A signal right after the first does not count: some programs pass on
    /// the Ctrl-C that the terminal has already sent.
    async fn stop(mut self) {
        let begun = monotonic::now();
        let again = || begun.elapsed() > SAME_SIGNAL;
        for group in [&mut self.supernodes, &mut self.superlink] {
            group.stop.cancel();
            loop {
                let [interrupt, terminate, _] = &mut self.signals;
                tokio::select! {
                    ended = group.members.join_next() => if ended.is_none() { break },
                    Some(line) = self.lines.recv() => {
                        // Even if the terminal is gone, the daemons must be stopped.
                        let _ = self.output.member(&line.name, &line.text);
                    }
                    _ = interrupt.recv() => if again() { return },
                    _ = terminate.recv() => if again() { return },
                }
            }
        }
        while let Ok(line) = self.lines.try_recv() {
            let _ = self.output.member(&line.name, &line.text);
        }
    }
}

/// Waits until the SuperLink answers and all SuperNodes are online.
async fn nodes_online(superlink: &SuperLink, all: usize) -> Result<()> {
    let deadline = monotonic::now() + PATIENCE;
    loop {
        let last = match superlink.nodes_online().await {
            Ok(online) if online >= all => return Ok(()),
            Ok(online) => io::Error::other(format!("{online} of {all} SuperNodes are online")),
            Err(error) => io::Error::other(error.to_string()),
        };
        if monotonic::now() > deadline {
            return Err(Error::NotReady(last));
        }
        sleep(LOOK).await;
    }
}
