//! The one connection that writes. Operations that come while it writes are done in one transaction
//! and committed together (group commit); nobody is answered before.
//!
//! A refused operation has changed nothing: operations refuse before they change something. A
//! transaction that fails for a reason that passes is tried again as a whole, for [`PATIENCE`]. One
//! that fails for another reason is tried again operation by operation, so that each fails alone.
//! After a COMMIT without an answer, the row `writer` tells whether the COMMIT happened: it holds
//! the number of the last transaction. The same row shuts out a SuperLink of an earlier epoch.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::Object;
use flwr_core::cause::chain;
use flwr_core::monotonic;
use flwr_daemon::task::{self, Task};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tracing::warn;

use super::hold::{Hold, Lost, TakenOver};
use super::patience::{PATIENCE, Patience, is_passing};
use super::unit::{Unit, Wants};
use crate::link::state::{CommitMeter, StateError, StateResult};

mod job;
mod op;

pub(super) use op::{Op, direct, operation};

use job::{Asked, Ended, Job, Uncommitted};

/// Operations that wait at most; who comes later waits for a place.
const QUEUE: usize = 1024;
/// Operations in one transaction at most: the first must not wait too long for the last.
const GROUP: usize = 256;
/// How long a transaction may take. The server ends each statement earlier.
const TRANSACTION: Duration = Duration::from_secs(20);

/// Hands operations to the task that writes. The task ends with the last of its handles.
#[derive(Debug)]
pub(super) struct Lane {
    orders: mpsc::Sender<Order>,
    shut_out: watch::Receiver<bool>,
    meter: CommitMeter,
    _task: Mutex<Task<()>>,
}

enum Order {
    Do(Box<dyn Job>),
    /// Let go of the connection, and end.
    Close(oneshot::Sender<()>),
}

/// The database did not answer in time.
#[derive(Debug, Error)]
#[error("the database did not answer within {} s", TRANSACTION.as_secs())]
pub(super) struct Silent;

pub(super) fn broken(error: impl std::error::Error + Send + Sync + 'static) -> StateError {
    StateError::Broken(Box::new(error))
}

impl Lane {
    /// Starts the task that writes, with a connection that has the hold.
    pub(super) fn start(hold: Hold, connection: Object) -> Self {
        let (orders, waiting) = mpsc::channel(QUEUE);
        let (shuts_out, shut_out) = watch::channel(false);
        let meter = CommitMeter::default();
        let worker = Worker {
            shuts_out,
            meter: meter.clone(),
            hold,
            connection: Some(connection),
            unresolved: None,
        };
        Self {
            orders,
            shut_out,
            meter,
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
        let (job, answered) = Asked::new(op, then);
        let sent = self.orders.send(Order::Do(Box::new(job))).await;
        sent.map_err(|_| broken(Ended))?;
        answered.await.map_err(|_| broken(Ended))?
    }

    /// How long commits take.
    pub(super) const fn meter(&self) -> &CommitMeter {
        &self.meter
    }

    /// Whether another SuperLink has the database, or the name of this one: nothing can be written.
    pub(super) fn is_shut_out(&self) -> bool {
        *self.shut_out.borrow()
    }

    /// Waits until [`is_shut_out`](Self::is_shut_out).
    pub(super) async fn shut_out(&self) {
        let mut shut_out = self.shut_out.clone();
        // Without the task nobody knows, and somebody closes the state.
        if shut_out.wait_for(|is_out| *is_out).await.is_err() {
            std::future::pending().await
        }
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
    /// Tells that another SuperLink has the database.
    shuts_out: watch::Sender<bool>,
    meter: CommitMeter,
    hold: Hold,
    /// The connection with the hold, unless it was lost.
    connection: Option<Object>,
    /// The operations of a transaction whose COMMIT nobody has answered, with its number.
    unresolved: Option<(i64, Vec<Box<dyn Job>>)>,
}

/// How an attempt ended.
enum Attempt {
    Committed,
    /// Nothing is there.
    Failed(StateError),
    /// The COMMIT was sent and not answered.
    Unknown(StateError),
}

/// Why it is not tried any more.
struct GaveUp {
    error: StateError,
    /// A COMMIT was sent, and nobody knows what became of it.
    is_unknown: bool,
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
        let began = monotonic::now();
        match self.attempts(&mut group).await {
            Ok(()) => {
                if !group.is_empty() {
                    let seconds = began.elapsed().as_secs_f64();
                    self.meter.committed(group.len(), seconds);
                }
                end(group, Ok(()));
            }
            Err(GaveUp {
                error,
                is_unknown: true,
            }) => self.give_up(group, &error),
            Err(GaveUp { error, .. }) if group.len() > 1 && !is_passing(&error) => {
                for job in group {
                    let mut alone = vec![job];
                    match self.attempts(&mut alone).await {
                        Ok(()) => end(alone, Ok(())),
                        Err(gave_up) if gave_up.is_unknown => self.give_up(alone, &gave_up.error),
                        Err(gave_up) => end(alone, Err(gave_up.error)),
                    }
                }
            }
            Err(GaveUp { error, .. }) => end(group, Err(error)),
        }
    }

    /// Answers that nobody knows whether the operations were committed. Once the database tells,
    /// memory follows.
    fn give_up(&mut self, mut group: Vec<Box<dyn Job>>, error: &StateError) {
        for job in &mut group {
            job.give_up(Uncommitted(chain(error)));
        }
        self.unresolved = Some((self.hold.batch, group));
    }

    /// Tries until the operations are committed, or time is up.
    async fn attempts(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), GaveUp> {
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
                return Err(GaveUp { error, is_unknown });
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
        if let Some((batch, group)) = self.unresolved.take() {
            match batch == self.hold.committed {
                true => end(group, Ok(())),
                false => drop(group),
            }
        }
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
        if cause.is::<TakenOver>() {
            self.shuts_out.send_replace(true);
        }
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
