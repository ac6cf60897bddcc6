//! `flwr stop`: end a run.

use flwr_core::id::RunId;
use flwr_core::port::Control as _;

use super::latest::Newest;
use super::new::Asker;
use crate::cli::{RunName, StopArgs};
use crate::error::{Error, Result};
use crate::render::Output;

pub(super) async fn stop(args: &StopArgs, output: &mut Output) -> Result<()> {
    let superlink = super::reach(&args.target, "stop", output)?;
    let run_id = match args.run {
        RunName::Id(run_id) => run_id,
        RunName::Latest => {
            let newest = Newest::find(&superlink).await?;
            if !args.yes && !newest.is_callers {
                ask(&newest)?;
            }
            newest.run_id
        }
    };
    output.progress(&format!("✋ Stopping run ID {run_id}..."));
    let busy = output.busy(&format!("Stopping run {run_id}"));
    let answer = superlink.control.stop(RunId(run_id)).await;
    busy.finish_and_clear();
    if !answer? {
        return Err(Error::NotStopped(run_id));
    }
    output.success(&format!("✅ Run {run_id} successfully stopped."))?;
    output.json(&super::run_answer(run_id))
}

/// Where nobody logs in, the newest run may be of somebody else.
fn ask(newest: &Newest) -> Result<()> {
    let mut asker = Asker::of_terminal();
    let unasked = || Error::NotAsked {
        run_id: newest.run_id,
        app: newest.app.clone(),
    };
    let question = format!(
        "Stop run {} ({}, {})? [y/N]",
        newest.run_id, newest.app, newest.status
    );
    let answer = asker.ask(&question, "--yes").map_err(|_| unasked())?;
    match answer.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::LeftRunning(newest.run_id)),
    }
}
