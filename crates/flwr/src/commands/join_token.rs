//! `flwr supernode join-token`: tokens by which SuperNodes join.

use flwr_core::address::Address;
use flwr_core::port::JoinTokens as _;
use flwr_core::port::joining::{IssuedJoinToken, NewJoinToken};
use serde_json::json;

use crate::cli::{JoinTokenCommand, JoinTokenListArgs, JoinTokenNewArgs, JoinTokenRevokeArgs};
use crate::connect::SuperLink;
use crate::error::Result;
use crate::render::{Output, TokenRow};

pub(super) async fn execute(command: &JoinTokenCommand, output: &mut Output) -> Result<()> {
    match command {
        JoinTokenCommand::New(args) => new(args, output).await,
        JoinTokenCommand::List(args) => list(args, output).await,
        JoinTokenCommand::Revoke(args) => revoke(args, output).await,
    }
}

async fn new(args: &JoinTokenNewArgs, output: &mut Output) -> Result<()> {
    let chosen = super::federation_of(&args.at.target(), output)?;
    let address = chosen.federation.address.as_ref();
    let host = address.map_or_else(String::new, |address| address.host.clone());
    let superlink = SuperLink::connect(&chosen, "supernode")?;
    let token = NewJoinToken {
        address: args.address.clone(),
        host,
        name: args.name.clone(),
        ttl: args.ttl,
        uses: args.uses,
    };
    let busy = output.busy("Asking the SuperLink");
    let issued = superlink.control.issue_join_token(token).await;
    busy.finish_and_clear();
    let IssuedJoinToken { token, about } = issued?;
    let command = format!("flower-supernode --join {token}");
    let who = match about.uses {
        1 => "one SuperNode joins".to_owned(),
        uses => format!("{uses} SuperNodes join"),
    };
    let (time, at) = (humantime::format_duration(args.ttl), &about.address);
    output.say(&command)?;
    output.suggest(&format!(
        "type this where the data is: {who} with it within {time}, at {at}; whoever has the token can join"
    ));
    let is_here = Address::from_target(&about.address).is_ok_and(|address| address.is_loopback());
    if is_here {
        output.suggest(&format!(
            "{at} is this machine only: for a SuperNode elsewhere, name the SuperLink as it is reached from \
             there, --address HOST:9092"
        ));
    }
    let mut answer = TokenRow::new(&about, about.issued_at).json();
    answer["success"] = true.into();
    answer["token"] = token.into();
    answer["command"] = command.into();
    output.json(&answer)
}

async fn list(args: &JoinTokenListArgs, output: &mut Output) -> Result<()> {
    let superlink = super::reach(&args.at.target(), "supernode", output)?;
    output.progress("📄 Listing all join tokens...");
    let busy = output.busy("Asking the SuperLink");
    let list = superlink.control.join_tokens().await;
    busy.finish_and_clear();
    let list = list?;
    let rows: Vec<_> = list
        .tokens
        .iter()
        .map(|token| TokenRow::new(token, list.now))
        .collect();
    output.join_tokens(&rows)?;
    if rows.is_empty() {
        output.suggest("there is no join token; `flwr supernode join-token new` makes one");
    }
    Ok(())
}

async fn revoke(args: &JoinTokenRevokeArgs, output: &mut Output) -> Result<()> {
    let superlink = super::reach(&args.at.target(), "supernode", output)?;
    let busy = output.busy("Asking the SuperLink");
    let revoked = superlink.control.revoke_join_token(&args.id).await;
    busy.finish_and_clear();
    revoked?;
    output.success(&format!("✅ Join token {} revoked.", args.id))?;
    output.json(&json!({"success": true, "token-id": args.id}))
}
