//! Control, for the `flwr` command; and Exec, its name until flwr 1.20.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use flwr_core::config;
use flwr_core::id::RunId;
use flwr_core::refusal::{Feature, Refusal};
use flwr_core::run::Run;
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use flwr_proto::control_server::{Control, ControlServer};
use flwr_security::peer::Peer;
use flwr_security::tls::Certificate;
use futures::stream::{self, Stream};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};
use tower::Service;

use super::MAX_CONTROL_BYTES;
use super::principal::{for_people, principal};
use crate::accounts::Accounts;
use crate::error::Error;
use crate::link::state::{KnownNode, LogEntry};
use crate::link::{Link, Principal};
use crate::status;

/// How people sign in: the only way that the peers know.
const OIDC: &str = "oidc";

/// The Control service over the domain.
#[derive(Debug, Clone)]
pub struct ControlApi {
    link: Arc<Link>,
    /// Who may speak, where people sign in.
    accounts: Option<Arc<Accounts>>,
}

/// Control under its older name: the messages of the two are the same, field for field.
#[derive(Debug, Clone)]
pub struct Exec(pub ControlServer<ControlApi>);

type Answer<T> = Result<Response<T>, Status>;
type LogStream = Pin<Box<dyn Stream<Item = Result<proto::StreamLogsResponse, Status>> + Send>>;

impl ControlApi {
    /// The service, ready to be routed to.
    #[must_use]
    pub fn server(link: Arc<Link>, accounts: Option<Arc<Accounts>>) -> ControlServer<Self> {
        ControlServer::new(Self { link, accounts }).max_decoding_message_size(MAX_CONTROL_BYTES)
    }

    fn principal<T>(&self, request: &Request<T>) -> Result<Principal, Error> {
        principal(self.accounts.as_ref(), request)
    }

    fn accounts(&self) -> Result<&Accounts, Status> {
        let accounts = self.accounts.as_deref();
        accounts.ok_or_else(|| status::of(Refusal::NotOffered(Feature::Accounts)))
    }

    async fn start(
        &self,
        principal: &Principal,
        request: proto::StartRunRequest,
    ) -> Answer<proto::StartRunResponse> {
        let fab = request.fab.unwrap_or_default().content;
        let overrides = config::from_wire(request.override_config).map_err(Error::from)?;
        let run = self.link.start_run(fab, overrides, principal).await?;
        Ok(Response::new(proto::StartRunResponse {
            run_id: Some(run.0),
        }))
    }

    async fn stop(&self, principal: &Principal, run: RunId) -> Answer<proto::StopRunResponse> {
        self.link.run_of(principal, run).await.map_err(for_people)?;
        self.link.stop_run(run).await.map_err(for_people)?;
        Ok(Response::new(proto::StopRunResponse { success: true }))
    }

    async fn list(
        &self,
        principal: &Principal,
        run: Option<u64>,
    ) -> Answer<proto::ListRunsResponse> {
        let runs = match run {
            None => self.link.runs(principal).await?,
            Some(run) => {
                let run = self.link.run_of(principal, RunId(run)).await;
                vec![run.map_err(for_people)?]
            }
        };
        let by_id = |run: Run| (run.id.0, self.shown(run));
        let run_dict: BTreeMap<u64, proto::Run> = runs.into_iter().map(by_id).collect();
        Ok(Response::new(proto::ListRunsResponse {
            run_dict,
            now: self.link.now().iso8601(),
        }))
    }

    /// The run, with what it waits for among the details of its status. pip's `flwr` shows none.
    fn shown(&self, run: Run) -> proto::Run {
        let waits = self.link.waits(run.id);
        let mut shown = proto::Run::from(run);
        if let (Some(status), Some(waits)) = (&mut shown.status, waits)
            && status.details.is_empty()
        {
            status.details = waits.to_string();
        }
        shown
    }

    async fn nodes(&self) -> Answer<proto::ListNodesResponse> {
        let now = self.link.now();
        let info = |(node, certificate): (KnownNode, Option<Arc<Certificate>>)| {
            let online = node.online_until > now;
            proto::NodeInfo {
                node_id: node.id.0,
                status: if online { "online" } else { "offline" }.to_owned(),
                online_until: Some(node.online_until.as_secs()),
                public_key: node.key.to_pem().into(),
                certificate: certificate.map(|shown| shown.subject.clone()),
                ..proto::NodeInfo::default()
            }
        };
        let nodes = self.link.known_nodes().await?;
        Ok(Response::new(proto::ListNodesResponse {
            nodes_info: nodes.into_iter().map(info).collect(),
            now: now.iso8601(),
        }))
    }

    async fn logs(
        &self,
        principal: &Principal,
        request: proto::StreamLogsRequest,
    ) -> Answer<LogStream> {
        let run = RunId(request.run_id);
        self.link.run_of(principal, run).await.map_err(for_people)?;
        let after = Timestamp::from_secs(request.after_timestamp);
        let link = Arc::clone(&self.link);
        let entries = stream::try_unfold((link, after), move |(link, after)| async move {
            let entry = link.next_log(run, after).await?;
            Ok(entry.map(|LogEntry { at, text }| {
                let latest_timestamp = at.as_secs();
                let entry = proto::StreamLogsResponse {
                    log_output: text,
                    latest_timestamp,
                };
                (entry, (link, at))
            }))
        });
        Ok(Response::new(Box::pin(entries)))
    }
}

#[tonic::async_trait]
impl Control for ControlApi {
    type StreamLogsStream = LogStream;

    async fn start_run(
        &self,
        request: Request<proto::StartRunRequest>,
    ) -> Answer<proto::StartRunResponse> {
        let principal = self.principal(&request)?;
        self.start(&principal, request.into_inner()).await
    }

    async fn stop_run(
        &self,
        request: Request<proto::StopRunRequest>,
    ) -> Answer<proto::StopRunResponse> {
        let principal = self.principal(&request)?;
        self.stop(&principal, RunId(request.get_ref().run_id)).await
    }

    async fn stream_logs(&self, request: Request<proto::StreamLogsRequest>) -> Answer<LogStream> {
        let principal = self.principal(&request)?;
        self.logs(&principal, request.into_inner()).await
    }

    async fn list_runs(
        &self,
        request: Request<proto::ListRunsRequest>,
    ) -> Answer<proto::ListRunsResponse> {
        let principal = self.principal(&request)?;
        self.list(&principal, request.get_ref().run_id).await
    }

    async fn list_nodes(
        &self,
        request: Request<proto::ListNodesRequest>,
    ) -> Answer<proto::ListNodesResponse> {
        // Nodes are everybody's who may come in.
        self.principal(&request)?;
        self.nodes().await
    }

    async fn get_login_details(
        &self,
        request: Request<proto::GetLoginDetailsRequest>,
    ) -> Answer<proto::GetLoginDetailsResponse> {
        let peer = request.extensions().get::<Peer>();
        let peer = peer.map(|peer| peer.address.ip());
        let login = self
            .accounts()?
            .begin_login(peer)
            .await
            .map_err(status::of)?;
        Ok(Response::new(proto::GetLoginDetailsResponse {
            auth_type: OIDC.to_owned(),
            device_code: login.device_code,
            verification_uri_complete: login.place,
            expires_in: login.expires_in,
            interval: login.interval,
        }))
    }

    async fn get_auth_tokens(
        &self,
        request: Request<proto::GetAuthTokensRequest>,
    ) -> Answer<proto::GetAuthTokensResponse> {
        let device_code = &request.get_ref().device_code;
        let tokens = self
            .accounts()?
            .poll_login(device_code)
            .await
            .map_err(status::of)?;
        // An empty answer is how `flwr` is told to ask again.
        let answer = tokens.map(|tokens| proto::GetAuthTokensResponse {
            access_token: tokens.access,
            refresh_token: tokens.refresh,
        });
        Ok(Response::new(answer.unwrap_or_default()))
    }

    async fn pull_artifacts(
        &self,
        _: Request<proto::PullArtifactsRequest>,
    ) -> Answer<proto::PullArtifactsResponse> {
        Err(status::of(Refusal::NotOffered(Feature::Artifacts)))
    }
}

impl NamedService for Exec {
    const NAME: &'static str = "flwr.proto.Exec";
}

impl Service<http::Request<Body>> for Exec {
    type Response = <ControlServer<ControlApi> as Service<http::Request<Body>>>::Response;
    type Error = <ControlServer<ControlApi> as Service<http::Request<Body>>>::Error;
    type Future = <ControlServer<ControlApi> as Service<http::Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<http::Request<Body>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default();
        // A path that was routed here is one; should it not be, Control refuses the old one.
        if let Ok(uri) = format!("/flwr.proto.Control/{method}").parse() {
            *request.uri_mut() = uri;
        }
        self.0.call(request)
    }
}
