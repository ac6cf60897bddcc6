//! A copy of a database that somebody writes all the time.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use super::*;
use crate::store::sqlite::snapshot;

/// Rows of a page each: more than two steps of a copy.
const ROWS: u32 = 3000;
/// Commits after which the writer gives up, so that a copy that always begins anew comes to an end.
const MOST: u32 = 20_000;

#[test]
fn a_copy_of_a_state_that_is_written_all_the_time_is_of_one_moment() {
    let place = Place::new();
    let (file, copy) = (place.file(), beside(&place.file(), "copy"));
    let made = file::open(&file).unwrap();
    made.execute_batch("CREATE TABLE page (id INTEGER PRIMARY KEY, round INTEGER, text TEXT)")
        .unwrap();
    let text = "x".repeat(4000);
    made.execute_batch("BEGIN").unwrap();
    for id in 0..ROWS {
        made.execute("INSERT INTO page VALUES (?, 0, ?)", (id, &text))
            .unwrap();
    }
    made.execute_batch("COMMIT").unwrap();
    let (over, commits) = (&AtomicBool::new(false), &AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(move || {
            // The first page and the last change together.
            let both = "UPDATE page SET round = round + 1 WHERE id IN (0, ?)";
            while !over.load(Ordering::Relaxed) && commits.load(Ordering::Relaxed) < MOST {
                made.execute(both, [ROWS - 1]).unwrap();
                commits.fetch_add(1, Ordering::Relaxed);
            }
        });
        while commits.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        let copied = snapshot::copy(&file, &copy);
        over.store(true, Ordering::Relaxed);
        copied.unwrap();
    });
    assert!(
        commits.load(Ordering::Relaxed) < MOST,
        "the writer had no end"
    );
    let copied = file::open_to_read(&copy).unwrap();
    let round = |id: u32| -> u32 {
        let select = "SELECT round FROM page WHERE id = ?";
        copied.query_row(select, [id], |row| row.get(0)).unwrap()
    };
    assert!(round(0) > 0);
    assert_eq!(round(0), round(ROWS - 1));
}
