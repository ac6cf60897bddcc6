//! Nodes and federations, which releases lay out differently. An answer does not say of which release
//! it is. The one layout is tried after the other: a status that is a status tells the layout of a node.

use bytes::Bytes;
use flwr_core::id::NodeId;
use flwr_core::port::Result;
use flwr_core::port::control::{
    AccountInfo, Federation, Member, NodeInfo, NodeStatus, Nodes, WholeFederation,
};
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use flwr_proto::v1_10;
use flwr_security::key::spki_from_pem;
use prost::Message;

use super::read::runs_of;
use crate::objects::unreadable;

/// `ListNodesResponse`, with nodes in any layout.
#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyNodes {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    nodes: Vec<Bytes>,
    #[prost(string, tag = "2")]
    now: String,
}

/// `ListFederationsResponse`, with federations in any layout.
#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyFederations {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    federations: Vec<Bytes>,
}

/// `ShowFederationResponse`, with a federation in any layout.
#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyFederation {
    #[prost(bytes = "bytes", tag = "1")]
    federation: Bytes,
    #[prost(string, tag = "2")]
    now: String,
}

pub(super) fn nodes(answer: AnyNodes) -> Result<Nodes> {
    let nodes = answer.nodes.into_iter().map(any_node);
    let mut nodes = nodes.collect::<Result<Vec<_>>>()?;
    nodes.sort_by_key(|node| node.id.0);
    Ok(Nodes {
        nodes,
        now: Timestamp::from_iso8601(&answer.now),
    })
}

/// A node in the layout of flwr 1.24 and later, or of 1.23.
fn any_node(bytes: Bytes) -> Result<NodeInfo> {
    let later = proto::NodeInfo::decode(bytes.clone());
    if let Ok(info) = &later
        && status(&info.status).is_some()
    {
        return node(info.clone());
    }
    if let Ok(info) = v1_10::NodeInfo::decode(bytes)
        && status(&info.status).is_some()
    {
        return node(as_later(info));
    }
    match later {
        Ok(info) => node(info),
        Err(error) => Err(unreadable(&error.to_string())),
    }
}

fn as_later(info: v1_10::NodeInfo) -> proto::NodeInfo {
    proto::NodeInfo {
        node_id: info.node_id,
        owner_aid: info.owner_aid,
        status: info.status,
        registered_at: info.registered_at,
        last_activated_at: info.last_activated_at,
        last_deactivated_at: info.last_deactivated_at,
        unregistered_at: info.unregistered_at,
        online_until: info.online_until,
        heartbeat_interval: info.heartbeat_interval,
        public_key: info.public_key,
        ..proto::NodeInfo::default()
    }
}

fn status(word: &str) -> Option<NodeStatus> {
    let mut all = NodeStatus::ALL.into_iter();
    all.find(|status| status.name() == word)
}

fn node(node: proto::NodeInfo) -> Result<NodeInfo> {
    let id = NodeId(node.node_id);
    let wrong = || unreadable(&format!("node {id}: `status` is {:?}", node.status));
    let moment = |text: Option<String>| Timestamp::from_iso8601(&text?);
    Ok(NodeInfo {
        id,
        status: status(&node.status).ok_or_else(wrong)?,
        owner: AccountInfo {
            id: node.owner_aid,
            name: node.owner_name,
        },
        registered_at: moment(Some(node.registered_at)),
        activated_at: moment(node.last_activated_at),
        deactivated_at: moment(node.last_deactivated_at),
        unregistered_at: moment(node.unregistered_at),
        online_until: node.online_until.map(Timestamp::from_secs),
        key: spki_from_pem(&node.public_key).unwrap_or_default().into(),
        name: node.name,
        location: node.location,
        certificate: node.certificate,
    })
}

pub(super) fn federations(answer: AnyFederations) -> Result<Vec<Federation>> {
    let federations = answer.federations.into_iter();
    let outline = |bytes| Ok(any_federation(bytes)?.outline());
    federations.map(outline).collect()
}

pub(super) fn federation(answer: AnyFederation) -> Result<WholeFederation> {
    let federation = any_federation(answer.federation)?;
    let outline = federation.outline();
    let AnyLayout {
        members,
        nodes,
        runs,
        ..
    } = federation;
    let nodes = nodes.into_iter().map(node).collect::<Result<Vec<_>>>()?;
    Ok(WholeFederation {
        federation: outline,
        members,
        nodes,
        runs: runs_of(runs.into_iter(), &answer.now)?,
    })
}

/// What both layouts of a federation have.
struct AnyLayout {
    name: String,
    description: String,
    archived: bool,
    simulation: bool,
    members: Vec<Member>,
    nodes: Vec<proto::NodeInfo>,
    runs: Vec<proto::Run>,
}

impl AnyLayout {
    fn outline(&self) -> Federation {
        Federation {
            id: self.name.clone(),
            description: self.description.clone(),
            archived: self.archived,
            simulation: self.simulation,
        }
    }
}

/// A federation in the layout of flwr 1.27 and later, or of 1.24 to 1.26.
fn any_federation(bytes: Bytes) -> Result<AnyLayout> {
    let is_readable = |nodes: &[proto::NodeInfo]| {
        let mut nodes = nodes.iter();
        nodes.all(|node| status(&node.status).is_some())
    };
    let later = match proto::Federation::decode(bytes.clone()) {
        Ok(later) if is_readable(&later.nodes) => return Ok(later.into()),
        later => later,
    };
    match (v1_10::Federation::decode(bytes), later) {
        (Ok(earlier), _) if is_readable(&earlier.nodes) => Ok(earlier.into()),
        (_, Ok(later)) => Ok(later.into()),
        (_, Err(error)) => Err(unreadable(&error.to_string())),
    }
}

impl From<proto::Federation> for AnyLayout {
    fn from(federation: proto::Federation) -> Self {
        let member = |member: proto::Member| Member {
            account: account(member.account.unwrap_or_default()),
            role: member.role,
        };
        Self {
            name: federation.name,
            description: federation.description,
            archived: federation.archived,
            simulation: federation.simulation,
            members: federation.members.into_iter().map(member).collect(),
            nodes: federation.nodes,
            runs: federation.runs,
        }
    }
}

/// flwr 1.24 and 1.25 give the ids of accounts, and 1.26 gives their names too.
impl From<v1_10::Federation> for AnyLayout {
    fn from(federation: v1_10::Federation) -> Self {
        let mut accounts: Vec<AccountInfo> = federation.accounts.into_iter().map(account).collect();
        if accounts.is_empty() {
            let known_by_id = |id: String| AccountInfo {
                name: id.clone(),
                id,
            };
            accounts.extend(federation.member_aids.into_iter().map(known_by_id));
        }
        let member = |account| Member {
            account,
            role: String::new(),
        };
        Self {
            name: federation.name,
            description: federation.description,
            archived: false,
            simulation: false,
            members: accounts.into_iter().map(member).collect(),
            nodes: federation.nodes,
            runs: federation.runs,
        }
    }
}

fn account(account: proto::Account) -> AccountInfo {
    AccountInfo {
        id: account.id,
        name: account.name,
    }
}

#[cfg(test)]
mod tests;
