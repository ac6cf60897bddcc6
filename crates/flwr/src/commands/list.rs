//! `flwr list` and `flwr ls`: the runs of a federation, or one of them.

use std::time::Duration;

use tokio::time::sleep;

use crate::cli::ListArgs;
use crate::connect::SuperLink;
use crate::error::Result;
use crate::render::{Output, RunRow};

/// Wait between two looks.
const PAUSE: Duration = Duration::from_secs(2);

pub(super) async fn list(args: &ListArgs, output: &mut Output) -> Result<()> {
    let mut superlink = super::reach(&args.target, "ls", output)?;
    match args.run_id {
        Some(run_id) => output.say(&format!("🔍 Displaying information for run ID {run_id}..."))?,
        None => output.say("📄 Listing all runs...")?,
    }
    if !args.watch {
        return print(&mut superlink, args.run_id, output).await;
    }
    tokio::select! {
        ended = watch(&mut superlink, args.run_id, output) => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn watch(superlink: &mut SuperLink, run_id: Option<u64>, output: &mut Output) -> Result<()> {
    loop {
        output.again()?;
        print(superlink, run_id, output).await?;
        sleep(PAUSE).await;
    }
}

async fn print(superlink: &mut SuperLink, run_id: Option<u64>, output: &mut Output) -> Result<()> {
    let response = superlink.list_runs(run_id).await?;
    output.runs(&RunRow::all(&response))
}
