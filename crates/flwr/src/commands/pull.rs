//! `flwr pull`: prints the address of a run's artifacts.

use tonic::Code;

use crate::cli::PullArgs;
use crate::error::{Error, Result};
use crate::render::{Output, printable};

pub(super) async fn pull(args: &PullArgs, output: &mut Output) -> Result<()> {
    let run_id = args.run_id;
    let mut superlink = super::reach(&args.target, "pull", output)?;
    let busy = output.busy("Asking the SuperLink");
    let answer = superlink.pull_artifacts(run_id).await;
    busy.finish_and_clear();
    let url = match answer {
        Err(status) if status.code() == Code::Unimplemented => None,
        answer => answer?.url,
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
