//! What those ask who start app processes in a daemon's place.

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::port::{Jobs, Result, Runtime};
use flwr_core::refusal::{Failure, Refusal};
use flwr_proto as proto;

use crate::apps::claimed;
use crate::carrier::Answer;
use crate::host::{AppProof, Head, RuntimeHost};
use crate::methods::Request;
use crate::methods::runtime::{admit, admit_launcher, read};

pub(super) async fn list_apps_to_launch(
    jobs: impl Jobs,
    _: proto::ListAppsToLaunchRequest,
) -> Result<proto::ListAppsToLaunchResponse> {
    let run_ids = jobs.waiting().await?.into_iter().map(u64::from).collect();
    Ok(proto::ListAppsToLaunchResponse { run_ids })
}

pub(super) async fn request_token(
    jobs: impl Jobs,
    request: proto::RequestTokenRequest,
) -> Result<proto::RequestTokenResponse> {
    let token = claimed(&jobs, RunId(request.run_id)).await?;
    let token = token.unwrap_or_default();
    Ok(proto::RequestTokenResponse { token })
}

/// `GetRun`: apps ask, and those who start apps, to know what to start: `kind`.
pub(super) async fn get_run<H: RuntimeHost>(
    (path, kind): (&'static str, &'static str),
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let (launcher, token) = (request.clone(), request.token.clone());
    let run = RunId(read::<proto::GetRunRequest>(request)?.run_id);
    let named = AppProof::Named(run);
    let found = match admit(&host, &head, named, token.as_ref()).await {
        Ok(runtime) => runtime.run().await?,
        Err(Failure::Refused(Refusal::UnknownToken)) if token.is_none() => {
            let jobs = admit_launcher(&host, &head, path, &launcher)?;
            jobs.run(run).await?
        }
        Err(failure) => return Err(failure),
    };
    let run = found.map(|run| proto::Run {
        primary_task_type: kind.to_owned(),
        ..run.into()
    });
    Ok(Answer::new(proto::GetRunResponse { run }))
}
