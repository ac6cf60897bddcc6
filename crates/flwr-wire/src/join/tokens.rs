//! Join tokens in the hands of people: both halves of JoinTokens.

use std::time::Duration;

use flwr_core::id::NodeId;
use flwr_core::port::joining::{IssuedJoinToken, JoinTokenInfo, JoinTokenList, NewJoinToken};
use flwr_core::port::{JoinTokens, Result};
use flwr_core::refusal::{Refusal, Silence, Unanswered};
use flwr_core::time::Timestamp;
use flwr_proto::join::{
    IssueRequest, IssueResponse, JoinToken, ListRequest, ListResponse, RevokeRequest,
    RevokeResponse,
};

use crate::line::Line;
use crate::methods::Request;
use crate::methods::session::Methods;
use crate::rpc::Rpc;

const ISSUE: Rpc<IssueRequest, IssueResponse> = Rpc::at("/flower.join.JoinTokens/Issue");
const LIST: Rpc<ListRequest, ListResponse> = Rpc::at("/flower.join.JoinTokens/List");
const REVOKE: Rpc<RevokeRequest, RevokeResponse> = Rpc::at("/flower.join.JoinTokens/Revoke");

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(300);

/// What people call beside Control.
pub(crate) fn serve<T: JoinTokens>(m: &mut Methods<T>) {
    m.call(ISSUE, issue);
    m.call(LIST, list);
    m.call(REVOKE, revoke);
}

async fn issue(tokens: impl JoinTokens, request: Request<IssueRequest>) -> Result<IssueResponse> {
    let IssueRequest {
        address,
        host,
        name,
        ttl,
        uses,
    } = request.message;
    let address = some(address).map(|address| address.parse()).transpose();
    let address = address.map_err(|problem: flwr_core::address::AddressError| {
        Refusal::field("address", problem.to_string())
    });
    let issued = tokens.issue_join_token(NewJoinToken {
        address: address?,
        host,
        name: some(name),
        ttl: Duration::from_secs(ttl),
        uses,
    });
    let IssuedJoinToken { token, about } = issued.await?;
    Ok(IssueResponse {
        token,
        about: Some(to_message(about)),
    })
}

async fn list(tokens: impl JoinTokens, _: Request<ListRequest>) -> Result<ListResponse> {
    let JoinTokenList { tokens, now } = tokens.join_tokens().await?;
    Ok(ListResponse {
        tokens: tokens.into_iter().map(to_message).collect(),
        now: now.as_secs(),
    })
}

async fn revoke(
    tokens: impl JoinTokens,
    request: Request<RevokeRequest>,
) -> Result<RevokeResponse> {
    tokens.revoke_join_token(&request.message.id).await?;
    Ok(RevokeResponse {})
}

pub(crate) async fn call_issue(line: &impl Line, new: NewJoinToken) -> Result<IssuedJoinToken> {
    let NewJoinToken {
        address,
        host,
        name,
        ttl,
        uses,
    } = new;
    let request = IssueRequest {
        address: address.map_or_else(String::new, |address| address.to_string()),
        host,
        name: name.unwrap_or_default(),
        ttl: ttl.as_secs(),
        uses,
    };
    let IssueResponse { token, about } = ISSUE.call_within(line, request, LIMIT).await?;
    let about = about.ok_or_else(|| {
        let text = "the SuperLink made a join token and says nothing of it";
        Unanswered::new(Silence::Broken, text)
    })?;
    Ok(IssuedJoinToken {
        token,
        about: from_message(about),
    })
}

pub(crate) async fn call_list(line: &impl Line) -> Result<JoinTokenList> {
    let ListResponse { tokens, now } = LIST.call_within(line, ListRequest {}, LIMIT).await?;
    Ok(JoinTokenList {
        tokens: tokens.into_iter().map(from_message).collect(),
        now: Timestamp::from_secs(now),
    })
}

pub(crate) async fn call_revoke(line: &impl Line, id: &str) -> Result<()> {
    let request = RevokeRequest { id: id.to_owned() };
    let RevokeResponse {} = REVOKE.call_within(line, request, LIMIT).await?;
    Ok(())
}

fn to_message(token: JoinTokenInfo) -> JoinToken {
    let JoinTokenInfo {
        id,
        owner,
        name,
        address,
        issued_at,
        expires_at,
        uses,
        uses_left,
        revoked_at,
        nodes,
    } = token;
    JoinToken {
        id,
        owner,
        name: name.unwrap_or_default(),
        address,
        issued_at: issued_at.as_secs(),
        expires_at: expires_at.as_secs(),
        uses,
        uses_left,
        revoked_at: revoked_at.map(Timestamp::as_secs),
        node_ids: nodes.into_iter().map(|node| node.0).collect(),
    }
}

fn from_message(token: JoinToken) -> JoinTokenInfo {
    let JoinToken {
        id,
        owner,
        name,
        address,
        issued_at,
        expires_at,
        uses,
        uses_left,
        revoked_at,
        node_ids,
    } = token;
    JoinTokenInfo {
        id,
        owner,
        name: some(name),
        address,
        issued_at: Timestamp::from_secs(issued_at),
        expires_at: Timestamp::from_secs(expires_at),
        uses,
        uses_left,
        revoked_at: revoked_at.map(Timestamp::from_secs),
        nodes: node_ids.into_iter().map(NodeId).collect(),
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
