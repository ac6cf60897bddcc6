//! `flwr list` and `flwr ls`: the runs of a federation, or one of them.

use std::time::Duration;

use flwr_client::line::Line;
use flwr_core::id::RunId;
use flwr_core::port::Control as _;
use tokio::time::sleep;

use crate::cli::ListArgs;
use crate::connect::SuperLink;
use crate::error::Result;
use crate::render::{Output, RunRow};

/// Wait between two looks.
const PAUSE: Duration = Duration::from_secs(2);

pub(super) async fn list(args: &ListArgs, output: &mut Output) -> Result<()> {
    let superlink = super::reach(&args.target, "ls", output)?;
    match args.run_id {
        Some(run_id) => {
            output.progress(&format!("🔍 Displaying information for run ID {run_id}..."))
        }
        None => output.progress("📄 Listing all runs..."),
    }
    let run_id = args.run_id.map(RunId);
    if !args.watch {
        return print(&superlink, run_id, output).await;
    }
    tokio::select! {
        ended = watch(&superlink, run_id, output) => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn watch(
    superlink: &SuperLink<impl Line>,
    run_id: Option<RunId>,
    output: &mut Output,
) -> Result<()> {
    loop {
        let runs = superlink.control.runs(run_id).await?;
        output.again()?;
        output.runs(&RunRow::all(&runs))?;
        sleep(PAUSE).await;
    }
}

async fn print(
    superlink: &SuperLink<impl Line>,
    run_id: Option<RunId>,
    output: &mut Output,
) -> Result<()> {
    let busy = output.busy("Asking the SuperLink");
    let runs = superlink.control.runs(run_id).await;
    busy.finish_and_clear();
    let runs = runs?;
    output.runs(&RunRow::all(&runs))?;
    if runs.runs.is_empty() {
        output.suggest("there are no runs; `flwr run` starts one");
    }
    let mut runs = runs.runs.iter();
    if runs.any(|run| !run.status.phase.is_finished()) {
        tell_nodes(superlink, output).await;
    }
    Ok(())
}

/// How many SuperNodes an unfinished run can reach: apps may wait for more.
async fn tell_nodes(superlink: &SuperLink<impl Line>, output: &mut Output) {
    // The list of runs is the answer; a SuperLink that does not tell its nodes has given it.
    let Ok(online) = superlink.nodes_online().await else {
        return;
    };
    let what = match online {
        0 => "no SuperNode is online; an app that needs one waits".to_owned(),
        1 => "1 SuperNode is online; an app that needs more waits".to_owned(),
        online => format!("{online} SuperNodes are online; an app that needs more waits"),
    };
    output.suggest(&format!("{what} (`flwr supernode list`)"));
}
