//! `cargo xtask demo`: the example on a federation with TLS and authentication, start to end.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::demos::rounds::{self, Round};
use crate::support::build::{self, Profile};
use crate::support::daemon::{Daemon, TLS, free_ports, here};
use crate::support::python::{self, FLOWER};

/// How long a daemon may take until it listens; a fresh machine is slow the first time.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long a daemon may take to end its apps and itself.
const STOP_GRACE: Duration = Duration::from_secs(20);
/// One SuperNode for each.
const NODES: [usize; 2] = [1, 2];

/// `cargo xtask demo`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build with optimisations: a longer build, a faster federation.
    #[arg(long)]
    release: bool,
    /// Keep the temporary directory with certificates, keys and logs.
    #[arg(long)]
    keep: bool,
    /// Number of rounds, 2 or more, so that there is a rise to see; the example's own number if absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1000))]
    rounds: Option<u32>,
}

/// Runs the demo. The exit code is success only if every step was.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let profile = if args.release {
        Profile::Release
    } else {
        Profile::Dev
    };
    let programs = build::programs(profile)?;
    let environment = FLOWER.prepare()?;
    let mut folder = tempfile::Builder::new().prefix("flower-demo-").tempdir()?;
    folder.disable_cleanup(args.keep);

    let stage = Stage::set(folder.path(), &programs, &environment)?;
    let outcome = stage.play(args.rounds);
    if outcome.is_err() {
        folder.disable_cleanup(true);
        eprintln!("What the demo made is kept in {}", folder.path().display());
    }
    summarize(&outcome?);
    Ok(ExitCode::SUCCESS)
}

/// A copy of the example, with everything it needs to run.
struct Stage {
    project: PathBuf,
    programs: PathBuf,
    path: OsString,
    fleet: SocketAddr,
    control: SocketAddr,
    serverappio: SocketAddr,
}

/// What came out.
struct Played {
    rounds: Vec<Round>,
    status: String,
    took: Duration,
}

impl Stage {
    fn set(folder: &Path, programs: &Path, environment: &Path) -> Result<Self> {
        let project = folder.join("flower-authentication");
        build::copy(
            &build::root().join("examples/flower-authentication"),
            &project,
        )?;
        // Ours come first: the environment has programs of the same names.
        let mut path = vec![programs.to_path_buf(), python::bin(environment)];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let [fleet, control, serverappio] = free_ports()?;
        let stage = Self {
            project,
            programs: programs.to_path_buf(),
            path: env::join_paths(path)?,
            fleet: here(fleet),
            control: here(control),
            serverappio: here(serverappio),
        };
        stage.step("certificates", stage.ours("flwr").args(["cert", "new"]))?;
        stage.step(
            "keys",
            stage.ours("flwr").args(["key", "new", "--count", "2"]),
        )?;
        let python = python::bin(environment).join("python");
        stage.step(
            "data",
            stage.command(&python).args(["prepare_dataset.py", "2"]),
        )?;
        Ok(stage)
    }

    fn play(&self, rounds: Option<u32>) -> Result<Played> {
        let mut superlink = self.superlink()?;
        let nodes: Vec<Daemon> = NODES
            .into_iter()
            .map(|n| self.supernode(n))
            .collect::<Result<_>>()?;
        let started = Instant::now();
        let rounds = self.run_app(rounds);
        let took = started.elapsed();
        superlink.must_be_running()?;
        let rounds = rounds.map_err(|error| {
            let nodes: Vec<String> = nodes.iter().map(Daemon::last_lines).collect();
            let (link, nodes) = (superlink.last_lines(), nodes.join("\n"));
            anyhow!("{error:#}\n\nThe SuperLink said:\n{link}\n\nThe SuperNodes said:\n{nodes}")
        })?;
        let status = self.status()?;
        println!("\nStopping two SuperNodes and the SuperLink ...");
        for node in nodes {
            node.stop(STOP_GRACE)?;
        }
        superlink.stop(STOP_GRACE)?;
        Ok(Played {
            rounds,
            status,
            took,
        })
    }

    fn superlink(&self) -> Result<Daemon> {
        println!("\nStarting a SuperLink with TLS and authentication ...");
        let mut command = self.ours("flower-superlink");
        command.args(TLS);
        command.args(["--auth-list-public-keys", "keys/client_public_keys.csv"]);
        command.args(["--fleet-api-address", &self.fleet.to_string()]);
        command.args(["--control-api-address", &self.control.to_string()]);
        command.args(["--serverappio-api-address", &self.serverappio.to_string()]);
        command.args(["--port", "0"]);
        let mut superlink = Daemon::start("superlink", &mut command, &self.project)?;
        for address in [self.fleet, self.control, self.serverappio] {
            superlink.wait_for(address, START_PATIENCE)?;
        }
        Ok(superlink)
    }

    fn supernode(&self, number: usize) -> Result<Daemon> {
        println!("Starting SuperNode {number} ...");
        let [clientappio] = free_ports()?;
        let key = format!("keys/client_credentials_{number}");
        let mut command = self.ours("flower-supernode");
        command.args(["--root-certificates", "certificates/ca.crt"]);
        command.args(["--superlink", &self.fleet.to_string()]);
        command.args(["--auth-supernode-private-key", &key]);
        command.args(["--auth-supernode-public-key", &format!("{key}.pub")]);
        let data = format!("dataset-path=\"datasets/digits_part_{number}\"");
        command.args(["--node-config", &data]);
        command.args(["--clientappio-api-address", &here(clientappio).to_string()]);
        Daemon::start(&format!("supernode-{number}"), &mut command, &self.project)
    }

    /// `flwr run` with its log on our stdout, from which the rounds are read.
    fn run_app(&self, rounds: Option<u32>) -> Result<Vec<Round>> {
        let mut flwr = self.ours("flwr");
        flwr.args(["run", ".", "my-federation", "--stream"]);
        flwr.args(["--federation-config", &self.federation()]);
        if let Some(rounds) = rounds {
            flwr.args(["--run-config", &format!("num-rounds={rounds}")]);
        }
        println!("\n$ flwr run . my-federation --stream\n");
        let mut flwr = flwr
            .stdout(Stdio::piped())
            .spawn()
            .context("flwr does not start")?;
        let mut told = Vec::new();
        let output = flwr.stdout.take().context("flwr has no output")?;
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            told.extend(Round::read(&line));
        }
        let status = flwr.wait()?;
        if !status.success() {
            bail!("flwr run failed ({status})");
        }
        match rounds::complaint(&told) {
            None => Ok(told),
            Some(complaint) => bail!(complaint),
        }
    }

    /// How the only run ended, by `flwr ls`.
    fn status(&self) -> Result<String> {
        let mut flwr = self.ours("flwr");
        flwr.args(["ls", ".", "my-federation", "--format", "json"]);
        let output = flwr
            .args(["--federation-config", &self.federation()])
            .output()?;
        let answer: serde_json::Value =
            serde_json::from_slice(&output.stdout).with_context(|| {
                format!(
                    "flwr ls printed {}",
                    String::from_utf8_lossy(&output.stdout)
                )
            })?;
        let status = answer["runs"][0]["status"].as_str().unwrap_or_default();
        if status != "finished:completed" {
            bail!("flwr ls tells that the run is {status:?}, expected \"finished:completed\"");
        }
        Ok(status.to_owned())
    }

    fn federation(&self) -> String {
        format!("address=\"{}\"", self.control)
    }

    fn ours(&self, program: &str) -> Command {
        self.command(&self.programs.join(program))
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.project);
        command.env("PATH", &self.path);
        command.env("FLWR_HOME", self.project.join(".flwr"));
        command.env("FLWR_TELEMETRY_ENABLED", "0");
        command
    }

    fn step(&self, what: &str, command: &mut Command) -> Result<()> {
        println!("$ {}", build::show(command).trim_matches('`'));
        build::succeed(command).with_context(|| format!("the {what} could not be made"))
    }
}

fn summarize(played: &Played) {
    println!("\n round   accuracy   time");
    for round in &played.rounds {
        println!(
            " {:>5}   {:>8.4}   {:>4.1} s",
            round.number, round.accuracy, round.seconds
        );
    }
    let accuracy = played.rounds.last().map_or(0.0, |last| last.accuracy);
    println!(
        "\n{}: {} rounds on {} authenticated SuperNodes over TLS, accuracy {:.4}, {:.1} s in all",
        played.status,
        played.rounds.len(),
        NODES.len(),
        accuracy,
        played.took.as_secs_f64(),
    );
}
