//! Signs of life of app processes of flwr 1.24 to 1.29, which show their token. Those of earlier
//! releases name their run, and only ServerApps give them.

use flwr_core::port::{Result, Runtime};
use flwr_proto as proto;
use flwr_proto::v1_24;

use crate::host::{AppProof, RuntimeHost};
use crate::methods::Request;
use crate::methods::runtime::{Methods, Rules};
use crate::raw::has_bytes;
use crate::rpc::Rpc;

/// The token, where earlier releases have the number of the run.
const TOKEN: u32 = 1;
/// Seconds between two signs of life (flwr 1.24 to 1.29 wire).
const INTERVAL: f64 = 30.0;

/// What ServerApps of this generation call.
pub(crate) fn serverapps<H: RuntimeHost>(m: &mut Methods<H>) {
    serve(m, "/flwr.proto.ServerAppIo/SendAppHeartbeat");
}

/// What ClientApps of this generation call.
pub(crate) fn clientapps<H: RuntimeHost>(m: &mut Methods<H>) {
    serve(m, "/flwr.proto.ClientAppIo/SendAppHeartbeat");
}

fn serve<H: RuntimeHost>(m: &mut Methods<H>, path: &'static str) {
    let rules = Rules::CALL.with_layout(|body| has_bytes(body, TOKEN));
    m.call(Rpc::at(path), rules, by_token, send_app_heartbeat);
}

fn by_token(request: &v1_24::SendAppHeartbeatRequest) -> AppProof {
    AppProof::Token(request.token.clone())
}

async fn send_app_heartbeat(
    runtime: impl Runtime,
    _: Request<v1_24::SendAppHeartbeatRequest>,
) -> Result<proto::SendAppHeartbeatResponse> {
    // These apps do not say otherwise that they have begun.
    runtime.at_work().await?;
    let success = runtime.alive(INTERVAL).await?;
    Ok(proto::SendAppHeartbeatResponse { success })
}
