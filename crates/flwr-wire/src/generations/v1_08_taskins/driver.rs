//! Driver, for ServerApps of flwr 1.8 to 1.12. They make their runs themselves.

use bytes::Bytes;
use flwr_core::config;
use flwr_core::id::{NodeId, RunId};
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::Refusal;
use flwr_proto as proto;
use flwr_proto::v1_08 as wire;

use super::apps::{Apps, SILENCE};
use super::layout;
use crate::carrier::Answer;
use crate::host::{AppProof, Head, Launch, ServerAppHost};
use crate::methods::Request;
use crate::methods::runtime::read;
use crate::objects;

pub(super) async fn create_run<H: ServerAppHost>(
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let request: wire::CreateRunRequest = read(request)?;
    let overrides = config::from_wire(request.override_config).map_err(Refusal::from)?;
    let fab = request.fab.map(|fab| fab.content);
    let launch = Launch {
        fab_id: request.fab_id,
        fab_version: request.fab_version,
        fab: fab.filter(|content| !content.is_empty()),
        overrides,
    };
    let run = host.launch(launch, &head).await?;
    let runtime = host.admit(AppProof::Stranger(run), &head).await?;
    runtime.alive(SILENCE).await?;
    Ok(Answer::new(wire::CreateRunResponse { run_id: run.0 }))
}

pub(super) async fn get_nodes<H: ServerAppHost>(
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let run = RunId(read::<proto::GetNodesRequest>(request)?.run_id);
    let runtime = host.admit(AppProof::Stranger(run), &head).await?;
    runtime.alive(SILENCE).await?;
    let node = |node: NodeId| wire::Node {
        node_id: node.0,
        anonymous: false,
    };
    let nodes = runtime.nodes().await?.into_iter().map(node).collect();
    Ok(Answer::new(wire::GetNodesResponse { nodes }))
}

pub(super) async fn get_run<H: ServerAppHost>(
    apps: &Apps,
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let (request, numbering) = layout::get_run(request.message)?;
    let run = RunId(request.run_id);
    let runtime = host.admit(AppProof::Stranger(run), &head).await?;
    let found = runtime.run().await?;
    // A run that never was is not remembered.
    if found.is_some() {
        apps.note(&host, run, numbering).await?;
    }
    let run = found.map(proto::Run::from);
    Ok(Answer::new(proto::GetRunResponse { run }))
}

pub(super) async fn get_fab<H: ServerAppHost>(
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let request = layout::get_fab(request.message)?;
    let (run, hash_str) = (RunId(request.run_id), request.hash_str);
    let runtime = host.admit(AppProof::Stranger(run), &head).await?;
    let content = runtime.fab(&hash_str).await?;
    let fab = Some(objects::fab(hash_str, content));
    Ok(Answer::new(proto::GetFabResponse { fab }))
}
