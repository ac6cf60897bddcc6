//! What those ask who start app processes in a daemon's place.

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::port::Result;
use flwr_proto as proto;

use crate::carrier::grpc::Answer;
use crate::host::{Head, RuntimeHost};
use crate::methods::Request;
use crate::methods::runtime::read;

pub(super) async fn list_apps_to_launch<H: RuntimeHost>(
    host: H,
    _: Head,
    _: Request<Bytes>,
) -> Result<Answer> {
    let run_ids = host.waiting().await?.into_iter().map(u64::from).collect();
    Ok(Answer::new(proto::ListAppsToLaunchResponse { run_ids }))
}

pub(super) async fn request_token<H: RuntimeHost>(
    host: H,
    _: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let request: proto::RequestTokenRequest = read(request)?;
    let token = host.claim(RunId(request.run_id)).await?.unwrap_or_default();
    Ok(Answer::new(proto::RequestTokenResponse { token }))
}
