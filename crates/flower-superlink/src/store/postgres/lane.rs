//! The one connection that writes. Operations that come while it writes are done in one transaction
//! and committed together (group commit); nobody is answered before.
//!
//! A refused operation has changed nothing: operations refuse before they change something. A
//! transaction that fails for a reason that passes is tried again as a whole, for [`PATIENCE`]. One
//! that fails for another reason is tried again operation by operation, so that each fails alone.
//! After a COMMIT without an answer, the row `writer` tells whether the COMMIT happened: it holds
//! the number of the last transaction. The same row shuts out a SuperLink of an earlier epoch.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::Object;
use flwr_core::cause::chain;
use flwr_daemon::task::{self, Task};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::warn;

use super::hold::{Hold, Lost};
use super::patience::{PATIENCE, Patience, is_passing};
use super::unit::{Tx, Unit, Wants};
use crate::link::state::{StateError, StateResult};

/// Operations that wait at most; who comes later waits for a place.
const QUEUE: usize = 1024;
/// Operations in one transaction at most: the first must not wait too long for the last.
const GROUP: usize = 256;
/// How long a transaction may take. The server ends each statement earlier.
const TRANSACTION: Duration = Duration::from_secs(20);

/// Something to be done in a transaction, perhaps several times before one of them is committed.
#[async_trait]
pub(super) trait Op: Send + Sync + 'static {
    /// Its answer.
    type Out: Send + 'static;

    /// What the operation will read.
    fn wants(&self, _wants: &mut Wants) {}

    /// Does it. A refusal comes before the first change.
    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<Self::Out>;
}

/// An operation that reads and writes rows by itself.
pub(super) struct Direct<F, T>(F, PhantomData<fn() -> T>);

/// Makes an operation of a function, for `direct!`.
pub(super) fn operation<F, T>(work: F) -> Direct<F, T>
where
    F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, StateResult<T>> + Send + Sync + 'static,
{
    Direct(work, PhantomData)
}

#[async_trait]
impl<F, T> Op for Direct<F, T>
where
    F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, StateResult<T>> + Send + Sync + 'static,
    T: Send + 'static,
{
    type Out = T;

    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<T> {
        let tx = unit.direct().await?;
        (self.0)(tx).await
    }
}

/// An operation that reads and writes rows by itself: `direct!([captured] tx => work(tx, &captured))`.
/// What is captured is cloned for each attempt.
macro_rules! direct {
    ([$($kept:ident),*] $tx:ident => $work:expr) => {
        $crate::store::postgres::lane::operation(move |$tx| {
            $(let $kept = Clone::clone(&$kept);)*
            Box::pin(async move { $work.await })
        })
    };
}

pub(super) use direct;

/// Hands operations to the task that writes. The task ends with the last of its handles.
#[derive(Debug)]
pub(super) struct Lane {
    orders: mpsc::Sender<Order>,
    _task: Mutex<Task<()>>,
}

enum Order {
    Do(Box<dyn Job>),
    /// Let go of the connection, and end.
    Close(oneshot::Sender<()>),
}

/// Why nothing of a transaction is there.
#[derive(Debug, Clone, Error)]
#[error("the transaction could not be committed: {0}")]
struct Uncommitted(String);

/// The database did not answer in time.
#[derive(Debug, Error)]
#[error("the database did not answer within {} s", TRANSACTION.as_secs())]
pub(super) struct Silent;

#[derive(Debug, Error)]
#[error("the task that writes the database has ended")]
struct Ended;

/// An operation with whoever waits for its answer.
#[async_trait]
trait Job: Send {
    fn wants(&self, wants: &mut Wants);
    /// Does it, and keeps the answer. An error is not a refusal.
    async fn apply(&mut self, unit: &mut Unit<'_>) -> StateResult<()>;
    /// Gives the answer.
    fn end(self: Box<Self>, committed: Result<(), Uncommitted>);
}

struct Asked<O: Op, T> {
    op: O,
    then: T,
    done: Option<StateResult<O::Out>>,
    answer: oneshot::Sender<StateResult<O::Out>>,
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
        // Whoever asked may be gone.
        let _ = self.answer.send(outcome);
    }
}

pub(super) fn broken(error: impl std::error::Error + Send + Sync + 'static) -> StateError {
    StateError::Broken(Box::new(error))
}

impl Lane {
    /// Starts the task that writes, with a connection that has the hold.
    pub(super) fn start(hold: Hold, connection: Object) -> Self {
        let (orders, waiting) = mpsc::channel(QUEUE);
        let worker = Worker {
            hold,
            connection: Some(connection),
        };
        Self {
            orders,
            _task: Mutex::new(task::start(worker.run(waiting))),
        }
    }

    /// Does the operation in a transaction, and answers when the transaction is committed. An
    /// operation that was accepted is done also when nobody waits for the answer any more.
    pub(super) async fn write<O: Op>(&self, op: O) -> StateResult<O::Out> {
        self.write_then(op, |_| {}).await
    }

    /// The same, with something to be done before anybody is answered.
    pub(super) async fn write_then<O: Op>(
        &self,
        op: O,
        then: impl FnOnce(&O::Out) + Send + 'static,
    ) -> StateResult<O::Out> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Asked {
            op,
            then,
            done: None,
            answer,
        });
        let sent = self.orders.send(Order::Do(job)).await;
        sent.map_err(|_| broken(Ended))?;
        answered.await.map_err(|_| broken(Ended))?
    }

    /// Ends the task once it has done what waits. Nothing can be written any more.
    pub(super) async fn close(&self) {
        let (closed, done) = oneshot::channel();
        // Where the task is gone already, so is its connection.
        if self.orders.send(Order::Close(closed)).await.is_ok() {
            let _ = done.await;
        }
    }
}

/// The task that writes.
struct Worker {
    hold: Hold,
    /// The connection with the hold, unless it was lost.
    connection: Option<Object>,
}

/// How an attempt ended.
enum Attempt {
    Committed,
    /// Nothing is there.
    Failed(StateError),
    /// The COMMIT was sent and not answered.
    Unknown(StateError),
}

impl Worker {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        while let Some(order) = orders.recv().await {
            let mut closing = None;
            let mut group = Vec::new();
            let mut next = Some(order);
            while let Some(order) = next.take() {
                match order {
                    Order::Do(job) => group.push(job),
                    Order::Close(closed) => closing = Some(closed),
                }
                if closing.is_none() && group.len() < GROUP {
                    next = orders.try_recv().ok();
                }
            }
            self.commit(group).await;
            if let Some(closed) = closing {
                if let Some(connection) = self.connection.take() {
                    self.hold.release(&connection).await;
                }
                let _ = closed.send(());
                return;
            }
        }
    }

    /// Does the operations, and answers them.
    async fn commit(&mut self, mut group: Vec<Box<dyn Job>>) {
        match self.attempts(&mut group).await {
            Ok(()) => end(group, Ok(())),
            Err(error) if group.len() > 1 && !is_passing(&error) => {
                for job in group {
                    let mut alone = vec![job];
                    let done = self.attempts(&mut alone).await;
                    end(alone, done);
                }
            }
            Err(error) => end(group, Err(error)),
        }
    }

    /// Tries until the operations are committed, or time is up.
    async fn attempts(&mut self, group: &mut [Box<dyn Job>]) -> StateResult<()> {
        if group.is_empty() {
            return Ok(());
        }
        self.hold.batch += 1;
        let mut patience = Patience::new(PATIENCE);
        // The COMMIT of an attempt was not answered.
        let mut is_unknown = false;
        loop {
            let attempt = match self.connected().await {
                Ok(found) if is_unknown && found == self.hold.batch => return Ok(()),
                Ok(_) => {
                    is_unknown = false;
                    let work = self.attempt(group);
                    match timeout(TRANSACTION, work).await {
                        Ok(attempt) => attempt,
                        Err(_) => Attempt::Unknown(broken(Silent)),
                    }
                }
                Err(error) => Attempt::Failed(error),
            };
            let error = match attempt {
                Attempt::Committed => return Ok(()),
                Attempt::Failed(error) => error,
                Attempt::Unknown(error) => {
                    is_unknown = true;
                    error
                }
            };
            self.let_go(&error);
            if !patience.allows_after(&error).await {
                return Err(error);
            }
        }
    }

    /// Makes sure of a connection with the hold. Gives the number of the last transaction that was
    /// committed.
    async fn connected(&mut self) -> StateResult<i64> {
        let connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => {
                self.connection = Some(connection);
                return Ok(self.hold.committed);
            }
            _ => self.hold.take_again().await?,
        };
        self.hold.committed = self.hold.last_batch(&connection).await?;
        self.connection = Some(connection);
        Ok(self.hold.committed)
    }

    async fn attempt(&mut self, group: &mut [Box<dyn Job>]) -> Attempt {
        let Some(connection) = &mut self.connection else {
            return Attempt::Failed(broken(Lost));
        };
        let tx = match connection.transaction().await {
            Ok(tx) => tx,
            Err(error) => return Attempt::Failed(error.into()),
        };
        let done = async {
            self.hold.begin(&tx).await?;
            let mut unit = Unit::new(&tx);
            let mut wants = Wants::default();
            for job in group.iter() {
                job.wants(&mut wants);
            }
            unit.read(wants).await?;
            for job in group.iter_mut() {
                job.apply(&mut unit).await?;
            }
            unit.flush().await
        };
        if let Err(error) = done.await {
            return Attempt::Failed(error);
        }
        match tx.commit().await {
            Ok(()) => {
                self.hold.committed = self.hold.batch;
                Attempt::Committed
            }
            Err(error) if error.as_db_error().is_some() => Attempt::Failed(error.into()),
            Err(error) => Attempt::Unknown(error.into()),
        }
    }

    /// After an error the connection is not trusted, unless the server itself told the error.
    fn let_go(&mut self, error: &StateError) {
        let StateError::Broken(cause) = error else {
            return;
        };
        let told = cause.downcast_ref::<tokio_postgres::Error>();
        let is_told = told.is_some_and(|told| told.as_db_error().is_some() && !told.is_closed());
        if !is_told && let Some(connection) = self.connection.take() {
            // The server ends the session with the connection, and with it the hold.
            drop(Object::take(connection));
            warn!(
                error = chain(error),
                "the connection to the database was lost"
            );
        }
    }
}

fn end(group: Vec<Box<dyn Job>>, done: StateResult<()>) {
    let committed = done.map_err(|error| Uncommitted(chain(&error)));
    for job in group {
        job.end(committed.clone());
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Do(_) => "Do",
            Self::Close(_) => "Close",
        })
    }
}
