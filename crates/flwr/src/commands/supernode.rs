//! `flwr supernode list`: the SuperNodes that are registered.

use crate::cli::SupernodeListArgs;
use crate::error::Result;
use crate::render::{NodeRow, Output};

pub(super) async fn list(args: &SupernodeListArgs, output: &mut Output) -> Result<()> {
    let mut superlink = super::reach(&args.target, "supernode", output)?;
    output.say("📄 Listing all nodes...")?;
    let response = superlink.list_nodes().await?;
    output.nodes(&NodeRow::all(&response))
}
