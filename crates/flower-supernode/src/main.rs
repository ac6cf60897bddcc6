//! `flower-supernode`: parse, bind, wait, stop.

use std::error::Error as StdError;
use std::process::ExitCode;

use anyhow::Context as _;
use flower_supernode::SuperNode;
use flower_supernode::args::Args;
use flower_supernode::config::Config;
use flwr_daemon::config_file;
use flwr_daemon::stop::Signals;
use flwr_daemon::telemetry;
use tracing::info;

/// For flags and files that cannot be used.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args: Args = match config_file::parse() {
        Ok(args) => args,
        Err(config_file::Error::Usage(error)) => error.exit(),
        Err(error) => return fail(&error, USAGE),
    };
    let logging = args
        .log_format
        .parse()
        .and_then(|format| telemetry::init(args.log_level.as_deref(), format));
    if let Err(error) = logging {
        return fail(&error, USAGE);
    }
    let config = match Config::try_from(args) {
        Ok(config) => config,
        Err(error) => return fail(&error, USAGE),
    };
    let runtime = match tokio::runtime::Runtime::new().context("could not start the runtime") {
        Ok(runtime) => runtime,
        Err(error) => return fail(&*error, 1),
    };
    let code = runtime.block_on(run(config));
    // A blocked read of a slow disk must not hold up the exit.
    runtime.shutdown_background();
    code
}

async fn run(config: Config) -> ExitCode {
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return fail(&error, 1),
    };
    let mut supernode = match SuperNode::bind(config).await {
        Ok(supernode) => supernode,
        Err(error) => return fail(&error, 1),
    };
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Some(signal) => { info!("{signal}: stopping"); break }
                None => supernode.reload().await,
            },
            error = supernode.join() => {
                let code = fail(&error, 1);
                supernode.shutdown().await;
                return code;
            }
        }
    }
    tokio::select! {
        () = supernode.shutdown() => ExitCode::SUCCESS,
        _ = signals.shutdown() => ExitCode::FAILURE,
    }
}

/// One line: what, where, way out.
fn fail(error: &dyn StdError, code: u8) -> ExitCode {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    #[expect(
        clippy::print_stderr,
        reason = "the last word of a program that cannot log"
    )]
    {
        eprintln!("flower-supernode: error: {text}");
    }
    ExitCode::from(code)
}
