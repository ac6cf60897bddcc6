//! Reading, beside the writing: a few connections of their own, each a snapshot of what is
//! committed.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::link::state::{StateError, StateResult};

/// Reads at the same time; more do not help on the few cores of a coordinator.
const CONNECTIONS: usize = 4;

/// Reads from the database, off the async workers.
#[derive(Debug, Clone)]
pub(super) struct Reader(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    connections: Mutex<Vec<Connection>>,
    /// One permit a connection.
    free: Semaphore,
    #[cfg(test)]
    reads: std::sync::atomic::AtomicUsize,
}

#[derive(Debug, Error)]
#[error("the daemon ends")]
struct Ending;

impl Reader {
    /// Opens the connections to an existing database.
    pub(super) fn open(file: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connections = (0..CONNECTIONS)
            .map(|_| {
                let connection = Connection::open_with_flags(file, flags)?;
                super::file::tune(&connection)?;
                Ok(connection)
            })
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Self(Arc::new(Pool {
            connections: Mutex::new(connections),
            free: Semaphore::new(CONNECTIONS),
            #[cfg(test)]
            reads: Default::default(),
        })))
    }

    /// How often something was read.
    #[cfg(test)]
    pub(super) fn reads(&self) -> usize {
        self.0.reads.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Does `work` on one snapshot.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> StateResult<T> + Send + 'static,
    ) -> StateResult<T> {
        #[cfg(test)]
        self.0
            .reads
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let pool = Arc::clone(&self.0);
        let ended = |_| StateError::Broken(Box::new(Ending));
        let permit = self.0.free.acquire().await;
        let _permit = permit.map_err(|_| ended(()))?;
        let done = spawn_blocking(move || {
            let taken = pool.connections.lock().pop();
            let Some(connection) = taken else {
                return Err(StateError::Broken(Box::new(Ending)));
            };
            let done = snapshot(&connection, work);
            pool.connections.lock().push(connection);
            done
        });
        done.await.map_err(|_| ended(()))?
    }
}

fn snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> StateResult<T>,
) -> StateResult<T> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let done = work(connection);
    connection.prepare_cached("COMMIT")?.execute([])?;
    done
}
