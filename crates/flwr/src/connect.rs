//! The connection to a SuperLink. flwr 1.21 and later serve `Control`; flwr 1.20 serves the same
//! methods as `Exec`.

use std::env;
use std::path::Path;
use std::time::Duration;

use flwr_client::channel::{self, Channel, Proxies, Traffic, Trust};
use flwr_client::refused::Refused;
use flwr_core::project::Federation;
use flwr_core::proxy::ProxySetting;
use flwr_proto::MAX_MESSAGE_BYTES;
use flwr_proto::control_client::ControlClient;
use flwr_proto::exec_client::ExecClient;
use flwr_proto::upkeep::upkeep_client::UpkeepClient;
use flwr_proto::upkeep::{DeleteRunRequest, DeleteRunResponse, GetUsageRequest, GetUsageResponse};
use flwr_proto::{
    GetAuthTokensRequest, GetAuthTokensResponse, GetLoginDetailsRequest, GetLoginDetailsResponse,
    ListNodesRequest, ListNodesResponse, ListRunsRequest, ListRunsResponse, PullArtifactsRequest,
    PullArtifactsResponse, StartRunRequest, StartRunResponse, StopRunRequest, StopRunResponse,
    StreamLogsRequest, StreamLogsResponse,
};
use flwr_security::tls::{ClientFiles, ClientTls, Identity};
use rustls_pki_types::ServerName;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::account::Account;
use crate::error::{Error, Result};
use crate::resolved::ResolvedFederation;

/// How long a call may take; generous, as a bundle of 10 MiB may go over a slow line.
const CALL_TIMEOUT: Duration = Duration::from_secs(300);

/// The command that needs no account yet.
pub(crate) const LOGIN: &str = "login";

/// A connection to a SuperLink for one user.
#[derive(Clone)]
pub(crate) struct SuperLink {
    control: ControlClient<Channel>,
    exec: ExecClient<Channel>,
    upkeep: UpkeepClient<Channel>,
    /// The service that the SuperLink serves, once it is known.
    dialect: Dialect,
    /// The user's account.
    account: Account,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Control,
    Exec,
}

/// Calls a method by the name of the known service, and by the other one's if the SuperLink
/// does not know it: such a call was not carried out, so it can be made again. So can one whose
/// tokens were refused while another command got new ones.
macro_rules! call {
    ($self:ident.$method:ident($message:expr, $timeout:expr)) => {{
        let message = $message;
        let mut answer = once!($self.$method(message.clone(), $timeout));
        if matches!(&answer, Err(status) if status.code() == Code::Unauthenticated)
            && $self.account.read_again()
        {
            answer = once!($self.$method(message, $timeout));
        }
        answer.map(Response::into_inner)
    }};
}

macro_rules! once {
    ($self:ident.$method:ident($message:expr, $timeout:expr)) => {{
        let message = $message;
        let mut answer = Err(Status::unimplemented(""));
        if $self.dialect == Dialect::Control {
            let request = $self.request(message.clone(), $timeout);
            answer = $self.control.$method(request).await;
        }
        if matches!(&answer, Err(status) if Refused::of(status) == Refused::UnknownMethod) {
            let request = $self.request(message, $timeout);
            answer = $self.exec.$method(request).await;
            if answer.is_ok() {
                $self.dialect = Dialect::Exec;
            }
        }
        $self.account.heard(metadata(&answer));
        answer
    }};
}

/// The metadata of an answer or a refusal.
fn metadata<T>(answer: &Result<Response<T>, Status>) -> &MetadataMap {
    match answer {
        Ok(response) => response.metadata(),
        Err(status) => status.metadata(),
    }
}

impl SuperLink {
    /// Prepares the connection. The first call opens it.
    pub(crate) fn connect(chosen: &ResolvedFederation, command: &'static str) -> Result<Self> {
        let federation = &chosen.federation;
        let Some(address) = &federation.address else {
            return Err(Error::NoAddress {
                command,
                federation: federation.name.clone(),
            });
        };
        let account = match (federation.enable_user_auth, federation.insecure) {
            (false, _) => Account::nobody(),
            (true, true) => return Err(Error::AccountOverPlaintext),
            // During a login there is no account yet.
            (true, false) if command == LOGIN => Account::nobody(),
            (true, false) => Account::of(&chosen.credentials())?,
        };
        let trust = trust(&chosen.base, federation)?;
        let route = proxies(federation.proxy.as_ref())?.route(&address.host, address.port);
        let line = channel::channel((&address.host, address.port), &trust, &route);
        Ok(Self::over(line, account))
    }

    /// Wraps an open connection.
    fn over(line: Channel, account: Account) -> Self {
        Self {
            account,
            control: ControlClient::new(line.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES),
            upkeep: UpkeepClient::new(line.clone()),
            exec: ExecClient::new(line).max_decoding_message_size(MAX_MESSAGE_BYTES),
            dialect: Dialect::Control,
        }
    }

    fn request<T>(&self, message: T, timeout: Duration) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(timeout);
        self.account.sign(&mut request);
        request
    }

    /// Asks for a login link.
    pub(crate) async fn login_details(&mut self) -> Result<GetLoginDetailsResponse, Status> {
        call!(self.get_login_details(GetLoginDetailsRequest {}, CALL_TIMEOUT))
    }

    /// Asks for the tokens of a login. Both are empty until the user has finished.
    pub(crate) async fn auth_tokens(
        &mut self,
        device_code: String,
    ) -> Result<GetAuthTokensResponse, Status> {
        call!(self.get_auth_tokens(GetAuthTokensRequest { device_code }, CALL_TIMEOUT))
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

    /// The account id of this user's runs; `None` without login.
    pub(crate) fn account_id(&self) -> Option<String> {
        self.account.id()
    }

    /// Whether the SuperLink serves `Exec`: flwr 1.20 and earlier.
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
        // `Exec` has no such method.
        let request = self.request(ListNodesRequest {}, CALL_TIMEOUT);
        let answer = self.control.list_nodes(request).await;
        self.account.heard(metadata(&answer));
        answer.map(Response::into_inner)
    }

    /// How many SuperNodes are online.
    pub(crate) async fn nodes_online(&mut self) -> Result<usize, Status> {
        let nodes = self.list_nodes().await?.nodes_info;
        Ok(nodes.iter().filter(|node| node.status == "online").count())
    }

    /// Deletes a finished run. Only our SuperLinks serve this.
    pub(crate) async fn delete_run(&mut self, run_id: u64) -> Result<DeleteRunResponse, Status> {
        let mut answer = self.try_delete(run_id).await;
        if matches!(&answer, Err(status) if status.code() == Code::Unauthenticated)
            && self.account.read_again()
        {
            answer = self.try_delete(run_id).await;
        }
        answer.map(Response::into_inner)
    }

    async fn try_delete(&mut self, run_id: u64) -> Result<Response<DeleteRunResponse>, Status> {
        let request = self.request(DeleteRunRequest { run_id }, CALL_TIMEOUT);
        let answer = self.upkeep.delete_run(request).await;
        self.account.heard(metadata(&answer));
        answer
    }

    /// The SuperLink's use of storage. Only our SuperLinks serve this.
    pub(crate) async fn usage(&mut self) -> Result<GetUsageResponse, Status> {
        let request = self.request(GetUsageRequest {}, CALL_TIMEOUT);
        let answer = self.upkeep.get_usage(request).await;
        self.account.heard(metadata(&answer));
        answer.map(Response::into_inner)
    }

    /// The address of a run's artifacts.
    pub(crate) async fn pull_artifacts(
        &mut self,
        run_id: u64,
    ) -> Result<PullArtifactsResponse, Status> {
        // `Exec` has no such method.
        let request = self.request(PullArtifactsRequest { run_id }, CALL_TIMEOUT);
        let answer = self.control.pull_artifacts(request).await;
        self.account.heard(metadata(&answer));
        answer.map(Response::into_inner)
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

/// The proxies on the way to a SuperLink, from the configuration or the environment.
pub(crate) fn proxies(setting: Option<&ProxySetting>) -> Result<Proxies> {
    let variable = |name: &str| env::var(name).ok();
    Proxies::new(setting, Traffic::Grpc, variable).map_err(Error::Proxy)
}

/// The trusted roots: those that the federation names, or the system's. Plaintext only on request.
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
        ..ClientFiles::default()
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
