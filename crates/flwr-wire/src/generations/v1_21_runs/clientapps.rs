//! What ClientApps say to their SuperNode, and what admits each call. Inputs, messages and outputs
//! need the token. The calls for objects have no field for a token: they name their run.

use flwr_core::message::Message;
use flwr_core::port::runtime::Asked;
use flwr_core::port::{Result, Runtime};
use flwr_proto as proto;

use super::apps::{self, of_run};
use crate::apps::pull_messages;
use crate::host::AppProof;
use crate::methods::Request;

/// Where the inputs are asked for: until flwr 1.25, and in flwr 1.26 to 1.29.
pub(super) const PULL_INPUTS: [&str; 2] = [
    "/flwr.proto.ClientAppIo/PullClientAppInputs",
    "/flwr.proto.ClientAppIo/PullAppInputs",
];
/// Where the outputs are given, in the same releases.
pub(super) const PUSH_OUTPUTS: [&str; 2] = [
    "/flwr.proto.ClientAppIo/PushClientAppOutputs",
    "/flwr.proto.ClientAppIo/PushAppOutputs",
];

/// The run of a request that need not name its run: the token says which run is meant.
fn of_named_run(runtime: &impl Runtime, claimed: u64) -> Result<()> {
    match claimed {
        0 => Ok(()),
        claimed => of_run(runtime, claimed),
    }
}

pub(super) fn by_inputs(request: &proto::PullAppInputsRequest) -> AppProof {
    AppProof::Token(request.token.clone())
}

pub(super) fn by_outputs(request: &proto::PushAppOutputsRequest) -> AppProof {
    AppProof::Token(request.token.clone())
}

pub(super) async fn push_outputs(
    runtime: impl Runtime,
    request: Request<proto::PushAppOutputsRequest>,
) -> Result<proto::PushAppOutputsResponse> {
    of_named_run(&runtime, request.message.run_id)?;
    apps::push_app_outputs(runtime, request).await
}

pub(super) fn by_push(request: &proto::PushAppMessagesRequest) -> AppProof {
    AppProof::Token(request.token.clone())
}

pub(super) async fn push_message(
    runtime: impl Runtime,
    request: Request<proto::PushAppMessagesRequest>,
) -> Result<proto::PushAppMessagesResponse> {
    of_named_run(&runtime, request.message.run_id)?;
    apps::push_messages(runtime, request, |message, _| Message::reply(message)).await
}

pub(super) fn by_pull(request: &proto::PullAppMessagesRequest) -> AppProof {
    AppProof::Token(request.token.clone())
}

pub(super) async fn pull_message(
    runtime: impl Runtime,
    request: Request<proto::PullAppMessagesRequest>,
) -> Result<proto::PullAppMessagesResponse> {
    of_named_run(&runtime, request.message.run_id)?;
    pull_messages(runtime, Asked::All, request.patience).await
}
