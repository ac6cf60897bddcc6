//! What processes of flwr 1.20 say otherwise. ServerApps of 1.20 have no token, ClientApps have one
//! and find their work by another name of the call.

use flwr_core::id::RunId;
use flwr_proto as proto;

use crate::host::AppProof;

/// 1.20's name for `ListAppsToLaunch`, on ClientAppIo.
pub(super) const LIST_APPS_TO_LAUNCH: &str = "/flwr.proto.ClientAppIo/GetRunIdsWithPendingMessages";

/// The token, or what admits a process that shows none.
pub(super) fn token_or(token: &str, without: AppProof) -> AppProof {
    if token.is_empty() {
        without
    } else {
        AppProof::Token(token.to_owned())
    }
}

pub(super) fn by_inputs(request: &proto::PullAppInputsRequest) -> AppProof {
    token_or(&request.token, AppProof::Tokenless(None))
}

pub(super) fn by_outputs(request: &proto::PushAppOutputsRequest) -> AppProof {
    let run = Some(RunId(request.run_id));
    token_or(&request.token, AppProof::Tokenless(run))
}
