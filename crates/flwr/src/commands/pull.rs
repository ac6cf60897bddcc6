//! `flwr pull`: prints the address of a run's artifacts.

use flwr_core::id::RunId;
use flwr_core::port::Control as _;

use crate::cli::PullArgs;
use crate::error::{Error, Result};
use crate::render::{Output, printable};

pub(super) async fn pull(args: &PullArgs, output: &mut Output) -> Result<()> {
    let (run_id, target) = args.run().ok_or(Error::NoRun)?;
    let superlink = super::reach(&target, "pull", output)?;
    let busy = output.busy("Asking the SuperLink");
    let answer = superlink.control.artifacts(RunId(run_id)).await;
    busy.finish_and_clear();
    let url = match answer {
        Err(failure) if super::is_not_offered(&failure) => None,
        answer => answer?,
    };
    let url = url.ok_or(Error::NoArtifacts(run_id))?;
    output.success(&format!(
        "✅ Artifacts for run {run_id} can be downloaded from: {}",
        printable(&url)
    ))?;
    let mut answer = super::run_answer(run_id);
    answer["url"] = url.into();
    output.json(&answer)
}
