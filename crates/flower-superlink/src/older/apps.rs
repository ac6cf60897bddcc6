//! ServerApp processes of flwr 1.13 to 1.20. They have no token: one that asks for its inputs gets
//! the run that the launcher has started a process for. Those before 1.19 have calls of their own
//! for that, and messages with their content in them, which are told from those of today by where
//! in a request its run is; those before 1.15 send tasks.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use flwr_core::id::RunId;
use flwr_proto as proto;
use flwr_proto::older::tasks;
use flwr_proto::server_app_io_server::ServerAppIo;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use super::inline::serverapp;
use super::tasks::Numbering;
use super::tasks::serverapp::ServerApps;
use super::unary::{self, Raw, Served};
use super::unconfirmed::UnconfirmedReplies;
use crate::api::{ServerAppIoApi, patience, run_to_completion};
use crate::link::Link;

/// ServerAppIo for all versions: the service of today behind it serves what is not of an earlier
/// one.
#[derive(Debug, Clone)]
pub(crate) struct OlderApps<S> {
    today: S,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    api: ServerAppIoApi,
    link: Arc<Link>,
    /// Whether processes without a token are started here.
    asks: bool,
    unconfirmed: UnconfirmedReplies,
    tasks: ServerApps,
}

impl<S> OlderApps<S> {
    /// Puts the earlier versions before the service of today. Processes without a token are
    /// answered if this SuperLink starts such (`asks`).
    pub(crate) fn new(today: S, link: Arc<Link>, asks: bool) -> Self {
        let shared = Shared {
            api: ServerAppIoApi::over(Arc::clone(&link)),
            tasks: ServerApps::new(Arc::clone(&link)),
            link,
            asks,
            unconfirmed: UnconfirmedReplies::default(),
        };
        Self {
            today,
            shared: Arc::new(shared),
        }
    }
}

impl Shared {
    async fn inputs(
        self: Arc<Self>,
        request: tonic::Request<proto::PullAppInputsRequest>,
    ) -> Result<proto::PullAppInputsResponse, Status> {
        if !request.get_ref().token.is_empty() {
            let answer = self.api.pull_app_inputs(request).await;
            return answer.map(tonic::Response::into_inner);
        }
        let inputs = self.link.expected_inputs().await?;
        Ok(inputs.map(Into::into).unwrap_or_default())
    }

    async fn outputs(
        self: Arc<Self>,
        request: tonic::Request<proto::PushAppOutputsRequest>,
    ) -> Result<proto::PushAppOutputsResponse, Status> {
        if !request.get_ref().token.is_empty() {
            let answer = self.api.push_app_outputs(request).await;
            return answer.map(tonic::Response::into_inner);
        }
        let proto::PushAppOutputsRequest {
            run_id, context, ..
        } = request.into_inner();
        let (link, context) = (Arc::clone(&self.link), context.unwrap_or_default());
        run_to_completion(async move { link.keep_context(RunId(run_id), context).await }).await?;
        Ok(proto::PushAppOutputsResponse {})
    }

    async fn push(self: Arc<Self>, request: tonic::Request<Raw>) -> Result<Raw, Status> {
        // The run, a number, is field 2 of the older request and field 3 of today's.
        if request.get_ref().has_number(2) {
            let answer = serverapp::push(Arc::clone(&self.link), request.into_inner().read()?);
            return Ok(unary::raw(&answer.await?));
        }
        let request = today(request)?;
        let answer = self.api.push_messages(request).await?;
        Ok(unary::raw(answer.get_ref()))
    }

    async fn pull(self: Arc<Self>, request: tonic::Request<Raw>) -> Result<Raw, Status> {
        if request.get_ref().has_number(2) {
            let patience = patience::of(&request);
            let request = request.into_inner().read()?;
            let answer = serverapp::pull(&self.link, &self.unconfirmed, request, patience);
            return Ok(unary::raw(&answer.await?));
        }
        let request = today(request)?;
        let answer = self.api.pull_messages(request).await?;
        Ok(unary::raw(answer.get_ref()))
    }

    async fn push_tasks(
        self: Arc<Self>,
        request: tonic::Request<tasks::PushTaskInsRequest>,
    ) -> Result<tasks::PushTaskInsResponse, Status> {
        let numbering = |_| Numbering::From12;
        self.tasks.push(request.into_inner(), numbering).await
    }

    async fn pull_tasks(
        self: Arc<Self>,
        request: tonic::Request<tasks::PullTaskResRequest>,
    ) -> Result<tasks::PullTaskResResponse, Status> {
        let (numbering, patience) = (|_| Numbering::From12, patience::of(&request));
        let tasks = request.into_inner();
        self.tasks.pull(tasks, numbering, patience).await
    }
}

/// The request as the service of today reads it.
fn today<M: prost::Message + Default>(
    request: tonic::Request<Raw>,
) -> Result<tonic::Request<M>, Status> {
    let (metadata, extensions, raw) = request.into_parts();
    Ok(tonic::Request::from_parts(
        metadata,
        extensions,
        raw.read()?,
    ))
}

impl<S> Service<Request<Body>> for OlderApps<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Served;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.today.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !self.shared.asks {
            return Box::pin(self.today.call(request));
        }
        let shared = Arc::clone(&self.shared);
        let link = Arc::clone(&shared.link);
        let path = request.uri().path();
        match path.strip_prefix("/flwr.proto.ServerAppIo/") {
            Some("PullAppInputs") => unary::serve(shared, request, Shared::inputs),
            Some("PushAppOutputs") => unary::serve(shared, request, Shared::outputs),
            Some("PullServerAppInputs") => unary::serve(link, request, serverapp::inputs),
            Some("PushServerAppOutputs") => unary::serve(link, request, serverapp::outputs),
            Some("PushTaskIns") => unary::serve(shared, request, Shared::push_tasks),
            Some("PullTaskRes") => unary::serve(shared, request, Shared::pull_tasks),
            Some("PushMessages") => unary::serve(shared, request, Shared::push),
            Some("PullMessages") => unary::serve(shared, request, Shared::pull),
            _ => Box::pin(self.today.call(request)),
        }
    }
}

impl<S: NamedService> NamedService for OlderApps<S> {
    const NAME: &'static str = S::NAME;
}
