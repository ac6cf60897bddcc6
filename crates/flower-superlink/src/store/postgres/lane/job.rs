//! Operations with those who wait for their answers.

use async_trait::async_trait;
use thiserror::Error;
use tokio::sync::oneshot;

use super::super::unit::{Unit, Wants};
use super::{Op, broken};
use crate::link::state::{StateError, StateResult};

/// Why nothing of a transaction is there.
#[derive(Debug, Clone, Error)]
#[error("the transaction could not be committed: {0}")]
pub(super) struct Uncommitted(pub(super) String);

#[derive(Debug, Error)]
#[error("the task that writes the database has ended")]
pub(super) struct Ended;

/// An operation with whoever waits for its answer.
#[async_trait]
pub(super) trait Job: Send {
    fn wants(&self, wants: &mut Wants);
    /// Does it, and keeps the answer. An error is not a refusal.
    async fn apply(&mut self, unit: &mut Unit<'_>) -> StateResult<()>;
    /// Answers that it is not known whether the operation was committed. What follows from a commit
    /// is still done in [`Self::end`].
    fn give_up(&mut self, unknown: Uncommitted);
    /// Gives the answer, unless one was given.
    fn end(self: Box<Self>, committed: Result<(), Uncommitted>);
}

/// An operation, and what follows from its commit.
pub(super) struct Asked<O: Op, T> {
    op: O,
    then: T,
    done: Option<StateResult<O::Out>>,
    answer: Option<oneshot::Sender<StateResult<O::Out>>>,
}

impl<O: Op, T> Asked<O, T> {
    /// The operation, and where its answer comes.
    pub(super) fn new(op: O, then: T) -> (Self, oneshot::Receiver<StateResult<O::Out>>) {
        let (answer, answered) = oneshot::channel();
        let asked = Self {
            op,
            then,
            done: None,
            answer: Some(answer),
        };
        (asked, answered)
    }
}

#[async_trait]
impl<O: Op, T: FnOnce(&O::Out) + Send + 'static> Job for Asked<O, T> {
    fn wants(&self, wants: &mut Wants) {
        self.op.wants(wants);
    }

    async fn apply(&mut self, unit: &mut Unit<'_>) -> StateResult<()> {
        match self.op.apply(unit).await {
            Err(StateError::Broken(error)) => Err(StateError::Broken(error)),
            done => {
                self.done = Some(done);
                Ok(())
            }
        }
    }

    fn give_up(&mut self, unknown: Uncommitted) {
        if let Some(answer) = self.answer.take() {
            let _ = answer.send(Err(broken(unknown)));
        }
    }

    fn end(self: Box<Self>, committed: Result<(), Uncommitted>) {
        let outcome = match (self.done, committed) {
            // A refusal changed nothing: it stands without the commit.
            (Some(Err(StateError::Refused(refusal))), _) => Err(refusal.into()),
            (Some(done), Ok(())) => done,
            (None, Ok(())) => Err(broken(Ended)),
            (_, Err(uncommitted)) => Err(broken(uncommitted)),
        };
        if let Ok(value) = &outcome {
            (self.then)(value);
        }
        if let Some(answer) = self.answer {
            // Whoever asked may be gone.
            let _ = answer.send(outcome);
        }
    }
}
