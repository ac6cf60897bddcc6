//! The line to a SuperLink: `Control` of flwr 1.21 and later, `Exec` of 1.20, which says the
//! same under another name.

use std::path::Path;
use std::time::Duration;

use flwr_core::project::Federation;
use flwr_proto::control_client::ControlClient;
use flwr_proto::exec_client::ExecClient;
use flwr_proto::{
    ListNodesRequest, ListNodesResponse, ListRunsRequest, ListRunsResponse, PullArtifactsRequest,
    PullArtifactsResponse, StartRunRequest, StartRunResponse, StopRunRequest, StopRunResponse,
    StreamLogsRequest, StreamLogsResponse,
};
use flwr_security::channel::{self, Trust};
use flwr_security::tls::{ClientFiles, ClientTls, Identity};
use rustls_pki_types::ServerName;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};

use crate::error::{Error, Result};
use crate::federation::Chosen;

/// Largest message in either direction, in bytes: gRPC's own limit (flwr 1.20 to 1.22).
const MAX_MESSAGE: usize = i32::MAX as usize;
/// How long a call may take; generous, as a bundle of 10 MiB may go over a slow line.
const CALL_TIMEOUT: Duration = Duration::from_secs(300);

/// A SuperLink as the user of a federation sees it.
#[derive(Clone)]
pub(crate) struct SuperLink {
    control: ControlClient<Channel>,
    exec: ExecClient<Channel>,
    /// Which of the two the SuperLink has, as far as it is known.
    dialect: Dialect,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Control,
    Exec,
}

/// Calls a method by the name of the known service, and by the other one's if the SuperLink
/// does not know it: such a call was not carried out, so it can be made again.
macro_rules! call {
    ($self:ident.$method:ident($message:expr, $timeout:expr)) => {{
        let message = $message;
        if $self.dialect == Dialect::Control {
            match $self
                .control
                .$method(timed(message.clone(), $timeout))
                .await
            {
                Err(status) if status.code() == Code::Unimplemented => {}
                answer => return answer.map(tonic::Response::into_inner),
            }
        }
        let answer = $self.exec.$method(timed(message, $timeout)).await?;
        $self.dialect = Dialect::Exec;
        Ok(answer.into_inner())
    }};
}

fn timed<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

impl SuperLink {
    /// Prepares the line; it is opened by the first call.
    pub(crate) fn connect(chosen: &Chosen, command: &'static str) -> Result<Self> {
        let federation = &chosen.federation;
        let Some(address) = &federation.address else {
            return Err(Error::NoAddress {
                command,
                federation: federation.name.clone(),
            });
        };
        if federation.enable_user_auth {
            return Err(Error::Login(federation.name.clone()));
        }
        let trust = trust(&chosen.base, federation)?;
        Ok(Self::over(channel::channel(
            (&address.host, address.port),
            &trust,
        )))
    }

    /// A line that is there already.
    fn over(channel: Channel) -> Self {
        Self {
            control: ControlClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE),
            exec: ExecClient::new(channel).max_decoding_message_size(MAX_MESSAGE),
            dialect: Dialect::Control,
        }
    }

    pub(crate) async fn start_run(
        &mut self,
        message: StartRunRequest,
    ) -> Result<StartRunResponse, Status> {
        call!(self.start_run(message, CALL_TIMEOUT))
    }

    pub(crate) async fn stop_run(&mut self, run_id: u64) -> Result<StopRunResponse, Status> {
        call!(self.stop_run(StopRunRequest { run_id }, CALL_TIMEOUT))
    }

    /// Whether it is the older service that answers: flwr 1.20 and earlier.
    pub(crate) fn is_exec(&self) -> bool {
        self.dialect == Dialect::Exec
    }

    /// All runs, or one.
    pub(crate) async fn list_runs(
        &mut self,
        run_id: Option<u64>,
    ) -> Result<ListRunsResponse, Status> {
        call!(self.list_runs(ListRunsRequest { run_id }, CALL_TIMEOUT))
    }

    /// All SuperNodes.
    pub(crate) async fn list_nodes(&mut self) -> Result<ListNodesResponse, Status> {
        // There was no such call when Control was called Exec.
        let request = timed(ListNodesRequest {}, CALL_TIMEOUT);
        let answer = self.control.list_nodes(request).await;
        answer.map(tonic::Response::into_inner)
    }

    /// Where the artifacts of a run are.
    pub(crate) async fn pull_artifacts(
        &mut self,
        run_id: u64,
    ) -> Result<PullArtifactsResponse, Status> {
        // As with the nodes.
        let request = timed(PullArtifactsRequest { run_id }, CALL_TIMEOUT);
        let answer = self.control.pull_artifacts(request).await;
        answer.map(tonic::Response::into_inner)
    }

    /// The log of a run since `after_timestamp`, for at most `timeout`.
    pub(crate) async fn stream_logs(
        &mut self,
        run_id: u64,
        after_timestamp: f64,
        timeout: Duration,
    ) -> Result<Streaming<StreamLogsResponse>, Status> {
        call!(self.stream_logs(
            StreamLogsRequest {
                run_id,
                after_timestamp
            },
            timeout
        ))
    }
}

/// Plaintext only where it was asked for; else the named roots, or the system's.
pub(crate) fn trust(base: &Path, federation: &Federation) -> Result<Trust> {
    if federation.insecure {
        return Ok(Trust::Plaintext);
    }
    let at = |path: &String| base.join(path);
    let identity = federation.identity.as_ref();
    let tls = ClientTls::load(ClientFiles {
        roots: federation.root_certificates.as_ref().map(at),
        identity: identity.map(|(certificate, key)| Identity {
            certificate: at(certificate),
            key: at(key),
        }),
        server_name: federation
            .server_name
            .as_deref()
            .map(server_name)
            .transpose()?,
        legacy: federation.legacy_certificates,
    });
    let tls = tls.map_err(|error| Error::Tls {
        federation: federation.name.clone(),
        source: error.into(),
    })?;
    Ok(Trust::Tls(tls))
}

fn server_name(name: &str) -> Result<ServerName<'static>> {
    let unusable = |_| Error::ServerName(name.to_owned());
    ServerName::try_from(name.to_owned()).map_err(unusable)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
