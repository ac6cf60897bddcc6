//! What those ask who start app processes in a daemon's place.

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::port::{Jobs, Result, Runtime};
use flwr_core::refusal::{Failure, Refusal};
use flwr_proto as proto;

use crate::carrier::grpc::Answer;
use crate::host::{AppProof, Head, LauncherProof, RuntimeHost};
use crate::methods::Request;
use crate::methods::runtime::read;

/// Opens the session of whoever made this call of the method at `path`.
fn admit<H: RuntimeHost>(
    host: &H,
    head: &Head,
    path: &'static str,
    request: &Request<Bytes>,
) -> Result<H::Jobs> {
    let proof = LauncherProof {
        headers: request.superexec.clone(),
        method: path,
        body: request.message.clone(),
    };
    host.admit_launcher(&proof, head)
}

pub(super) async fn list_apps_to_launch<H: RuntimeHost>(
    path: &'static str,
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let jobs = admit(&host, &head, path, &request)?;
    let run_ids = jobs.waiting().await?.into_iter().map(u64::from).collect();
    Ok(Answer::new(proto::ListAppsToLaunchResponse { run_ids }))
}

pub(super) async fn request_token<H: RuntimeHost>(
    path: &'static str,
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let jobs = admit(&host, &head, path, &request)?;
    let request: proto::RequestTokenRequest = read(request)?;
    let token = jobs.claim(RunId(request.run_id)).await?.unwrap_or_default();
    Ok(Answer::new(proto::RequestTokenResponse { token }))
}

/// `GetRun`: apps ask, and those who start apps, to know what to start.
pub(super) async fn get_run<H: RuntimeHost>(
    path: &'static str,
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let launcher = request.clone();
    let run = RunId(read::<proto::GetRunRequest>(request)?.run_id);
    let found = match host.admit(AppProof::Named(run), &head).await {
        Ok(runtime) => runtime.run().await?,
        Err(Failure::Refused(Refusal::UnknownToken)) => {
            admit(&host, &head, path, &launcher)?.run(run).await?
        }
        Err(failure) => return Err(failure),
    };
    let run = found.map(Into::into);
    Ok(Answer::new(proto::GetRunResponse { run }))
}
