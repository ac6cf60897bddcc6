//! `flwr supernode`: the SuperNodes of a SuperLink, their registration and its end.

use flwr_core::id::NodeId;
use flwr_core::port::control::NewNode;
use flwr_core::port::joining::{JoinTokenInfo, JoinTokenList};
use flwr_core::port::{Control as _, JoinTokens as _};
use flwr_security::key::PublicKey;
use serde_json::{Value, json};

use crate::cli::{
    SupernodeCommand, SupernodeListArgs, SupernodeRegisterArgs, SupernodeUnregisterArgs,
};
use crate::error::{Error, Result};
use crate::render::{NodeRow, Output};

pub(super) async fn execute(command: &SupernodeCommand, output: &mut Output) -> Result<()> {
    match command {
        SupernodeCommand::Register(args) => register(args, output).await,
        SupernodeCommand::Unregister(args) => unregister(args, output).await,
        SupernodeCommand::List(args) => list(args, output).await,
        SupernodeCommand::JoinToken { command } => {
            super::join_token::execute(command, output).await
        }
    }
}

async fn register(args: &SupernodeRegisterArgs, output: &mut Output) -> Result<()> {
    let key = PublicKey::from_file(&args.key).map_err(|error| Error::Key(error.into()))?;
    let superlink = super::reach(&args.at.target(), "supernode", output)?;
    let node = NewNode {
        key: key.to_spki().into(),
        name: args.name.clone(),
        location: args.location.clone(),
    };
    let busy = output.busy("Asking the SuperLink");
    let answer = superlink.control.enroll(node).await;
    busy.finish_and_clear();
    let node = answer?.ok_or(Error::NotRegistered)?;
    output.success(&format!("✅ SuperNode {node} registered successfully."))?;
    output.json(&about(node))
}

async fn unregister(args: &SupernodeUnregisterArgs, output: &mut Output) -> Result<()> {
    let node = NodeId(args.node);
    let superlink = super::reach(&args.at.target(), "supernode", output)?;
    let busy = output.busy("Asking the SuperLink");
    let answer = superlink.control.dismiss(node).await;
    busy.finish_and_clear();
    answer?;
    output.success(&format!("✅ SuperNode {node} unregistered successfully."))?;
    // The node is gone, whatever becomes of this question. flwr's SuperLinks have no tokens.
    if let Ok(list) = superlink.control.join_tokens().await
        && let Some(token) = open_token(&list, node)
    {
        output.suggest(&format!(
            "the SuperNode joined with token {}, by which more can join ({} of {} uses are left): `flwr supernode join-token revoke {}` ends the token",
            token.id, token.uses_left, token.uses, token.id
        ));
    }
    output.json(&about(node))
}

/// The token by which the node joined, if others can still join with the token.
fn open_token(list: &JoinTokenList, node: NodeId) -> Option<&JoinTokenInfo> {
    list.tokens.iter().find(|token| {
        token.nodes.contains(&node)
            && token.uses_left > 0
            && token.revoked_at.is_none()
            && token.expires_at > list.now
    })
}

/// The answer about a node. As with runs, the id is there as a text too, for readers of doubles.
fn about(node: NodeId) -> Value {
    json!({"success": true, "node-id": node.0, "node-id-text": node.to_string()})
}

async fn list(args: &SupernodeListArgs, output: &mut Output) -> Result<()> {
    let superlink = super::reach(&args.target, "supernode", output)?;
    output.progress("📄 Listing all nodes...");
    let busy = output.busy("Asking the SuperLink");
    let nodes = superlink.control.nodes().await;
    busy.finish_and_clear();
    let rows = NodeRow::all(&nodes?);
    output.nodes(&rows)?;
    if rows.iter().all(NodeRow::is_gone) {
        output.suggest(
            "no SuperNode is registered; start one with `flower-supernode --superlink HOST:9092`, HOST being the \
             SuperLink's",
        );
    }
    Ok(())
}
