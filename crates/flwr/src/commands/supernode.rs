//! `flwr supernode list`: the SuperNodes that are registered.

use flwr_core::port::Control as _;

use crate::cli::SupernodeListArgs;
use crate::error::Result;
use crate::render::{NodeRow, Output};

pub(super) async fn list(args: &SupernodeListArgs, output: &mut Output) -> Result<()> {
    let superlink = super::reach(&args.target, "supernode", output)?;
    output.progress("📄 Listing all nodes...");
    let busy = output.busy("Asking the SuperLink");
    let nodes = superlink.control.nodes().await;
    busy.finish_and_clear();
    let rows = NodeRow::all(&nodes?);
    output.nodes(&rows)?;
    if rows.is_empty() {
        output.suggest(
            "no SuperNode is registered; start one with `flower-supernode --superlink HOST:9092`, HOST being the \
             SuperLink's",
        );
    }
    Ok(())
}
