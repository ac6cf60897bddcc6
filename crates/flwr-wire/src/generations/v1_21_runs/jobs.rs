//! What those ask who start app processes, and what is asked of several runs at once.

use std::collections::BTreeMap;

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::port::{Result, Runtime};
use flwr_proto as proto;

use crate::carrier::grpc::Answer;
use crate::host::{AppProof, Head, RuntimeHost};
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

pub(super) async fn get_run_status<H: RuntimeHost>(
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let request: proto::GetRunStatusRequest = read(request)?;
    let mut run_status_dict = BTreeMap::new();
    for id in request.run_ids {
        let proof = AppProof::Named(RunId(id));
        if let Some(run) = host.admit(proof, &head).await?.run().await? {
            run_status_dict.insert(id, run.status.into());
        }
    }
    Ok(Answer::new(proto::GetRunStatusResponse { run_status_dict }))
}
