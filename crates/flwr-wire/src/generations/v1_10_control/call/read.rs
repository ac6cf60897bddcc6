//! Answers of a SuperLink in domain words.

use std::fmt::Display;
use std::time::Duration;

use flwr_core::config;
use flwr_core::id::{NodeId, RunId};
use flwr_core::port::Result;
use flwr_core::port::control::{Login, NodeInfo, NodeStatus, Runs, Tokens};
use flwr_core::refusal::{Failure, Silence, Unanswered};
use flwr_core::run::{Run, RunStatus};
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use flwr_security::key::spki_from_pem;

pub(super) fn runs(answer: proto::ListRunsResponse) -> Result<Runs> {
    let runs = answer.run_dict.into_values().map(run);
    let mut runs = runs.collect::<Result<Vec<_>>>()?;
    // The map is sorted by id. Runs of the same moment stay so.
    runs.sort_by_key(|run| run.pending_at);
    Ok(Runs {
        runs,
        now: Timestamp::from_iso8601(&answer.now),
    })
}

fn run(run: proto::Run) -> Result<Run> {
    let id = RunId(run.run_id);
    let wrong = |what: &dyn Display| unreadable(&format!("run {id}: {what}"));
    let status = run.status.unwrap_or_default();
    let pending_at = Timestamp::from_iso8601(&run.pending_at)
        .ok_or_else(|| wrong(&format!("`pending_at` is {:?}", run.pending_at)))?;
    Ok(Run {
        id,
        fab_id: run.fab_id,
        fab_version: run.fab_version,
        fab_hash: run.fab_hash,
        account: run.flwr_aid,
        override_config: config::from_wire(run.override_config).map_err(|error| wrong(&error))?,
        status: RunStatus::try_from(status).map_err(|error| wrong(&error))?,
        pending_at,
        starting_at: Timestamp::from_iso8601(&run.starting_at),
        running_at: Timestamp::from_iso8601(&run.running_at),
        finished_at: Timestamp::from_iso8601(&run.finished_at),
    })
}

pub(super) fn nodes(answer: proto::ListNodesResponse) -> Result<Vec<NodeInfo>> {
    let nodes = answer.nodes_info.into_iter().map(node);
    let mut nodes = nodes.collect::<Result<Vec<_>>>()?;
    nodes.sort_by_key(|node| node.id.0);
    Ok(nodes)
}

fn node(node: proto::NodeInfo) -> Result<NodeInfo> {
    let id = NodeId(node.node_id);
    let status = NodeStatus::ALL
        .into_iter()
        .find(|status| status.name() == node.status)
        .ok_or_else(|| unreadable(&format!("node {id}: `status` is {:?}", node.status)))?;
    Ok(NodeInfo {
        id,
        status,
        online_until: node.online_until.map(Timestamp::from_secs),
        key: spki_from_pem(&node.public_key).unwrap_or_default().into(),
        certificate: node.certificate,
    })
}

pub(super) fn login(answer: proto::GetLoginDetailsResponse) -> Login {
    let seconds = |given: i64| Duration::from_secs(u64::try_from(given).unwrap_or(0));
    Login {
        auth_type: answer.auth_type,
        device_code: answer.device_code,
        place: answer.verification_uri_complete,
        expires_in: seconds(answer.expires_in),
        interval: seconds(answer.interval),
    }
}

/// Until the user has finished, the answer is empty.
pub(super) fn tokens(answer: proto::GetAuthTokensResponse) -> Option<Tokens> {
    let proto::GetAuthTokensResponse {
        access_token: access,
        refresh_token: refresh,
    } = answer;
    (!access.is_empty() && !refresh.is_empty()).then_some(Tokens { access, refresh })
}

fn unreadable(what: &str) -> Failure {
    let text = format!("the answer of the SuperLink cannot be read: {what}");
    Unanswered::new(Silence::Broken, text).into()
}
