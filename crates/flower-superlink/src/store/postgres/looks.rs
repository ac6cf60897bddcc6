//! Looks for nodes that ask for messages: those that ask while a look is under way are answered by the
//! next, one statement for all. After a broadcast all nodes ask at once.

use std::fmt;

use deadpool_postgres::Pool;
use flwr_core::cause::chain;
use flwr_core::id::NodeId;
use flwr_core::time::Timestamp;
use flwr_daemon::task::{self, Task};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::instructions::{self, Outlook};
use super::lane::broken;
use super::patience::{PATIENCE, Patience};
use crate::link::state::StateResult;

/// Nodes that wait for a look at most; who comes later waits for a place.
const QUEUE: usize = 1024;
/// Nodes in one look at most.
const GROUP: usize = 256;

/// Hands questions to the task that looks. The task ends with the last of its handles.
#[derive(Debug)]
pub(super) struct Looks {
    questions: mpsc::Sender<Question>,
    _task: Mutex<Task<()>>,
}

/// A node that asks.
struct Question {
    node: NodeId,
    now: Timestamp,
    answer: oneshot::Sender<StateResult<Outlook>>,
}

/// Why nobody knows what there is.
#[derive(Debug, Error)]
#[error("the database could not be asked: {0}")]
struct Unseen(String);

#[derive(Debug, Error)]
#[error("the task that looks into the database has ended")]
struct Ended;

impl Looks {
    /// Starts the task that looks.
    pub(super) fn start(pool: Pool) -> Self {
        let (questions, waiting) = mpsc::channel(QUEUE);
        Self {
            questions,
            _task: Mutex::new(task::start(run(pool, waiting))),
        }
    }

    /// What there is for the node: all that was committed before this call, at least.
    pub(super) async fn ask(&self, node: NodeId, now: Timestamp) -> StateResult<Outlook> {
        let (answer, answered) = oneshot::channel();
        let question = Question { node, now, answer };
        let sent = self.questions.send(question).await;
        sent.map_err(|_| broken(Ended))?;
        answered.await.map_err(|_| broken(Ended))?
    }
}

async fn run(pool: Pool, mut waiting: mpsc::Receiver<Question>) {
    let mut group = Vec::with_capacity(GROUP);
    while waiting.recv_many(&mut group, GROUP).await > 0 {
        // Who went away needs no answer.
        group.retain(|question| !question.answer.is_closed());
        match look(&pool, &group).await {
            Ok(found) => {
                for (question, outlook) in group.drain(..).zip(found) {
                    let _ = question.answer.send(Ok(outlook));
                }
            }
            Err(error) => {
                let why = chain(&error);
                for question in group.drain(..) {
                    let _ = question.answer.send(Err(broken(Unseen(why.clone()))));
                }
            }
        }
    }
}

/// What there is for each of the nodes, in their order.
async fn look(pool: &Pool, group: &[Question]) -> StateResult<Vec<Outlook>> {
    if group.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<_> = group
        .iter()
        .map(|question| (question.node, question.now))
        .collect();
    let mut patience = Patience::new(PATIENCE);
    loop {
        let attempt = async {
            let connection = pool.get().await?;
            instructions::outlooks(&connection, &asked).await
        };
        match attempt.await {
            Err(error) if patience.allows_after(&error).await => {}
            found => return found,
        }
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
