//! Signs of life of app processes of flwr 1.24 to 1.29, which show their token. Those of earlier
//! releases name their run, and only ServerApps give them.

use bytes::Bytes;
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::{Failure, Refusal};
use flwr_proto as proto;
use flwr_proto::v1_24;

use crate::carrier::Answer;
use crate::host::{AppProof, Head, RuntimeHost};
use crate::methods::Request;
use crate::methods::runtime::{Methods, Rules, admit, read};
use crate::raw::has_bytes;

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
    m.open(path, rules, send_app_heartbeat);
}

async fn send_app_heartbeat<H: RuntimeHost>(
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let shown = request.token.clone();
    let request: v1_24::SendAppHeartbeatRequest = read(request)?;
    let admitted = admit(&host, &head, AppProof::Token(request.token), shown.as_ref()).await;
    let success = match admitted {
        // The run is over. These apps end at this answer. At a refusal they would only give no more
        // signs of life, and work on.
        Err(Failure::Refused(Refusal::UnknownToken)) => false,
        admitted => {
            let runtime = admitted?;
            // These apps do not say otherwise that they have begun.
            runtime.at_work().await?;
            runtime.alive(INTERVAL).await?
        }
    };
    Ok(Answer::new(proto::SendAppHeartbeatResponse { success }))
}
