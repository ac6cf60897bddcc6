//! `flwr-bench`: load for a SuperLink, ours or pip's. Virtual SuperNodes and a virtual ServerApp
//! speak the real protocol, over TLS, with real signatures; what was measured is printed as JSON,
//! one line for each thing that happened.

#![expect(
    clippy::disallowed_methods,
    reason = "it measures time, and its tasks end with the process"
)]
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod args;
mod balance;
mod broker;
mod calls;
mod claims;
mod crowd;
mod node;
mod payload;
mod polls;
mod server_app;
mod target;
mod wakes;

use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser;

fn main() -> ExitCode {
    let args = Args::parse();
    // What holds ten thousand connections needs as many open files.
    flwr_daemon::limits::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut stderr = std::io::stderr();
            let _ = std::io::Write::write_fmt(&mut stderr, format_args!("error: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let target = args.target.open()?;
    match args.command {
        Command::Polls(polls) => polls::run(&target, &polls).await,
        Command::Broker(broker) => broker::run(&target, &broker).await,
        Command::Calls(calls) => calls::run(&target, &calls).await,
        Command::Crowd(crowd) => crowd::run(&target, &crowd).await,
        Command::Claims(crowd) => claims::run(&target, &crowd).await,
        Command::Wakes(wakes) => wakes::run(&target, &wakes).await,
        Command::Balance => balance::run(target.fleets()).await,
    }
}

/// Tells one thing that was measured.
fn tell(event: &serde_json::Value) {
    println!("{event}");
}

/// Tells that the time begins that counts, or is over. Who hears this looks at what processes have used.
fn tell_moment(name: &str) {
    tell(&serde_json::json!({"event": name}));
}

/// Of durations in their order, the one that this share of them does not exceed, in milliseconds.
fn millis(sorted: &[std::time::Duration], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1) as f64;
    let found = sorted.get((last * share) as usize);
    found.copied().unwrap_or_default().as_secs_f64() * 1e3
}
