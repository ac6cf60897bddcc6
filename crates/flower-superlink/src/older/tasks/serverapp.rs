//! ServerApps of flwr 1.8 to 1.14: those that call Driver make their runs themselves, those of 1.13
//! and 1.14 call ServerAppIo. What they send and want are tasks; a task is named by its run and its
//! message, for the question for a reply names no run.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flwr_core::config;
use flwr_core::id::RunId;
use flwr_core::message::{Message, MessageId};
use flwr_proto as proto;
use flwr_proto::older::tasks as wire;
use http::{Request, Response};
use parking_lot::Mutex;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use super::records::{self, Numbering};
use super::{layout, task};
use crate::api::{patience, require_tls, run_to_completion};
use crate::error::{Error, Result};
use crate::link::Link;
use crate::older::message;
use crate::older::unary::{self, Raw, Served};
use crate::older::unconfirmed::{UnconfirmedReplies, forget_finished};

/// Seconds that such a ServerApp may compute without a word: nothing but its calls shows that it
/// lives.
const SILENCE: f64 = 1800.0;
/// Hexadecimal digits of a run's id in a task's name.
const RUN_DIGITS: usize = 16;

/// Driver, for ServerApps of flwr 1.8 to 1.12.
#[derive(Debug, Clone)]
pub(crate) struct Driver(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    apps: ServerApps,
    /// Whether runs may be started over plaintext.
    insecure: bool,
    /// How the records of each run are numbered, where that was told.
    numberings: Mutex<HashMap<RunId, Numbering>>,
}

/// What ServerApps of those times ask for, whichever service they call.
#[derive(Debug)]
pub(in crate::older) struct ServerApps {
    link: Arc<Link>,
    unconfirmed: UnconfirmedReplies,
}

type Answer<T> = std::result::Result<T, Status>;

impl ServerApps {
    pub(in crate::older) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            unconfirmed: UnconfirmedReplies::default(),
        }
    }

    /// `PushTaskIns`: instructions.
    pub(in crate::older) async fn push(
        &self,
        request: wire::PushTaskInsRequest,
        numbering: impl Fn(RunId) -> Numbering,
    ) -> Answer<wire::PushTaskInsResponse> {
        let mut runs: BTreeMap<RunId, Vec<_>> = BTreeMap::new();
        let order: Vec<_> = request
            .task_ins_list
            .iter()
            .map(|task| RunId(task.run_id))
            .collect();
        for task in request.task_ins_list {
            runs.entry(RunId(task.run_id)).or_default().push(task);
        }
        let mut names: HashMap<RunId, std::vec::IntoIter<String>> = HashMap::new();
        for (run, tasks) in runs {
            let (link, numbering) = (Arc::clone(&self.link), numbering(run));
            let sent =
                run_to_completion(async move { send(&link, run, tasks, numbering).await }).await?;
            let named = sent
                .into_iter()
                .map(|id| id.map(|id| name(run, &id.to_string())));
            let named: Vec<_> = named.map(Option::unwrap_or_default).collect();
            names.insert(run, named.into_iter());
        }
        let task_ids = order.iter().map(|run| {
            let names = names.get_mut(run);
            names.and_then(Iterator::next).unwrap_or_default()
        });
        Ok(wire::PushTaskInsResponse {
            task_ids: task_ids.collect(),
        })
    }

    /// `PullTaskRes`: the replies that are there.
    pub(in crate::older) async fn pull(
        &self,
        request: wire::PullTaskResRequest,
        numbering: impl Fn(RunId) -> Numbering,
        patience: Duration,
    ) -> Answer<wire::PullTaskResResponse> {
        let mut runs: BTreeMap<RunId, Vec<MessageId>> = BTreeMap::new();
        for task in &request.task_ids {
            let (run, message) = read_name(task)?;
            runs.entry(run).or_default().push(message);
        }
        let mut task_res_list = Vec::new();
        for (run, asked) in runs {
            let replies = self.replies(run, &asked, numbering(run), patience);
            task_res_list.extend(replies.await?);
        }
        Ok(wire::PullTaskResResponse { task_res_list })
    }

    async fn replies(
        &self,
        run: RunId,
        asked: &[MessageId],
        numbering: Numbering,
        patience: Duration,
    ) -> Result<Vec<wire::TaskMessage>> {
        let link = &self.link;
        link.app_lives(run, SILENCE).await?;
        let make = |whole| {
            let task =
                task::from_message(whole, numbering, |id| name(run, id), link.now().as_secs());
            task.map_err(|unreadable| unreadable.to_string())
        };
        self.unconfirmed
            .replies(link, run, asked, patience, make)
            .await
    }
}

async fn send(
    link: &Link,
    run: RunId,
    tasks: Vec<wire::TaskMessage>,
    numbering: Numbering,
) -> Result<Vec<Option<MessageId>>> {
    link.app_lives(run, SILENCE).await?;
    let now = link.now();
    let mut instructions = Vec::new();
    for task in tasks {
        let parts = task::parts(task);
        let content = parts
            .recordset
            .map(|set| read(set, numbering))
            .transpose()?;
        let read = |message| Message::instruction(message, now).map_err(Error::Malformed);
        let apart = message::split(Some(parts.metadata), content, parts.error, read);
        instructions.push(apart.await?);
    }
    message::send(link, run, instructions).await
}

/// The records of a task in the words of today.
pub(super) fn read(recordset: Bytes, numbering: Numbering) -> Result<proto::RecordDict> {
    records::from_task(recordset, numbering).map_err(|error| Error::Field {
        field: "recordset",
        problem: error.to_string(),
    })
}

/// A task's name.
fn name(run: RunId, message: &str) -> String {
    format!("{:016x}{message}", run.0)
}

fn read_name(task: &str) -> Result<(RunId, MessageId)> {
    let unknown = || Error::Field {
        field: "task_ids",
        problem: "holds a name that was not given here".to_owned(),
    };
    let (run, message) = task.split_at_checked(RUN_DIGITS).ok_or_else(unknown)?;
    let run = u64::from_str_radix(run, 16).map_err(|_| unknown())?;
    Ok((RunId(run), message.parse().map_err(|_| unknown())?))
}

impl Driver {
    /// The service. It is to be had over TLS only, unless everything is spoken in plaintext here
    /// (`insecure`).
    pub(crate) fn new(link: Arc<Link>, insecure: bool) -> Self {
        Self(Arc::new(Inner {
            apps: ServerApps::new(link),
            insecure,
            numberings: Mutex::default(),
        }))
    }
}

impl Inner {
    fn numbering(&self, run: RunId) -> Numbering {
        let known = self.numberings.lock().get(&run).copied();
        // Those from 1.10 on ask for their run first, by which they are known.
        known.unwrap_or(Numbering::Until11)
    }

    async fn answer(&self, method: &str, request: tonic::Request<Raw>) -> Answer<Raw> {
        require_tls(&request, self.insecure)?;
        let patience = patience::of(&request);
        let body = request.into_inner();
        let link = &self.apps.link;
        let numbering = |run| self.numbering(run);
        match method {
            "CreateRun" => Ok(unary::raw(&self.create(body.read()?).await?)),
            "GetNodes" => {
                let run = RunId(body.read::<proto::GetNodesRequest>()?.run_id);
                link.app_lives(run, SILENCE).await?;
                let node = |node: flwr_core::id::NodeId| wire::Node {
                    node_id: node.0,
                    anonymous: false,
                };
                let nodes = link.nodes(run).await?.into_iter().map(node).collect();
                Ok(unary::raw(&wire::GetNodesResponse { nodes }))
            }
            "PushTaskIns" => Ok(unary::raw(&self.apps.push(body.read()?, numbering).await?)),
            "PullTaskRes" => {
                let answer = self.apps.pull(body.read()?, numbering, patience);
                Ok(unary::raw(&answer.await?))
            }
            "GetRun" => {
                let (request, known) = layout::get_run(body)?;
                let run = RunId(request.run_id);
                let found = link.run(run).await?;
                // Whoever asks for runs that never were is not remembered.
                if found.is_some() {
                    forget_finished(&self.numberings, link).await?;
                    self.numberings.lock().insert(run, known);
                }
                let run = found.map(proto::Run::from);
                Ok(unary::raw(&proto::GetRunResponse { run }))
            }
            "GetFab" => {
                let hash_str = layout::get_fab(body)?.hash_str;
                let content = link.fab(&hash_str).await?;
                let fab = Some(proto::Fab { hash_str, content });
                Ok(unary::raw(&proto::GetFabResponse { fab }))
            }
            _ => Err(Status::unimplemented("Method not found!")),
        }
    }

    async fn create(&self, request: wire::CreateRunRequest) -> Answer<wire::CreateRunResponse> {
        let overrides = config::from_wire(request.override_config).map_err(Error::RunConfig)?;
        let link = Arc::clone(&self.apps.link);
        let fab = request.fab.map(|fab| fab.content);
        let fab = fab.filter(|content| !content.is_empty());
        let app = (request.fab_id, request.fab_version);
        let started = async move { link.start_run_of_a_stranger(app, fab, overrides).await };
        let run = run_to_completion(started).await?;
        self.apps.link.app_lives(run, SILENCE).await?;
        Ok(wire::CreateRunResponse { run_id: run.0 })
    }
}

impl Service<Request<Body>> for Driver {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Served;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        let method: Arc<str> = path.rsplit('/').next().unwrap_or_default().into();
        let answer = move |inner: Arc<Inner>, request| {
            let method = Arc::clone(&method);
            async move { inner.answer(&method, request).await }
        };
        unary::serve(Arc::clone(&self.0), request, answer)
    }
}

impl NamedService for Driver {
    const NAME: &'static str = "flwr.proto.Driver";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tasks_name_holds_its_run_and_its_message() {
        let message = MessageId::of(b"a message");
        let task = name(RunId(u64::MAX - 1), &message.to_string());
        assert_eq!(read_name(&task).unwrap(), (RunId(u64::MAX - 1), message));
        for wrong in ["", "00", "é23456789012345678", &"z".repeat(80), &task[1..]] {
            assert!(read_name(wrong).is_err(), "{wrong}");
        }
    }
}
