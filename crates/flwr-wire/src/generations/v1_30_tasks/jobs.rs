//! What those ask who start app processes in a daemon's place.

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::port::{Jobs, Result, Runtime};
use flwr_core::refusal::Refusal;
use flwr_core::run::{Phase, RunStatus};
use flwr_proto as proto;
use flwr_proto::v1_30;

use crate::apps::claimed;
use crate::carrier::Answer;
use crate::host::{Head, RuntimeHost};
use crate::methods::Request;
use crate::methods::runtime::{admit_by_metadata, admit_launcher, read};

/// What the process of a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    ServerApp,
    ClientApp,
}

impl Kind {
    /// The type of the task, which is the name of the program that works on it.
    const fn task_type(self) -> &'static str {
        match self {
            Self::ServerApp => "flwr-serverapp",
            Self::ClientApp => "flwr-clientapp",
        }
    }

    /// The task of a run that waits for such a process. Its number is the run's.
    fn waiting(self, run: RunId) -> v1_30::Task {
        let RunStatus { phase, details } = RunStatus::plain(Phase::Pending);
        v1_30::Task {
            task_id: run.0,
            r#type: self.task_type().to_owned(),
            run_id: run.0,
            status: Some(v1_30::TaskStatus {
                status: phase.name().to_owned(),
                sub_status: String::new(),
                details,
            }),
            ..v1_30::Task::default()
        }
    }
}

pub(super) async fn pull_pending_tasks(
    kind: Kind,
    jobs: impl Jobs,
) -> Result<v1_30::PullPendingTasksResponse> {
    let waiting = jobs.waiting().await?.into_iter();
    let tasks = waiting.map(|run| kind.waiting(run)).collect();
    Ok(v1_30::PullPendingTasksResponse { tasks })
}

pub(super) async fn claim_task(
    jobs: impl Jobs,
    request: v1_30::ClaimTaskRequest,
) -> Result<v1_30::ClaimTaskResponse> {
    let token = claimed(&jobs, RunId(request.task_id)).await?;
    Ok(v1_30::ClaimTaskResponse { token })
}

/// Claims the first task that waits and is of a type that the caller names.
pub(super) async fn acquire_task(
    kind: Kind,
    jobs: impl Jobs,
    request: v1_30::AcquireTaskRequest,
) -> Result<v1_30::AcquireTaskResponse> {
    let mut types = request.supported_task_types.iter();
    if types.any(|name| name == kind.task_type()) {
        for run in jobs.waiting().await? {
            if let Some(token) = claimed(&jobs, run).await? {
                let task = Some(kind.waiting(run));
                return Ok(v1_30::AcquireTaskResponse { task, token });
            }
        }
    }
    Ok(v1_30::AcquireTaskResponse::default())
}

/// `GetRun`: apps ask, and those who start apps.
pub(super) async fn get_run<H: RuntimeHost>(
    (path, kind): (&'static str, Kind),
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let (caller, token) = (request.clone(), request.token.clone());
    let run = RunId(read::<proto::GetRunRequest>(request)?.run_id);
    let found = if token.is_some() {
        let runtime = admit_by_metadata(&host, &head, token.as_ref()).await?;
        if runtime.run_id() != Some(run) {
            return Err(Refusal::UnknownAppToken.into());
        }
        runtime.run().await?
    } else {
        let jobs = admit_launcher(&host, &head, path, &caller)?;
        jobs.run(run).await?
    };
    let run = found.map(|run| proto::Run {
        primary_task_type: kind.task_type().to_owned(),
        ..run.into()
    });
    Ok(Answer::new(proto::GetRunResponse { run }))
}
