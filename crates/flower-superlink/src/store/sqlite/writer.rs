//! The one thread that writes. Work that comes while it writes is done in one transaction, and
//! committed by one sync of the disk (group commit); nobody is answered before.
//!
//! Each piece of work stands in a savepoint: it happens whole or not at all, whatever becomes of
//! its neighbours. Should the commit itself fail, all of them hear it.

use std::sync::Arc;
use std::thread;

use rusqlite::Connection;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::link::state::{StateError, StateResult};

/// Pieces of work that wait for the thread at most; who comes later waits for a place.
const QUEUE: usize = 1024;
/// Pieces of work in one transaction at most: the first must not wait too long for the last.
const GROUP: usize = 256;

/// Hands work to the writing thread, which ends with the last of its handles.
#[derive(Debug, Clone)]
pub(super) struct Writer(mpsc::Sender<Job>);

/// Does the work, and gives what is to be done when it is known whether it was committed.
type Job = Box<dyn FnOnce(&Connection) -> Ending + Send>;
type Ending = Box<dyn FnOnce(Result<(), Uncommitted>) + Send>;

/// Why nothing of a transaction is there.
#[derive(Debug, Clone, Error)]
#[error("the transaction could not be committed")]
struct Uncommitted(#[source] Arc<rusqlite::Error>);

#[derive(Debug, Error)]
#[error("the thread that writes the database has ended")]
struct Ended;

impl Writer {
    /// Starts the thread on this connection.
    pub(super) fn start(connection: Connection) -> std::io::Result<Self> {
        let (sender, jobs) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || run(&connection, jobs))?;
        Ok(Self(sender))
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
            let done = in_savepoint(connection, work);
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
        self.0.send(job).await.map_err(|_| broken(Ended))?;
        answered.await.map_err(|_| broken(Ended))?
    }
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> StateError {
    StateError::Broken(Box::new(error))
}

fn run(connection: &Connection, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut endings = Vec::new();
        let committed = group(connection, first, &mut jobs, &mut endings).map_err(|error| {
            if !connection.is_autocommit() {
                // Nothing to be told: the error that is told already comes first.
                let _ = connection.execute_batch("ROLLBACK");
            }
            Uncommitted(Arc::new(error))
        });
        for ending in endings {
            ending(committed.clone());
        }
    }
}

/// One transaction, of what is waiting now.
fn group(
    connection: &Connection,
    first: Job,
    jobs: &mut mpsc::Receiver<Job>,
    endings: &mut Vec<Ending>,
) -> rusqlite::Result<()> {
    let begun = connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]);
    let mut next = Some(first);
    while let Some(job) = next.take() {
        endings.push(job(connection));
        if connection.is_autocommit() {
            // A full disk ends the whole transaction. The work itself was told why.
            break;
        }
        if endings.len() < GROUP {
            next = jobs.try_recv().ok();
        }
    }
    begun?;
    connection.prepare_cached("COMMIT")?.execute([])?;
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
