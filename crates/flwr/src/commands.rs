//! One module per verb.

use crate::cli::{CertCommand, Command, KeyCommand, SupernodeCommand, Target};
use crate::connect::SuperLink;
use crate::error::Result;
use crate::project::App;
use crate::render::Output;

mod build;
mod cert;
mod key;
mod list;
mod log;
mod manual;
mod run;
mod stop;
mod supernode;

/// Does what the command says.
pub(crate) async fn execute(command: Command, output: &mut Output) -> Result<()> {
    match command {
        Command::Run(args) => run::run(&args, output).await,
        Command::Build(args) => build::build(&args, output),
        Command::Log(args) => log::log(&args, output).await,
        Command::List(args) => list::list(&args, output).await,
        Command::Stop(args) => stop::stop(&args, output).await,
        Command::Supernode {
            command: SupernodeCommand::List(args),
        } => supernode::list(&args, output).await,
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

/// Reads the app and tells about it, as every command that needs one begins.
fn load(target: &Target, output: &mut Output) -> Result<App> {
    output.say("Loading project configuration... ")?;
    let app = App::load(&target.app)?;
    output.say("Success")?;
    for word in crate::project::ignored_words("--federation-config", &target.federation_config) {
        output.warn(&word);
    }
    Ok(app)
}

/// Reads the app and prepares the line to the SuperLink of the federation.
fn reach(target: &Target, command: &'static str, output: &mut Output) -> Result<SuperLink> {
    let app = load(target, output)?;
    let federation = app.federation(target)?;
    SuperLink::connect(&app, &federation, command)
}
