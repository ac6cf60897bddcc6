//! `flwr stop`: end a run.

use serde_json::json;

use crate::cli::StopArgs;
use crate::error::{Error, Result};
use crate::render::Output;

pub(super) async fn stop(args: &StopArgs, output: &mut Output) -> Result<()> {
    let run_id = args.run_id;
    let mut superlink = super::reach(&args.target, "stop", output)?;
    output.say(&format!("✋ Stopping run ID {run_id}..."))?;
    if !superlink.stop_run(run_id).await?.success {
        return Err(Error::NotStopped(run_id));
    }
    output.success(&format!("✅ Run {run_id} successfully stopped."))?;
    output.json(&json!({"success": true, "run-id": run_id}))
}
