//! The calls of the `flwr` command, on the way to a SuperLink.
//!
//! Methods have their names of flwr 1.21 and later. [`exec_path`](super::exec_path) gives the name of
//! 1.20 and earlier; a line that finds out what the SuperLink serves uses it.

use std::time::Duration;

use flwr_core::config::{self, Scalar, UserConfig};
use flwr_core::id::{NodeId, RunId};
use flwr_core::port::control::{
    Federation, Login, NewNode, Nodes, RunFilter, Runs, Start, Tokens, Usage, WholeFederation,
};
use flwr_core::port::joining::{IssuedJoinToken, JoinTokenList, NewJoinToken};
use flwr_core::port::{Control, JoinTokens, Result, SignIn};
use flwr_core::refusal::{Code, Failure};
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use flwr_security::key::spki_to_pem;
use prost::Message as _;
use proto::config_record::Item;
use proto::config_record_value::Value;
use sha2::{Digest, Sha256};

use super::rpcs;
use crate::line::{Line, Read, Sent};
use crate::objects;
use crate::rpc::Rpc;
use crate::{join, upkeep};

mod layouts;
mod log;
mod read;
mod refresh;

pub use log::Log;
pub use refresh::{REFRESH_PATH, RefreshRequest, refreshed};

/// The name of the only federation until flwr 1.25. SuperLinks of 1.24 and 1.25 start no run without it,
/// and later ones take another name, or none.
const EARLIER_FEDERATION: &str = "default";

/// How long a call may take: a bundle of 10 MiB may go over a slow line.
const LIMIT: Duration = Duration::from_secs(300);

/// Control at the other end of this line.
#[must_use]
pub const fn control_over<L: Line>(line: L) -> ControlOver<L> {
    ControlOver { line }
}

/// Control at the other end of a line.
#[derive(Debug, Clone)]
pub struct ControlOver<L> {
    line: L,
}

impl<L: Line> ControlOver<L> {
    async fn call<Q: Sent, A: Read>(&self, rpc: Rpc<Q, A>, request: Q) -> Result<A> {
        rpc.call_within(&self.line, request, LIMIT).await
    }
}

impl<L: Line> Control for ControlOver<L> {
    type Log = Log<L>;

    async fn start(&self, start: Start) -> Result<Option<RunId>> {
        let Start {
            fab,
            overrides,
            options,
            app_spec,
            federation,
            ..
        } = start;
        let request = proto::StartRunRequest {
            fab: Some(objects::fab(hex::encode(Sha256::digest(&fab)), fab)),
            override_config: config::to_wire(&overrides),
            // Without options the field is left out: flwr 1.28 and later read another message there.
            federation_options: record(options).encode_to_vec().into(),
            app_spec,
            federation,
            ..proto::StartRunRequest::default()
        };
        let answer = match self.call(rpcs::START_RUN, request.clone()).await {
            Err(failure) if request.federation.is_empty() && wants_federation(&failure) => {
                let federation = EARLIER_FEDERATION.to_owned();
                let named = proto::StartRunRequest {
                    federation,
                    ..request
                };
                self.call(rpcs::START_RUN, named).await?
            }
            answer => answer?,
        };
        Ok(answer.run_id.map(RunId))
    }

    async fn stop(&self, run: RunId) -> Result<bool> {
        let request = proto::StopRunRequest { run_id: run.0 };
        let answer = self.call(rpcs::STOP_RUN, request).await?;
        Ok(answer.success)
    }

    async fn runs(&self, which: impl Into<RunFilter> + Send) -> Result<Runs> {
        let RunFilter { only, newest, skip } = which.into();
        let request = proto::ListRunsRequest {
            run_id: only.map(|run| run.0),
            limit: newest,
            skip: (skip > 0).then_some(skip),
        };
        read::runs(self.call(rpcs::LIST_RUNS, request).await?)
    }

    async fn log(&self, run: RunId, after: Timestamp) -> Result<Log<L>> {
        Log::open(self.clone(), run, after).await
    }

    async fn artifacts(&self, run: RunId) -> Result<Option<String>> {
        let request = proto::PullArtifactsRequest { run_id: run.0 };
        let answer = self.call(rpcs::PULL_ARTIFACTS, request).await?;
        Ok(answer.url)
    }

    async fn nodes(&self) -> Result<Nodes> {
        let request = proto::ListNodesRequest {};
        let answer = self.call(rpcs::LIST_NODES.answered_as(), request);
        layouts::nodes(answer.await?)
    }

    async fn enroll(&self, node: NewNode) -> Result<Option<NodeId>> {
        let NewNode {
            key,
            name,
            location,
        } = node;
        let request = proto::RegisterNodeRequest {
            public_key: spki_to_pem(&key).into(),
            location,
            name,
        };
        let answer = self.call(rpcs::REGISTER_NODE, request).await?;
        Ok(answer.node_id.filter(|node| *node != 0).map(NodeId))
    }

    async fn dismiss(&self, node: NodeId) -> Result<()> {
        let request = proto::UnregisterNodeRequest { node_id: node.0 };
        self.call(rpcs::UNREGISTER_NODE, request).await?;
        Ok(())
    }

    async fn federations(&self) -> Result<Vec<Federation>> {
        let request = proto::ListFederationsRequest {};
        let answer = self.call(rpcs::LIST_FEDERATIONS.answered_as(), request);
        layouts::federations(answer.await?)
    }

    async fn federation(&self, id: &str) -> Result<WholeFederation> {
        let request = proto::ShowFederationRequest {
            federation_name: id.to_owned(),
        };
        let answer = self.call(rpcs::SHOW_FEDERATION.answered_as(), request);
        layouts::federation(answer.await?)
    }

    async fn delete(&self, run: RunId) -> Result<()> {
        upkeep::call::delete(&self.line, run).await
    }

    async fn usage(&self) -> Result<Usage> {
        upkeep::call::usage(&self.line).await
    }
}

impl<L: Line> JoinTokens for ControlOver<L> {
    async fn issue_join_token(&self, new: NewJoinToken) -> Result<IssuedJoinToken> {
        join::tokens::call_issue(&self.line, new).await
    }

    async fn join_tokens(&self) -> Result<JoinTokenList> {
        join::tokens::call_list(&self.line).await
    }

    async fn revoke_join_token(&self, id: &str) -> Result<()> {
        join::tokens::call_revoke(&self.line, id).await
    }
}

impl<L: Line> SignIn for ControlOver<L> {
    async fn login(&self) -> Result<Login> {
        let request = proto::GetLoginDetailsRequest {};
        let answer = self.call(rpcs::GET_LOGIN_DETAILS, request);
        Ok(read::login(answer.await?))
    }

    async fn tokens(&self, device_code: &str) -> Result<Option<Tokens>> {
        let request = proto::GetAuthTokensRequest {
            device_code: device_code.to_owned(),
        };
        let answer = self.call(rpcs::GET_AUTH_TOKENS, request);
        Ok(read::tokens(answer.await?))
    }
}

/// Whether a run was not started for want of its federation's name. The call can be made again.
fn wants_federation(failure: &Failure) -> bool {
    matches!(failure, Failure::Answered(refused) if refused.code == Some(Code::FederationNotSpecified))
}

/// Options as a record: their keys are flat.
fn record(options: UserConfig) -> proto::ConfigRecord {
    let value = |scalar| match scalar {
        Scalar::Float(number) => Value::Double(number),
        Scalar::Int(number) => Value::Sint64(number),
        Scalar::Bool(flag) => Value::Bool(flag),
        Scalar::Text(text) => Value::String(text),
        Scalar::Uint(number) => Value::Uint64(number),
        Scalar::Bytes(bytes) => Value::Bytes(bytes),
    };
    let item = |(key, scalar)| Item {
        key,
        value: Some(proto::ConfigRecordValue {
            value: Some(value(scalar)),
        }),
    };
    proto::ConfigRecord {
        items: options.into_iter().map(item).collect(),
    }
}

#[cfg(test)]
mod tests;
