//! A run, from its start to its end.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flwr_client::channel::{Proxies, Route, Traffic, Trust, channel, connect_error};
use flwr_client::find::{self, RunWatch};
use flwr_client::line::{GrpcLine, Line, Nobody};
use flwr_core::address::Address;
use flwr_core::config::UserConfig;
use flwr_core::fab::Fab;
use flwr_core::id::RunId;
use flwr_core::port::Launch as _;
use flwr_core::port::launch::Launched;
use flwr_core::refusal::{Class, Failure};
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_daemon::apps::{
    AppProcess, Exit, Guard, Program, Watchers, fab_of_dir, serverapp_command,
};
use flwr_daemon::stop::Signals;
use flwr_security::tls::{ClientFiles, ClientTls};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::args::Args;
use crate::error::{RunError, Unusable};
use crate::tunnel::Tunnel;

/// What the ServerApp gets between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// A run that can be started: everything that was typed is good.
pub(crate) struct Run {
    fab: Fab,
    program: Program,
    superlink: Address,
    trust: Trust,
    route: Route,
    flwr_dir: Option<PathBuf>,
}

impl Run {
    /// Checks what was typed.
    pub(crate) fn prepare(args: &Args) -> Result<Self, Unusable> {
        let fab = fab_of_dir(&args.server_app, &args.dir)?;
        let trust = if args.insecure {
            Trust::Plaintext
        } else {
            let files = ClientFiles {
                roots: args.root_certificates.clone(),
                ..ClientFiles::default()
            };
            Trust::Tls(ClientTls::load(files).map_err(Unusable::Roots)?)
        };
        let superlink = Address::from_target(&args.server).map_err(Unusable::Server)?;
        if let Some(advice) = superlink.advice() {
            warn!("--server {superlink}: {advice}");
        }
        let variable = |name: &str| env::var(name).ok();
        let proxies = Proxies::new(args.proxy.as_ref(), Traffic::Grpc, variable)?;
        if let Some(warning) = proxies.warning(&superlink.host, superlink.port) {
            warn!("{warning}");
        }
        Ok(Self {
            fab,
            program: program(args.flwr_dir.as_deref())?,
            route: proxies.route(&superlink.host, superlink.port),
            superlink,
            trust,
            flwr_dir: args.flwr_dir.clone(),
        })
    }

    /// Starts the run and its ServerApp, and waits for the end of both.
    pub(crate) async fn execute(self) -> Result<(), RunError> {
        let mut signals = Signals::install().map_err(RunError::Signals)?;
        let Address { host, port } = &self.superlink;
        let channel = channel((host, *port), &self.trust, &self.route);
        info!("SuperLink {}, {}", self.superlink, self.route);
        let (launch, watch) = find::launch(GrpcLine::new(channel, Nobody));
        let started = launch
            .start(self.fab.bytes.clone(), UserConfig::new())
            .await;
        let Launched { run, token } = started.map_err(|failure| not_started(&failure))?;
        info!(run_id = %run, "run started");
        let tunnel = Tunnel::open(
            self.superlink.clone(),
            self.trust.clone(),
            self.route.clone(),
        )
        .await
        .map_err(RunError::Port)?;
        let command = serverapp_command(
            &self.program,
            &tunnel.address(),
            &token,
            Some(std::process::id()),
            self.flwr_dir.as_deref(),
        );
        let watchers = Watchers::new();
        let app = AppProcess::spawn(&command, &watchers).map_err(RunError::App)?;
        let exit = attended(&app, &tunnel, &mut signals).await;
        drop(app);
        // What the process leaves behind is ended by its watcher.
        if timeout(GRACE, watchers.settled()).await.is_err() {
            warn!("processes of the ServerApp did not end in time");
        }
        let exit = exit?;
        let ended = format!("the ServerApp ended: {exit}");
        verdict(&watch, run, &ended).await
    }
}

/// Waits for the ServerApp to end, and ends it at a signal.
async fn attended(
    app: &AppProcess,
    tunnel: &Tunnel,
    signals: &mut Signals,
) -> Result<Exit, RunError> {
    tokio::select! {
        exit = app.wait() => Ok(exit),
        () = tunnel.serve() => Err(RunError::LostWay),
        signal = signals.shutdown() => {
            info!("{signal}: stopping");
            // What it still has to say goes through the tunnel.
            tokio::select! {
                exit = app.terminate(GRACE) => Ok(exit),
                () = tunnel.serve() => Err(RunError::CutOff),
            }
        }
    }
}

fn program(flwr_dir: Option<&Path>) -> Result<Program, Unusable> {
    let program = Program::find("flwr-serverapp")?;
    if !program.gives_token_to_serverapp() {
        return Err(Unusable::TooOld(program.shown().to_string()));
    }
    let path = program.path();
    if let Some((text, hint)) = Guard::prepare(path, flwr_dir).warning(path) {
        warn!("{text}; {hint}");
    }
    Ok(program)
}

/// How the run ended. One that its ServerApp has left unfinished has failed.
async fn verdict(watch: &RunWatch<impl Line>, run: RunId, ended: &str) -> Result<(), RunError> {
    let mut status = status(watch, run).await?;
    if !status.phase.is_finished() {
        // Should it have ended in this very moment, the next answer tells.
        let _ = watch.set_status(run, RunStatus::failed(ended)).await;
        status = self::status(watch, run).await?;
    }
    if status.phase == Phase::Finished(Outcome::Completed) {
        info!(run_id = %run, "run completed");
        return Ok(());
    }
    let why = if status.details.is_empty() {
        ended
    } else {
        &status.details
    };
    Err(RunError::Unfinished {
        run,
        phase: status.phase,
        why: why.to_owned(),
    })
}

async fn status(watch: &RunWatch<impl Line>, run: RunId) -> Result<RunStatus, RunError> {
    let status = watch.status(run).await.map_err(|failure| {
        let why = words(&failure);
        RunError::Untold { run, why }
    })?;
    status.ok_or(RunError::Unknown(run))
}

fn not_started(failure: &Failure) -> RunError {
    match failure.class() {
        Some(Class::NotOffered) => RunError::NotOffered,
        _ => RunError::NotStarted(words(failure)),
    }
}

fn words(failure: &Failure) -> String {
    match connect_error(failure) {
        Some(error) => error.to_string(),
        None => flwr_core::cause::chain(failure),
    }
}
