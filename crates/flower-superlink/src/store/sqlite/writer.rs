//! The one thread that writes. Work that comes while it writes is done in one transaction, and
//! committed by one sync of the disk (group commit); nobody is answered before.
//!
//! Each piece of work stands in a savepoint: it happens whole or not at all, whatever becomes of
//! its neighbours. Should the commit itself fail, all of them hear it.

use std::sync::Arc;
use std::thread;

use flwr_core::monotonic;
use rusqlite::Connection;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::link::state::{CommitMeter, StateError, StateResult};

/// Pieces of work that wait for the thread at most; who comes later waits for a place.
const QUEUE: usize = 1024;
/// Pieces of work in one transaction at most: the first must not wait too long for the last.
const GROUP: usize = 256;

/// Hands work to the writing thread, which ends with the last of its handles.
#[derive(Debug, Clone)]
pub(super) struct Writer(mpsc::Sender<Order>, CommitMeter);

enum Order {
    Do(Job),
    /// Bring what is written ahead into the database file.
    Checkpoint,
    /// Bring everything into the database file, and end.
    Close(oneshot::Sender<()>),
}

/// Does the work, if there is a transaction for it, and gives what is to be done when it is known
/// whether it was committed.
type Job = Box<dyn FnOnce(Option<&Connection>) -> Ending + Send>;
type Ending = Box<dyn FnOnce(Result<(), Uncommitted>) + Send>;

/// Why nothing of a transaction is there.
#[derive(Debug, Clone, Error)]
#[error("the transaction could not be committed")]
struct Uncommitted(#[source] Arc<rusqlite::Error>);

#[derive(Debug, Error)]
#[error("the transaction could not begin")]
struct NotBegun;

#[derive(Debug, Error)]
#[error("the thread that writes the database has ended")]
struct Ended;

impl Writer {
    /// Starts the thread on this connection.
    pub(super) fn start(connection: Connection) -> std::io::Result<Self> {
        let (sender, orders) = mpsc::channel(QUEUE);
        let meter = CommitMeter::default();
        let own = meter.clone();
        thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || run(connection, orders, &own))?;
        Ok(Self(sender, meter))
    }

    /// Does `work` in a transaction, and answers when it is on disk. Work that was accepted is
    /// done also when nobody waits for the answer any more.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> StateResult<T> + Send + 'static,
    ) -> StateResult<T> {
        self.write_then(work, |_| {}).await
    }

    /// The same, with something to be done on the thread once the work is on disk.
    pub(super) async fn write_then<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> StateResult<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> StateResult<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done = match connection {
                Some(connection) => in_savepoint(connection, work),
                None => Err(broken(NotBegun)),
            };
            Box::new(move |committed| {
                let outcome = match committed {
                    Ok(()) => done,
                    // A refusal changed nothing: it stands without the commit.
                    Err(uncommitted) => match done {
                        Err(StateError::Refused(refusal)) => Err(refusal.into()),
                        _ => Err(broken(uncommitted)),
                    },
                };
                if let Ok(value) = &outcome {
                    then(value);
                }
                // Whoever asked may be gone.
                let _ = answer.send(outcome);
            })
        });
        let sent = self.0.send(Order::Do(job)).await;
        sent.map_err(|_| broken(Ended))?;
        answered.await.map_err(|_| broken(Ended))?
    }

    /// How long commits take.
    pub(super) const fn meter(&self) -> &CommitMeter {
        &self.1
    }

    /// Whether nothing waits to be written.
    pub(super) fn is_idle(&self) -> bool {
        self.0.capacity() == self.0.max_capacity()
    }

    /// Has what is written ahead brought into the database file, which then has its new length.
    pub(super) async fn checkpoint(&self) {
        // Where the thread is gone, its last act was the same.
        let _ = self.0.send(Order::Checkpoint).await;
    }

    /// Ends the thread once it has done what waits. Nothing can be written any more.
    pub(super) async fn close(&self) {
        let (closed, done) = oneshot::channel();
        // Where the thread is gone already, so is its connection.
        if self.0.send(Order::Close(closed)).await.is_ok() {
            let _ = done.await;
        }
    }
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> StateError {
    StateError::Broken(Box::new(error))
}

fn run(connection: Connection, orders: mpsc::Receiver<Order>, meter: &CommitMeter) {
    let close = serve(&connection, orders, meter);
    checkpoint(&connection, "truncate");
    // Closed before the answer: SQLite takes its files beside the database away at the last close, and
    // who has the answer may look at the folder.
    drop(connection);
    if let Some(closed) = close {
        let _ = closed.send(());
    }
}

/// Does what is ordered until nobody can order any more, or until the order to end, whose sender waits
/// for the answer.
fn serve(
    connection: &Connection,
    mut orders: mpsc::Receiver<Order>,
    meter: &CommitMeter,
) -> Option<oneshot::Sender<()>> {
    let mut close = None;
    while close.is_none()
        && let Some(order) = orders.blocking_recv()
    {
        let first = match order {
            Order::Do(job) => job,
            Order::Checkpoint => {
                checkpoint(connection, "passive");
                continue;
            }
            Order::Close(closed) => {
                close = Some(closed);
                continue;
            }
        };
        let mut group = Group::default();
        let began = monotonic::now();
        let committed = group.commit(connection, first, &mut orders);
        if committed.is_ok() {
            meter.committed(group.endings.len(), began.elapsed().as_secs_f64());
        }
        let committed = committed.map_err(|error| {
            if !connection.is_autocommit() {
                // Nothing to be told: the error that is told already comes first.
                let _ = connection.execute_batch("ROLLBACK");
            }
            Uncommitted(Arc::new(error))
        });
        for ending in group.endings {
            ending(committed.clone());
        }
        if group.checkpoint {
            checkpoint(connection, "passive");
        }
        close = group.close;
    }
    close
}

/// Best effort: what is not brought in now is later, at the next start at the latest.
fn checkpoint(connection: &Connection, mode: &str) {
    let _ = connection.pragma_update(None, "wal_checkpoint", mode);
}

/// One transaction.
#[derive(Default)]
struct Group {
    endings: Vec<Ending>,
    /// The order to bring everything in came meanwhile.
    checkpoint: bool,
    /// The order to end came meanwhile.
    close: Option<oneshot::Sender<()>>,
}

impl Group {
    /// Does and commits the first job, and what waits behind it.
    fn commit(
        &mut self,
        connection: &Connection,
        first: Job,
        orders: &mut mpsc::Receiver<Order>,
    ) -> rusqlite::Result<()> {
        if let Err(error) = begin(connection) {
            self.endings.push(first(None));
            return Err(error);
        }
        let mut next = Some(first);
        while let Some(job) = next.take() {
            self.endings.push(job(Some(connection)));
            if connection.is_autocommit() {
                // A full disk ends the whole transaction. The work itself was told why.
                break;
            }
            if self.endings.len() < GROUP {
                next = self.next_job(orders);
            }
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn next_job(&mut self, orders: &mut mpsc::Receiver<Order>) -> Option<Job> {
        match orders.try_recv().ok()? {
            Order::Do(job) => Some(job),
            Order::Checkpoint => {
                self.checkpoint = true;
                None
            }
            Order::Close(closed) => {
                self.close = Some(closed);
                None
            }
        }
    }
}

fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    Ok(())
}

fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> StateResult<T>,
) -> StateResult<T> {
    connection.prepare_cached("SAVEPOINT work")?.execute([])?;
    let done = work(connection);
    if connection.is_autocommit() {
        return done;
    }
    if done.is_err() {
        connection.prepare_cached("ROLLBACK TO work")?.execute([])?;
    }
    connection.prepare_cached("RELEASE work")?.execute([])?;
    done
}

#[cfg(test)]
mod tests;
