//! `flwr run`: bundle the app, have the SuperLink run it, and on request watch it to its end.

use flwr_core::config::{self, UserConfig};
use flwr_core::fab::Fab;
use flwr_core::id::RunId;
use flwr_core::port::Control;
use flwr_core::port::control::Start;
use flwr_core::project::Federation;
use flwr_core::run::{Outcome, Phase};
use serde_json::json;

use super::log::{Reader, Seen, follow};
use crate::cli::RunArgs;
use crate::connect::SuperLink;
use crate::error::{Error, Result};
use crate::project::{App, Bundle, config_error, ignored_words, overrides};
use crate::render::Output;
use crate::resolved::ResolvedFederation;

const FLAG: &str = "--run-config";

pub(super) async fn run(args: &RunArgs, output: &mut Output) -> Result<()> {
    let app = super::load(&args.target.app, output)?;
    let chosen = super::offer::choose(&app, args, output).await?;
    let override_config = run_config(args, &app)?;
    for line in app
        .warnings
        .iter()
        .cloned()
        .chain(ignored_words(FLAG, &args.run_config))
    {
        output.warn(&line);
    }
    let superlink = SuperLink::connect(&chosen, "run")?;
    let Bundle { fab, warnings } = app.bundle()?;
    for warning in &warnings {
        output.warn(warning);
    }
    let (name, size) = (fab.file_name(), fab.bytes.len());
    output.talk(&format!("Bundled {name}: {size} bytes"));
    let mut start = start(&fab, &override_config, &chosen.federation)?;
    if let Some(id) = &args.federation_id {
        start.federation.clone_from(id);
    }
    if args.dry_run {
        return rehearsed(&fab, &override_config, &chosen, output);
    }
    let control = &superlink.control;
    let run = send(control, start, &chosen, output).await?;
    output.success(&format!("🎊 Successfully started run {run}"))?;
    output.json(&started(run, &fab))?;
    let mut reader = match (args.stream, args.wait) {
        (true, _) => Reader::Screen(output),
        (false, true) => Reader::Nobody,
        (false, false) => return Ok(()),
    };
    follow(control, run, Seen::default(), &mut reader).await?;
    verdict(control, run).await
}

/// Has the SuperLink start the run. The answer is the run's id.
async fn send(
    control: &impl Control,
    start: Start,
    chosen: &ResolvedFederation,
    output: &mut Output,
) -> Result<RunId> {
    let busy = output.busy(&format!(
        "Sending it to federation `{}`",
        chosen.federation.name
    ));
    let answer = control.start(start).await;
    busy.finish_and_clear();
    answer?.ok_or(Error::NotStarted)
}

/// What would have been sent, and where.
fn rehearsed(
    fab: &Fab,
    override_config: &UserConfig,
    chosen: &ResolvedFederation,
    output: &mut Output,
) -> Result<()> {
    let federation = &chosen.federation;
    let address = federation.address.as_ref().map(ToString::to_string);
    output.success(&format!(
        "Everything is in order: {}, {} bytes, would run on federation `{}` ({}). Nothing was sent.",
        fab.file_name(),
        fab.bytes.len(),
        federation.name,
        address.as_deref().unwrap_or_default(),
    ))?;
    let mut answer = json!({"success": true, "dry-run": true});
    super::describe(fab, &mut answer);
    answer["federation"] = json!(federation.name);
    answer["address"] = json!(address);
    answer["run-config-overrides"] = json!(override_config.keys().collect::<Vec<_>>());
    output.json(&answer)
}

/// The overrides, each of a key that the app has: the SuperLink would start the run and leave it
/// to the ServerApp to fail.
fn run_config(args: &RunArgs, app: &App) -> Result<UserConfig> {
    let given = overrides(FLAG, &args.run_config)?;
    let given = config::flatten(&given).map_err(config_error(FLAG))?;
    config::fuse(&app.project().manifest().config, &given).map_err(config_error(FLAG))?;
    Ok(given)
}

fn start(fab: &Fab, overrides: &UserConfig, federation: &Federation) -> Result<Start> {
    let options =
        config::flatten(&federation.options).map_err(config_error("the federation's options"))?;
    Ok(Start {
        fab: fab.bytes.clone(),
        overrides: overrides.clone(),
        options,
        federation: federation.federation.clone().unwrap_or_default(),
        ..Start::default()
    })
}

fn started(run: RunId, fab: &Fab) -> serde_json::Value {
    let mut answer = super::run_answer(run.0);
    super::describe(fab, &mut answer);
    answer
}

/// How a run ended whose log is at its end.
async fn verdict(control: &impl Control, id: RunId) -> Result<()> {
    let runs = control.runs(Some(id)).await?.runs;
    let Some(run) = runs.into_iter().find(|run| run.id == id) else {
        return Ok(());
    };
    match run.status.phase {
        Phase::Finished(Outcome::Completed) => Ok(()),
        phase => Err(Error::NotCompleted {
            run_id: id.0,
            status: phase.to_string(),
            details: run.status.details,
        }),
    }
}
