//! `flower-superlink`: parse, bind, wait, drain.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use flower_superlink::SuperLink;
use flower_superlink::args::Args;
use flower_superlink::checkup;
use flower_superlink::cluster;
use flower_superlink::config::{self, Config};
use flower_superlink::saving;
use flower_superlink::simulation;
use flwr_core::checkup::Checkup;
use flwr_core::printable::lines;
use flwr_daemon::answer;
use flwr_daemon::apps::keeper;
use flwr_daemon::checkup::print;
use flwr_daemon::clock::{Clock, SystemClock};
use flwr_daemon::config_file;
use flwr_daemon::health;
use flwr_daemon::limits;
use flwr_daemon::service;
use flwr_daemon::stop::Signals;
use flwr_daemon::telemetry::{self, Format, LogFile, Logs};
use flwr_programs::is_called;
use tracing::info;

/// How long calls and processes may take to end.
const GRACE: Duration = Duration::from_secs(10);
/// Exit status of a daemon that was asked for something it cannot do.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    if let Some(ended) = keeper::run_if_asked() {
        return ended;
    }
    if is_called(std::env::args_os().next().as_ref(), flower_server_app::NAME) {
        return flower_server_app::run();
    }
    // Before anything of this process changes: the other program's flags and umask are its own.
    if simulation::is_asked_for(std::env::args_os()) {
        let error = simulation::hand_over(std::env::args_os(), tell);
        return fail(&error.into(), 1);
    }
    limits::tighten_umask();
    let args: Args = match config_file::parse() {
        Ok(args) => args,
        Err(config_file::Error::Usage(error)) => error.exit(),
        Err(error) => return fail(&error.into(), USAGE),
    };
    if args.health {
        return health(&args);
    }
    let logs = &args.logs;
    let log_file = logs.file();
    // A check leaves the file to the SuperLink.
    let is_check = args.check_config || args.check_state;
    let written = log_file.clone().filter(|_| !is_check);
    let logs = match telemetry::init(logs.log_level.as_deref(), logs.log_format, written) {
        Ok(logs) => logs,
        Err(error) => return fail(&error.into(), USAGE),
    };
    if args.check_state {
        return check_state(&args);
    }
    match saving::run(&args) {
        None => {}
        Some(Ok(is_complete)) => return ExitCode::from(u8::from(!is_complete)),
        Some(Err(error)) => {
            let status = if error.is_usage() { USAGE } else { 1 };
            return fail(&error.into(), status);
        }
    }
    match cluster::run(&args) {
        None => {}
        Some(Ok(())) => return ExitCode::SUCCESS,
        Some(Err(error)) => {
            let status = if error.is_usage() { USAGE } else { 1 };
            return fail(&error.into(), status);
        }
    }
    let until_stdin_closes = args.until_stdin_closes;
    let (check_config, format) = (args.check_config, args.logs.log_format);
    match Config::try_from(args) {
        Err(error) => fail_with(&logs, &error.into(), USAGE),
        Ok(config) if check_config => match would_start(&config, log_file.as_ref()) {
            Err(error) => fail(&error, 1),
            Ok(checkup) => {
                print(&checkup, format == Format::Json);
                ExitCode::from(u8::from(!checkup.is_good()))
            }
        },
        Ok(config) => match start(config, until_stdin_closes) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail_with(&logs, &error, 1),
        },
    }
}

fn start(config: Config, until_stdin_closes: bool) -> anyhow::Result<()> {
    let runtime = limits::runtime()?;
    limits::raise_open_files();
    let ended = runtime.block_on(run(config, until_stdin_closes));
    // A call to the file system that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn run(config: Config, until_stdin_closes: bool) -> anyhow::Result<()> {
    let mut signals =
        Signals::of_daemon(until_stdin_closes).context("signals cannot be received")?;
    let mut superlink = SuperLink::bind(config).await?;
    superlink.log_start();
    service::ready();
    loop {
        tokio::select! {
            ended = superlink.join() => return ended.context("the SuperLink ended by itself"),
            signal = signals.next() => match signal {
                None => {
                    service::reloading();
                    superlink.reload().await;
                    service::ready();
                }
                Some(why) => {
                    info!(%why, "stopping");
                    service::stopping();
                    break;
                }
            },
        }
    }
    tokio::select! {
        () = superlink.shutdown(GRACE) => {
            info!("SuperLink terminated gracefully.");
            Ok(())
        }
        why = signals.shutdown() => anyhow::bail!("{why} came a second time: ended at once"),
    }
}

/// Looks at everything that the flags name, and asks whom the SuperLink will ask.
fn would_start(config: &Config, log: Option<&LogFile>) -> anyhow::Result<Checkup> {
    let mut checkup = checkup::check(config, SystemClock.date_time());
    if let Some(file) = log {
        checkup::log_file(file, &mut checkup);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(checkup::ask_database(&config.places, &mut checkup));
    runtime.block_on(checkup::ask_bucket(&config.places, &mut checkup));
    if let Some(accounts) = &config.accounts {
        runtime.block_on(checkup::ask_provider(accounts, &mut checkup));
    }
    Ok(checkup)
}

/// Asks the SuperLink that serves health checks.
fn health(args: &Args) -> ExitCode {
    match health::ask(args.health_server_address.as_deref()) {
        Ok(address) => {
            answer::line(format!("{address} is serving"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            let status = if error.is_usage() { USAGE } else { 1 };
            fail(&error.into(), status)
        }
    }
}

/// Looks at database and storage directory, and tells what is wrong with them.
fn check_state(args: &Args) -> ExitCode {
    let places = match config::places(args) {
        Ok(places) => places,
        Err(error) => return fail(&error.into(), USAGE),
    };
    match places.check(args.repair, SystemClock.now()) {
        Err(error) => fail(&error.into(), 1),
        Ok(report) => {
            report.print();
            ExitCode::from(u8::from(!report.is_clean()))
        }
    }
}

#[expect(clippy::print_stderr, reason = "no log is open yet")]
fn tell(text: &str) {
    eprintln!("flower-superlink: {}", lines(text));
}

/// As [`fail`], in the log file too.
fn fail_with(logs: &Logs, error: &anyhow::Error, status: u8) -> ExitCode {
    logs.end_with(&last_words(error));
    fail(error, status)
}

fn last_words(error: &anyhow::Error) -> String {
    format!("flower-superlink: error: {}", lines(&format!("{error:#}")))
}

#[expect(clippy::print_stderr, reason = "the last word of a program that ends")]
fn fail(error: &anyhow::Error, status: u8) -> ExitCode {
    eprintln!("{}", last_words(error));
    ExitCode::from(status)
}
