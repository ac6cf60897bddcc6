//! `flwr list` and `flwr ls`: the runs of a federation, or one of them.

use std::time::Duration;

use tokio::time::sleep;

use crate::cli::ListArgs;
use crate::connect::SuperLink;
use crate::error::Result;
use crate::render::{Output, RunRow, status_words};

/// Wait between two looks.
const PAUSE: Duration = Duration::from_secs(2);

pub(super) async fn list(args: &ListArgs, output: &mut Output) -> Result<()> {
    let mut superlink = super::reach(&args.target, "ls", output)?;
    match args.run_id {
        Some(run_id) => {
            output.progress(&format!("🔍 Displaying information for run ID {run_id}..."))
        }
        None => output.progress("📄 Listing all runs..."),
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
        let response = superlink.list_runs(run_id).await?;
        output.again()?;
        output.runs(&RunRow::all(&response))?;
        sleep(PAUSE).await;
    }
}

async fn print(superlink: &mut SuperLink, run_id: Option<u64>, output: &mut Output) -> Result<()> {
    let busy = output.busy("Asking the SuperLink");
    let response = superlink.list_runs(run_id).await;
    busy.finish_and_clear();
    let response = response?;
    output.runs(&RunRow::all(&response))?;
    if response.run_dict.is_empty() {
        output.suggest("there are no runs; `flwr run` starts one");
    }
    let mut runs = response.run_dict.values();
    if runs.any(|run| !status_words(run).0.starts_with("finished")) {
        tell_nodes(superlink, output).await;
    }
    Ok(())
}

/// How many SuperNodes an unfinished run can reach: apps may wait for more.
async fn tell_nodes(superlink: &mut SuperLink, output: &mut Output) {
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
