//! Control, for the `flwr` command; and Exec, its name until flwr 1.20.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use flwr_core::config;
use flwr_core::id::RunId;
use flwr_core::run::Run;
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use flwr_proto::control_server::{Control, ControlServer};
use flwr_security::tls::Certificate;
use futures::stream::{self, Stream};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};
use tower::Service;

use super::MAX_CONTROL_BYTES;
use crate::error::Error;
use crate::link::Link;
use crate::link::state::{KnownNode, LogEntry, Refusal, StateError};

/// The texts by which the peers' command lines know what is not offered here.
const NO_ACCOUNTS: &str = "ControlServicer initialized without user authentication";
const NO_ARTIFACTS: &str = "ControlServicer initialized without artifact provider";

/// The Control service over the domain.
#[derive(Debug, Clone)]
pub struct ControlApi {
    link: Arc<Link>,
}

/// Control under its older name: the messages of the two are the same, field for field.
#[derive(Debug, Clone)]
pub struct Exec(pub ControlServer<ControlApi>);

type Answer<T> = Result<Response<T>, Status>;
type LogStream = Pin<Box<dyn Stream<Item = Result<proto::StreamLogsResponse, Status>> + Send>>;

impl ControlApi {
    /// The service, ready to be routed to.
    #[must_use]
    pub fn server(link: Arc<Link>) -> ControlServer<Self> {
        ControlServer::new(Self { link }).max_decoding_message_size(MAX_CONTROL_BYTES)
    }

    async fn start(&self, request: proto::StartRunRequest) -> Answer<proto::StartRunResponse> {
        let fab = request.fab.unwrap_or_default().content;
        let overrides = config::from_wire(request.override_config).map_err(Error::RunConfig)?;
        let run = self.link.start_run(fab, overrides).await?;
        Ok(Response::new(proto::StartRunResponse {
            run_id: Some(run.0),
        }))
    }

    async fn stop(&self, run: RunId) -> Answer<proto::StopRunResponse> {
        self.link.stop_run(run).await.map_err(for_people)?;
        Ok(Response::new(proto::StopRunResponse { success: true }))
    }

    async fn list(&self, run: Option<u64>) -> Answer<proto::ListRunsResponse> {
        let runs = match run {
            None => self.link.runs().await?,
            Some(run) => vec![self.link.known_run(RunId(run)).await.map_err(for_people)?],
        };
        let by_id = |run: Run| (run.id.0, run.into());
        let run_dict: BTreeMap<u64, proto::Run> = runs.into_iter().map(by_id).collect();
        Ok(Response::new(proto::ListRunsResponse {
            run_dict,
            now: self.link.now().iso8601(),
        }))
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

    async fn logs(&self, request: proto::StreamLogsRequest) -> Answer<LogStream> {
        let run = RunId(request.run_id);
        self.link.known_run(run).await.map_err(for_people)?;
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

/// A person who names a run that does not exist mistyped it: no peer that lost one.
fn for_people(error: Error) -> Status {
    match error {
        Error::State(StateError::Refused(Refusal::UnknownRun(_))) => {
            Status::not_found("Run ID not found")
        }
        error => error.into(),
    }
}

#[tonic::async_trait]
impl Control for ControlApi {
    type StreamLogsStream = LogStream;

    async fn start_run(
        &self,
        request: Request<proto::StartRunRequest>,
    ) -> Answer<proto::StartRunResponse> {
        self.start(request.into_inner()).await
    }

    async fn stop_run(
        &self,
        request: Request<proto::StopRunRequest>,
    ) -> Answer<proto::StopRunResponse> {
        self.stop(RunId(request.get_ref().run_id)).await
    }

    async fn stream_logs(&self, request: Request<proto::StreamLogsRequest>) -> Answer<LogStream> {
        self.logs(request.into_inner()).await
    }

    async fn list_runs(
        &self,
        request: Request<proto::ListRunsRequest>,
    ) -> Answer<proto::ListRunsResponse> {
        self.list(request.get_ref().run_id).await
    }

    async fn list_nodes(
        &self,
        _: Request<proto::ListNodesRequest>,
    ) -> Answer<proto::ListNodesResponse> {
        self.nodes().await
    }

    async fn get_login_details(
        &self,
        _: Request<proto::GetLoginDetailsRequest>,
    ) -> Answer<proto::GetLoginDetailsResponse> {
        Err(Status::unimplemented(NO_ACCOUNTS))
    }

    async fn get_auth_tokens(
        &self,
        _: Request<proto::GetAuthTokensRequest>,
    ) -> Answer<proto::GetAuthTokensResponse> {
        Err(Status::unimplemented(NO_ACCOUNTS))
    }

    async fn pull_artifacts(
        &self,
        _: Request<proto::PullArtifactsRequest>,
    ) -> Answer<proto::PullArtifactsResponse> {
        Err(Status::unimplemented(NO_ARTIFACTS))
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
