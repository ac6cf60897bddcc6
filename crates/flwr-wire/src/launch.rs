//! Launch, for `flower-server-app`: runs whose ServerApp the caller starts.

use flwr_core::config::UserConfig;
use flwr_core::port::{Launch, Result};
use flwr_proto::launch::{StartRunRequest, StartRunResponse};

use crate::methods::Request;
use crate::methods::session::Methods;
use crate::rpc::Rpc;

pub mod call;

/// Makes a run whose ServerApp the caller starts.
const START_RUN: Rpc<StartRunRequest, StartRunResponse> = Rpc::at("/flower.launch.Launch/StartRun");

/// What `flower-server-app` calls.
pub(crate) fn launch<L: Launch>(m: &mut Methods<L>) {
    m.upload(START_RUN, start_run);
}

async fn start_run(
    launch: impl Launch,
    request: Request<StartRunRequest>,
) -> Result<StartRunResponse> {
    let launched = launch.start(request.message.fab, UserConfig::new()).await?;
    Ok(StartRunResponse {
        run_id: launched.run.0,
        token: launched.token,
    })
}
