//! What becomes of the neighbours of work that fails.

use std::sync::mpsc as blocking;

use flwr_core::refusal::Refusal;
use futures::future;

use super::*;
use crate::in_time::in_time;

fn table() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    let made = connection.execute_batch("CREATE TABLE work (number INTEGER)");
    made.unwrap();
    connection
}

fn insert(connection: &Connection, number: i64) -> StateResult<()> {
    connection.execute("INSERT INTO work VALUES (?)", [number])?;
    Ok(())
}

async fn numbers(writer: &Writer) -> Vec<i64> {
    let read = writer.write(|connection| {
        let mut select = connection.prepare("SELECT number FROM work ORDER BY number")?;
        let rows = select.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<Vec<i64>, _>>()?)
    });
    read.await.unwrap()
}

/// Waits until so many pieces of work wait for the thread.
async fn until_queued(writer: &Writer, count: usize) {
    let are_queued = async {
        while writer.0.capacity() > QUEUE - count {
            tokio::task::yield_now().await;
        }
    };
    in_time("work waits for the thread", are_queued).await;
}

#[tokio::test]
async fn work_that_fails_leaves_nothing_and_its_neighbours_stay() {
    let writer = Writer::start(table()).unwrap();
    let (go, wait) = blocking::channel::<()>();
    // Holds the thread until all others wait: one transaction does them all.
    let first = writer.write(move |connection| {
        wait.recv().unwrap();
        insert(connection, 1)
    });
    let refused = writer.write(|connection| {
        insert(connection, 2)?;
        Err::<(), _>(Refusal::NotRegistered.into())
    });
    let broken = writer.write(|connection| {
        insert(connection, 3)?;
        connection.execute("INSERT INTO missing VALUES (1)", [])?;
        Ok(())
    });
    let last = writer.write(|connection| insert(connection, 4));
    let release = async {
        until_queued(&writer, 3).await;
        go.send(()).unwrap();
    };
    let (first, refused, broken, last, ()) =
        future::join5(first, refused, broken, last, release).await;
    first.unwrap();
    last.unwrap();
    assert!(
        matches!(refused, Err(StateError::Refused(_))),
        "{refused:?}"
    );
    assert!(matches!(broken, Err(StateError::Broken(_))), "{broken:?}");
    assert_eq!(numbers(&writer).await, [1, 4]);
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_all_and_keeps_nothing() {
    let connection = table();
    let deferred = "PRAGMA foreign_keys = on;
         CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);";
    connection.execute_batch(deferred).unwrap();
    let writer = Writer::start(connection).unwrap();
    let (go, wait) = blocking::channel::<()>();
    let first = writer.write(move |connection| {
        wait.recv().unwrap();
        insert(connection, 1)
    });
    // It is found at the commit that there is no such parent.
    let second = writer.write(|connection| {
        connection.execute("INSERT INTO child VALUES (7)", [])?;
        Ok(())
    });
    let release = async {
        until_queued(&writer, 1).await;
        go.send(()).unwrap();
    };
    let (first, second, ()) = future::join3(first, second, release).await;
    assert!(first.is_err() && second.is_err());
    assert_eq!(numbers(&writer).await, [0_i64; 0]);
}
