//! `flower-supernode`: parse, bind, wait, stop.

use std::env;
use std::process::ExitCode;

use flower_supernode::args::{Args, Command};
use flower_supernode::client_app;
use flower_supernode::enrolment::{leave_process_list, require_token_at_flag};
use flower_supernode::program::Program;
use flwr_daemon::apps::keeper;
use flwr_daemon::config_file;
use flwr_daemon::limits;
use flwr_daemon::telemetry;
use flwr_programs::is_called;

const PROGRAM: Program = Program("flower-supernode");

fn main() -> ExitCode {
    if let Some(ended) = keeper::run_if_asked() {
        return ended;
    }
    limits::tighten_umask();
    let typed: Vec<_> = env::args_os().collect();
    if is_called(typed.first(), client_app::NAME) {
        return client_app::run();
    }
    if let Err(error) = require_token_at_flag(&typed) {
        return PROGRAM.refuse(&error);
    }
    let (command, typed) = match Command::of(typed) {
        Ok(read) => read,
        Err(error) => return PROGRAM.refuse(&error),
    };
    let args: Args = match config_file::parse_from(&typed, |name| env::var_os(name)) {
        Ok(args) => args,
        Err(config_file::Error::Usage(error)) => return PROGRAM.refuse_usage(&error),
        Err(error) => return PROGRAM.refuse(&error),
    };
    if let Err(error) = leave_process_list(&args) {
        return PROGRAM.refuse(&error);
    }
    if args.health {
        return PROGRAM.health(&args);
    }
    let logging = args
        .log_format
        .parse()
        .and_then(|format| telemetry::init(args.log_level.as_deref(), format, None));
    let _logs = match logging {
        Ok(logs) => logs,
        Err(error) => return PROGRAM.refuse(&error),
    };
    match command {
        Command::Run => PROGRAM.start(args),
        Command::RenewKey => PROGRAM.renew_key(&args),
    }
}
