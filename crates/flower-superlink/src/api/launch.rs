//! Launch, for `flower-server-app`: runs whose ServerApp somebody else executes.

use flwr_proto::launch::launch_server::{Launch, LaunchServer};
use flwr_proto::launch::{StartRunRequest, StartRunResponse};
use flwr_security::peer::Peer;
use flwr_wire::host::Host as _;
use tonic::{Request, Response, Status};

use super::MAX_CONTROL_BYTES;
use crate::host::Host;
use crate::status;

/// The Launch service over the domain.
#[derive(Debug, Clone)]
pub struct LaunchApi {
    host: Host,
}

impl LaunchApi {
    /// The service, ready to be routed to.
    #[must_use]
    pub fn server(host: Host) -> LaunchServer<Self> {
        LaunchServer::new(Self { host }).max_decoding_message_size(MAX_CONTROL_BYTES)
    }
}

#[tonic::async_trait]
impl Launch for LaunchApi {
    async fn start_run(
        &self,
        request: Request<StartRunRequest>,
    ) -> Result<Response<StartRunResponse>, Status> {
        let peer = request.extensions().get::<Peer>();
        self.host.require_tls(peer).map_err(status::of)?;
        let (host, fab) = (self.host.clone(), request.into_inner().fab);
        let start = async move { Ok(host.link().start_run_outside(fab).await?) };
        let started = self.host.complete(Box::pin(start)).await;
        let (run, token) = started.map_err(status::of)?;
        Ok(Response::new(StartRunResponse {
            run_id: run.0,
            token: token.as_str().to_owned(),
        }))
    }
}
