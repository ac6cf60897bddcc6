//! `flower-supernode`: parse, bind, wait, stop.

use std::process::ExitCode;

use flower_supernode::args::Args;
use flower_supernode::config::Config;
use flower_supernode::program::Program;
use flwr_daemon::apps::keeper;
use flwr_daemon::config_file;
use flwr_daemon::limits;
use flwr_daemon::telemetry;

const PROGRAM: Program = Program("flower-supernode");

fn main() -> ExitCode {
    if let Some(ended) = keeper::run_if_asked() {
        return ended;
    }
    limits::tighten_umask();
    let args: Args = match config_file::parse() {
        Ok(args) => args,
        Err(config_file::Error::Usage(error)) => error.exit(),
        Err(error) => return PROGRAM.refuse(&error),
    };
    let logging = args
        .log_format
        .parse()
        .and_then(|format| telemetry::init(args.log_level.as_deref(), format));
    let _logs = match logging {
        Ok(logs) => logs,
        Err(error) => return PROGRAM.refuse(&error),
    };
    if args.check_state {
        return PROGRAM.check_state(args);
    }
    let (check_config, json) = (args.check_config, args.log_format == "json");
    let until_stdin_closes = args.until_stdin_closes;
    match Config::try_from(args) {
        Ok(config) if check_config => PROGRAM.check_config(&config, json),
        Ok(config) => PROGRAM.run(config, until_stdin_closes),
        Err(error) => PROGRAM.refuse(&error),
    }
}
