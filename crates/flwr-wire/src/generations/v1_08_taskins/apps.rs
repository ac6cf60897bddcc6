//! What ServerApps of flwr 1.8 to 1.14 ask for, whichever service they call: those of 1.13 and 1.14
//! call ServerAppIo, earlier ones Driver. What they send and want are tasks. A task is named by its
//! run and its message, for the question for a reply names no run.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::message::{Message, MessageId};
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_proto::v1_08 as wire;

use super::records::{self, Numbering};
use super::task;
use crate::carrier::Answer;
use crate::host::{AppProof, Head, ServerAppHost};
use crate::inflate;
use crate::methods::Request;
use crate::methods::runtime::read;
use crate::unconfirmed::{ByRun, Unconfirmed};

/// Seconds that such a ServerApp may compute without a word: nothing but its calls shows that it
/// lives.
pub(super) const SILENCE: f64 = 1800.0;
/// Hexadecimal digits of a run's id in a task's name.
const RUN_DIGITS: usize = 16;

/// What the generation keeps of ServerApps between calls.
#[derive(Debug, Default)]
pub(super) struct Apps {
    unconfirmed: Arc<Unconfirmed>,
    /// How the records of each run are numbered, where that is known.
    numberings: ByRun<Numbering>,
}

/// The service by which a ServerApp calls.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    ServerAppIo,
    Driver,
}

impl By {
    /// What admits a call for this run.
    fn proof(self, run: RunId) -> AppProof {
        match self {
            Self::ServerAppIo => AppProof::Tokenless(Some(run)),
            Self::Driver => AppProof::Stranger(run),
        }
    }
}

impl Apps {
    fn numbering(&self, by: By, run: RunId) -> Numbering {
        match by {
            By::ServerAppIo => Numbering::From12,
            // Those from 1.10 on ask for their run first, by which they are known.
            By::Driver => self.numberings.get(run).unwrap_or(Numbering::Until11),
        }
    }

    /// Notes how the records of this run are numbered.
    pub(super) async fn note<H: ServerAppHost>(
        &self,
        host: &H,
        run: RunId,
        numbering: Numbering,
    ) -> Result<()> {
        self.numberings.forget_finished(host).await?;
        self.numberings.insert(run, numbering);
        Ok(())
    }

    /// `PushTaskIns`: instructions.
    pub(super) async fn push_task_ins<H: ServerAppHost>(
        &self,
        by: By,
        host: H,
        head: Head,
        request: Request<Bytes>,
    ) -> Result<Answer> {
        let now = request.now;
        let request: wire::PushTaskInsRequest = read(request)?;
        let tasks = request.task_ins_list;
        let order: Vec<_> = tasks.iter().map(|task| RunId(task.run_id)).collect();
        let mut runs: BTreeMap<RunId, Vec<_>> = BTreeMap::new();
        for task in tasks {
            runs.entry(RunId(task.run_id)).or_default().push(task);
        }
        let mut names: HashMap<RunId, std::vec::IntoIter<String>> = HashMap::new();
        for (run, tasks) in runs {
            let runtime = host.admit(by.proof(run), &head).await?;
            let sent = send(&runtime, tasks, self.numbering(by, run), now).await?;
            let named = sent.into_iter();
            let named = named.map(|id| id.map(|id| name(run, &id.to_string())).unwrap_or_default());
            names.insert(run, named.collect::<Vec<_>>().into_iter());
        }
        let task_ids = order.iter().map(|run| {
            let names = names.get_mut(run);
            names.and_then(Iterator::next).unwrap_or_default()
        });
        let task_ids = task_ids.collect();
        Ok(Answer::new(wire::PushTaskInsResponse { task_ids }))
    }

    /// `PullTaskRes`: the replies that are there.
    pub(super) async fn pull_task_res<H: ServerAppHost>(
        &self,
        by: By,
        host: H,
        head: Head,
        request: Request<Bytes>,
    ) -> Result<Answer> {
        let now = request.now.as_secs();
        let request: wire::PullTaskResRequest = read(request)?;
        let Questions { runs, unsent } = Questions::read(&request.task_ids)?;
        let mut task_res_list = Vec::new();
        if unsent {
            task_res_list.push(task::of_unsent(now));
        }
        for (run, asked) in runs {
            let runtime = Arc::new(host.admit(by.proof(run), &head).await?);
            runtime.alive(SILENCE).await?;
            let numbering = self.numbering(by, run);
            let make = |inflated| {
                let task = task::from_message(inflated, numbering, |id| name(run, id), now);
                task.map_err(|unreadable| unreadable.to_string())
            };
            let unconfirmed = &self.unconfirmed;
            let replies = unconfirmed.replies(&host, &runtime, run, asked, head.patience, make);
            task_res_list.extend(replies.await?);
        }
        Ok(Answer::new(wire::PullTaskResResponse { task_res_list }))
    }
}

async fn send(
    runtime: &impl Runtime,
    tasks: Vec<wire::TaskMessage>,
    numbering: Numbering,
    now: Timestamp,
) -> Result<Vec<Option<MessageId>>> {
    let mut instructions = Vec::new();
    for task in tasks {
        let parts = task::parts(task);
        let content = parts.recordset.map(|set| records::read(set, numbering));
        let content = content.transpose()?;
        let read = |message| Message::instruction(message, now).map_err(Refusal::Malformed);
        let instruction = inflate::deflate(Some(parts.metadata), content, parts.error, read);
        instructions.push(instruction.await?);
    }
    inflate::send(runtime, instructions).await
}

/// The tasks for whose replies a ServerApp asks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Questions {
    /// The messages that are these tasks, by run.
    runs: BTreeMap<RunId, Vec<Option<MessageId>>>,
    /// Whether a name is empty, which is the name of a task that was not sent.
    unsent: bool,
}

impl Questions {
    fn read(tasks: &[String]) -> Result<Self> {
        let mut questions = Self::default();
        for task in tasks {
            if task.is_empty() {
                questions.unsent = true;
                continue;
            }
            let (run, message) = read_name(task)?;
            questions.runs.entry(run).or_default().push(Some(message));
        }
        Ok(questions)
    }
}

/// A task's name.
fn name(run: RunId, message: &str) -> String {
    format!("{:016x}{message}", run.0)
}

fn read_name(task: &str) -> Result<(RunId, MessageId)> {
    let unknown = || Refusal::field("task_ids", "holds a name that was not given here");
    let (run, message) = task.split_at_checked(RUN_DIGITS).ok_or_else(unknown)?;
    let run = u64::from_str_radix(run, 16).map_err(|_| unknown())?;
    Ok((RunId(run), message.parse().map_err(|_| unknown())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_was_not_sent_is_asked_for_by_an_empty_name() {
        let message = MessageId::of(b"a message");
        let named = name(RunId(7), &message.to_string());
        let questions = Questions::read(&[String::new(), named]).unwrap();
        let runs = BTreeMap::from([(RunId(7), vec![Some(message)])]);
        let unsent = true;
        assert_eq!(questions, Questions { runs, unsent });
        assert!(Questions::read(&["z".repeat(80)]).is_err());
        let answer = task::of_unsent(1.0).task.unwrap();
        assert!(answer.ancestry.is_empty() && answer.recordset.is_none());
        assert_eq!(answer.error.unwrap().code, 3, "a node that is gone");
    }

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
