//! One module per verb.

use std::path::Path;

use flwr_client::channel::Route;
use flwr_core::fab::Fab;
use flwr_core::project::FederationError;
use flwr_core::refusal::{Class, Failure};
use serde_json::json;

use crate::cli::{CertCommand, Command, KeyCommand, RunCommand, Target};
use crate::connect::{SuperLink, proxies};
use crate::error::{Error, Result};
use crate::federation::Surroundings;
use crate::project::{App, ignored_words};
use crate::render::Output;
use crate::resolved::ResolvedFederation;

mod build;
mod cert;
mod delete;
mod doctor;
mod federation;
mod install;
mod join_token;
mod key;
mod latest;
mod list;
mod local;
mod log;
mod login;
mod manual;
mod new;
mod offer;
mod pull;
mod run;
mod stop;
mod supernode;

/// Executes a command.
pub(crate) async fn execute(command: Command, output: &mut Output) -> Result<()> {
    match command {
        Command::New(args) => new::new(&args, output),
        Command::Run(args) => match &args.command {
            Some(RunCommand::Delete(args)) => delete::delete(args, output).await,
            None => run::run(&args, output).await,
        },
        Command::Build(args) => build::build(&args, output),
        Command::Log(args) => log::log(&args, output).await,
        Command::List(args) => list::list(&args, output).await,
        Command::Install(args) => install::install(&args, output),
        Command::Pull(args) => pull::pull(&args, output).await,
        Command::Login(args) => login::login(&args, output).await,
        Command::Logout(args) => login::logout(&args, output),
        Command::Stop(args) => stop::stop(&args, output).await,
        Command::Supernode { command } => supernode::execute(&command, output).await,
        Command::Up(args) => local::up(&args, output).await,
        Command::Down(args) => local::down(&args, output).await,
        Command::Doctor(args) => doctor::doctor(&args, output).await,
        Command::Status(args) => local::status(&args, output).await,
        Command::Federation { command } => federation::execute(&command, output).await,
        Command::Cert { command } => match command {
            CertCommand::New(args) => cert::new(&args, output),
            CertCommand::Ca(args) => cert::authority(&args, output),
            CertCommand::Server(args) => cert::server(&args, output),
            CertCommand::Request(args) => cert::request(&args, output),
            CertCommand::Sign(args) => cert::sign(&args, output),
            CertCommand::Inspect(args) => cert::inspect(&args, output),
        },
        Command::Key {
            command: KeyCommand::New(args),
        } => key::new(&args, output),
        Command::Completions(args) => manual::completions(&args, output),
        Command::Man(args) => manual::man(&args, output),
    }
}

/// The answer about a run. jq 1.6 and browsers read numbers as doubles, which have no room for the
/// digits of a run's id: the id is there as text too.
fn run_answer(run_id: u64) -> serde_json::Value {
    json!({"success": true, "run-id": run_id, "run-id-text": run_id.to_string()})
}

/// Whether the SuperLink has no such method, or none that is set up.
fn is_not_offered(failure: &Failure) -> bool {
    failure.class() == Some(Class::NotOffered)
}

/// Adds the facts of a bundle, under flwr 1.22's names.
fn describe(fab: &Fab, answer: &mut serde_json::Value) {
    let manifest = fab.manifest();
    for (key, value) in [
        ("fab-id", fab.fab_id().as_str()),
        ("fab-name", &manifest.name),
        ("fab-version", &manifest.version),
        ("fab-hash", fab.short_hash()),
        ("fab-filename", &fab.file_name()),
    ] {
        answer[key] = value.into();
    }
}

/// Reads the app and prints its warnings.
fn load(directory: &Path, output: &mut Output) -> Result<App> {
    output.progress("Loading project configuration... ");
    let app = App::load(directory)?;
    output.progress("Success");
    Ok(app)
}

/// Reads the app if this directory has one. A named app must exist.
fn app_if_there(directory: &Path) -> Result<Option<App>> {
    if is_absent(directory) {
        return Ok(None);
    }
    App::load(directory).map(Some)
}

/// Whether no app was named and there is none.
fn is_absent(directory: &Path) -> bool {
    directory == Path::new(".") && !Path::new("pyproject.toml").exists()
}

/// Resolves the federation, and reports it under `-v`.
fn choose(app: Option<&App>, target: &Target, output: &mut Output) -> Result<ResolvedFederation> {
    for word in ignored_words("--federation-config", &target.federation_config) {
        output.warn(&word);
    }
    let chosen = Surroundings::of_process().choose(app, target)?;
    output.using(&chosen);
    tell_way(&chosen, output)?;
    Ok(chosen)
}

/// Warns about the address, and reports a proxy that the user's environment names.
fn tell_way(chosen: &ResolvedFederation, output: &mut Output) -> Result<()> {
    let federation = &chosen.federation;
    let Some(address) = &federation.address else {
        return Ok(());
    };
    let proxies = proxies(federation.proxy.as_ref())?;
    if let Some(warning) = proxies.warning(&address.host, address.port) {
        output.warn(&warning.to_string());
    }
    if let Some(advice) = address.advice() {
        output.warn(&advice);
    }
    if let Route::Through(proxy) = proxies.route(&address.host, address.port) {
        output.talk(&format!("Connecting to {address} through {proxy}"));
    }
    Ok(())
}

/// Resolves the federation, with or without an app.
fn federation_of(target: &Target, output: &mut Output) -> Result<ResolvedFederation> {
    let target = &target.meant();
    if is_absent(&target.app) {
        return match choose(None, target, output) {
            // Neither an app nor anything else that names a federation.
            Err(Error::Federation(FederationError::NoDefault)) => {
                Err(Error::NoProject("./pyproject.toml".into()))
            }
            chosen => chosen,
        };
    }
    let app = load(&target.app, output)?;
    choose(Some(&app), target, output)
}

/// Prepares the connection to the federation's SuperLink.
fn reach(target: &Target, command: &'static str, output: &mut Output) -> Result<SuperLink> {
    SuperLink::connect(&federation_of(target, output)?, command)
}
