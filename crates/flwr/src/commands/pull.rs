//! `flwr pull`: where the artifacts of a run are.

use serde_json::json;
use tonic::Code;

use crate::cli::PullArgs;
use crate::error::{Error, Result};
use crate::render::{Output, printable};

pub(super) async fn pull(args: &PullArgs, output: &mut Output) -> Result<()> {
    let run_id = args.run_id;
    let mut superlink = super::reach(&args.target, "pull", output)?;
    let url = match superlink.pull_artifacts(run_id).await {
        Err(status) if status.code() == Code::Unimplemented => None,
        answer => answer?.url,
    };
    let url = url.ok_or(Error::NoArtifacts(run_id))?;
    output.success(&format!(
        "✅ Artifacts for run {run_id} can be downloaded from: {}",
        printable(&url)
    ))?;
    output.json(&json!({"success": true, "run-id": run_id, "url": url}))
}
