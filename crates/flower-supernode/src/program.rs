//! The life of a SuperNode's process, for the programs that are one: `flower-supernode`, and
//! `flower-client-app`.

use std::error::Error as StdError;
use std::process::ExitCode;

use flwr_client::channel::Trust;
use flwr_core::cause::chain;
use flwr_core::printable::lines;
use flwr_daemon::answer;
use flwr_daemon::checkup::print;
use flwr_daemon::health;
use flwr_daemon::limits;
use flwr_daemon::service;
use flwr_daemon::stop::{Shutdown, Signals};
use flwr_security::joining::JoinToken;
use tracing::info;

use crate::SuperNode;
use crate::args::Args;
use crate::checkup;
use crate::config::{self, Config, JoinWay, Way};
use crate::enrolment::{self, Enrolment, KeyRenewal};
use crate::store;

/// For flags and files that cannot be used.
const USAGE: u8 = 2;

/// A program by its name.
#[derive(Clone, Copy, Debug)]
pub struct Program(pub &'static str);

impl Program {
    /// Does what the flags of `flower-supernode` say: checks, or joins first if it is asked to, and runs
    /// a SuperNode.
    #[must_use]
    pub fn start(self, args: Args) -> ExitCode {
        if args.check_state {
            return self.check_state(&args);
        }
        let enrolment = match Enrolment::of(&args) {
            Ok(enrolment) => enrolment,
            Err(error) => return self.refuse(&error),
        };
        let enrolment = match self.joined(&args, enrolment) {
            Ok(enrolment) => enrolment,
            Err(code) => return code,
        };
        let (check_config, json) = (args.check_config, args.log_format == "json");
        let until_stdin_closes = args.until_stdin_closes;
        match Config::new(args, &enrolment) {
            Ok(config) if check_config => self.check_config(&config, json),
            Ok(config) => self.run(config, until_stdin_closes),
            Err(error) => self.refuse(&error),
        }
    }

    /// Asks the SuperNode that serves health checks.
    #[must_use]
    pub fn health(self, args: &Args) -> ExitCode {
        match health::ask(args.health_server_address.as_deref()) {
            Ok(address) => {
                answer::line(format!("{address} is serving"));
                ExitCode::SUCCESS
            }
            Err(error) if error.is_usage() => self.refuse(&error),
            Err(error) => self.fail(&error, 1),
        }
    }

    /// Joins, if the node is to. A check uses no token, and neither does a start whose other flags are
    /// wrong, or whose ports are taken.
    fn joined(self, args: &Args, enrolment: Enrolment) -> Result<Enrolment, ExitCode> {
        let Enrolment::Joining(join) = &enrolment else {
            return Ok(enrolment);
        };
        if args.check_config {
            return Ok(enrolment);
        }
        let config = Config::new(args.clone(), &enrolment).map_err(|error| self.refuse(&error))?;
        let way = JoinWay::of(args, &enrolment).map_err(|error| self.refuse(&error))?;
        let runtime = limits::runtime().map_err(|error| self.fail(&error, 1))?;
        let ports = runtime.block_on(SuperNode::require_ports(&config));
        ports.map_err(|error| self.fail(&error, 1))?;
        let joined = runtime.block_on(join.run(&way));
        let joined = joined.map_err(|error| self.fail(&error, 1))?;
        Ok(Enrolment::Joined(joined))
    }

    /// Gives the node another key.
    #[must_use]
    pub fn renew_key(self, args: &Args) -> ExitCode {
        let way = match renewal_way(args) {
            Ok(way) => way,
            Err(error) => return self.refuse(&error),
        };
        let held = match enrolment::hold_key(&way) {
            Ok(held) => held,
            Err(error) => return self.fail(&error, 1),
        };
        // Another renewal may have ended between: its key is the old one now.
        let way = match renewal_way(args) {
            Ok(way) => way,
            Err(error) => return self.refuse(&error),
        };
        let runtime = match limits::runtime() {
            Ok(runtime) => runtime,
            Err(error) => return self.fail(&error, 1),
        };
        match runtime.block_on(enrolment::renew_key(args, way, &held)) {
            Ok(KeyRenewal {
                node,
                fingerprint,
                path,
            }) => {
                let path = path.display();
                answer::line(format!(
                    "node {node} has key {fingerprint}, in {path}. The old key ends when the new one is first used."
                ));
                ExitCode::SUCCESS
            }
            Err(error) => self.fail(&error, 1),
        }
    }

    /// Runs a SuperNode until a signal asks it to end, or the end of standard input where that
    /// counts as one, or the SuperLink is given up.
    #[must_use]
    pub fn run(self, config: Config, until_stdin_closes: bool) -> ExitCode {
        let runtime = match limits::runtime() {
            Ok(runtime) => runtime,
            Err(error) => return self.fail(&error, 1),
        };
        let code = runtime.block_on(self.live(config, until_stdin_closes));
        // A blocked read of a slow disk must not hold up the exit.
        runtime.shutdown_background();
        code
    }

    /// Tells whether a SuperNode with this configuration would work.
    #[must_use]
    pub fn check_config(self, config: &Config, json: bool) -> ExitCode {
        let checkup = match limits::runtime() {
            Ok(runtime) => runtime.block_on(checkup::check(config)),
            Err(error) => return self.fail(&error, 1),
        };
        print(&checkup, json);
        ExitCode::from(u8::from(!checkup.is_good()))
    }

    /// Tells whether what a SuperNode with these flags keeps is whole.
    fn check_state(self, args: &Args) -> ExitCode {
        let repair = args.repair;
        match config::store_of(args) {
            Err(error) => self.refuse(&error),
            Ok(dir) => {
                let report = store::check(dir.as_deref(), repair);
                report.print();
                ExitCode::from(u8::from(!report.is_clean()))
            }
        }
    }

    async fn live(self, config: Config, until_stdin_closes: bool) -> ExitCode {
        let mut signals = match Signals::of_daemon(until_stdin_closes) {
            Ok(signals) => signals,
            Err(error) => return self.fail(&error, 1),
        };
        let mut supernode = match SuperNode::bind(config).await {
            Ok(supernode) => supernode,
            Err(error) => return self.fail(&error, 1),
        };
        service::ready();
        let signal = loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Some(signal) => { info!("{signal}: stopping"); service::stopping(); break signal }
                    None => {
                        service::reloading();
                        supernode.reload().await;
                        service::ready();
                    }
                },
                error = supernode.join() => {
                    let code = self.fail(&error, 1);
                    supernode.shutdown().await;
                    return code;
                }
            }
        };
        // A program that must not leave this one behind does not wait for a message.
        if signal != Shutdown::StdinClosed {
            tokio::select! {
                () = supernode.drain() => {}
                again = signals.shutdown() => info!("{again}: stopping at once"),
            }
        }
        tokio::select! {
            () = supernode.shutdown() => ExitCode::SUCCESS,
            _ = signals.shutdown() => ExitCode::FAILURE,
        }
    }

    /// Tells what is wrong with the flags or their files.
    #[must_use]
    pub fn refuse(self, error: &dyn StdError) -> ExitCode {
        self.fail(error, USAGE)
    }

    /// Tells what clap says: of the flags, or the help that was asked for.
    #[must_use]
    pub fn refuse_usage(self, error: &clap::Error) -> ExitCode {
        let told = error.to_string();
        if !JoinToken::is_in(&told) {
            error.exit();
        }
        #[expect(
            clippy::print_stderr,
            reason = "the last word of a program that cannot log"
        )]
        {
            eprint!("{}", JoinToken::hide(&told));
        }
        ExitCode::from(USAGE)
    }

    /// One line: what, where, way out.
    fn fail(self, error: &dyn StdError, code: u8) -> ExitCode {
        #[expect(
            clippy::print_stderr,
            reason = "the last word of a program that cannot log"
        )]
        {
            // An address, say, may be a token by mistake.
            let told = chain(error);
            eprintln!("{}: error: {}", self.0, lines(&JoinToken::hide(&told)));
        }
        ExitCode::from(code)
    }
}

/// The way of a node whose key is to be renewed.
fn renewal_way(args: &Args) -> Result<Way, config::Error> {
    let way = Way::of(args, &Enrolment::remembered(args)?)?;
    match (&way.trust, &way.key.path) {
        (Trust::Plaintext, _) => Err(enrolment::Error::RenewWithoutTls.into()),
        (_, None) => Err(enrolment::Error::NothingToRenew.into()),
        _ => Ok(way),
    }
}
