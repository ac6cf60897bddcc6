//! `flwr list` and `flwr ls`: the runs of a federation, or one of them.

use crate::cli::ListArgs;
use crate::error::Result;
use crate::render::{Output, RunRow};

pub(super) async fn list(args: &ListArgs, output: &mut Output) -> Result<()> {
    let mut superlink = super::reach(&args.target, "ls", output)?;
    match args.run_id {
        Some(run_id) => output.say(&format!("🔍 Displaying information for run ID {run_id}..."))?,
        None => output.say("📄 Listing all runs...")?,
    }
    let response = superlink.list_runs(args.run_id).await?;
    output.runs(&RunRow::all(&response))
}
