//! Launch, for `flower-server-app`: runs whose ServerApp somebody else executes.

use flwr_core::refusal::Refusal;
use std::sync::Arc;

use flwr_proto::launch::launch_server::{Launch, LaunchServer};
use flwr_proto::launch::{StartRunRequest, StartRunResponse};
use flwr_security::peer::Peer;
use tonic::{Request, Response, Status};

use super::{MAX_CONTROL_BYTES, run_to_completion};
use crate::link::Link;
use crate::status;

/// The Launch service over the domain.
#[derive(Debug, Clone)]
pub struct LaunchApi {
    link: Arc<Link>,
    /// Whether runs may be started over plaintext.
    insecure: bool,
}

impl LaunchApi {
    /// The service, ready to be routed to. It is to be had over TLS only, unless everything is spoken
    /// in plaintext here (`insecure`): whoever reaches the port in plaintext is on this machine, and
    /// need not be somebody who may start runs.
    #[must_use]
    pub fn server(link: Arc<Link>, insecure: bool) -> LaunchServer<Self> {
        LaunchServer::new(Self { link, insecure }).max_decoding_message_size(MAX_CONTROL_BYTES)
    }
}

/// Refuses to start runs over plaintext, unless everything is spoken in plaintext here
/// (`insecure`).
pub(crate) fn require_tls<T>(request: &Request<T>, insecure: bool) -> Result<(), Status> {
    let peer = request.extensions().get::<Peer>();
    if insecure || peer.is_some_and(|peer| peer.tls) {
        return Ok(());
    }
    Err(status::of(Refusal::TlsRequired))
}

#[tonic::async_trait]
impl Launch for LaunchApi {
    async fn start_run(
        &self,
        request: Request<StartRunRequest>,
    ) -> Result<Response<StartRunResponse>, Status> {
        require_tls(&request, self.insecure)?;
        let link = Arc::clone(&self.link);
        let fab = request.into_inner().fab;
        let started = run_to_completion(async move { link.start_run_outside(fab).await });
        let (run, token) = started.await?;
        Ok(Response::new(StartRunResponse {
            run_id: run.0,
            token: token.as_str().to_owned(),
        }))
    }
}
