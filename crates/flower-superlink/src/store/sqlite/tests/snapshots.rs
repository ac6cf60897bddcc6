//! A copy of a database that somebody writes meanwhile.

use super::*;
use crate::store::sqlite::snapshot;

/// Rows of a page each: more than two steps of a copy.
const ROWS: u32 = 3000;
/// Commits after which the writer rests, so that a copy that always begins anew comes to an end.
const MOST: u32 = 20;

#[test]
fn a_copy_of_a_state_that_is_written_after_each_step_is_of_one_moment() {
    let place = Place::new();
    let (file, copy) = (place.file(), beside(&place.file(), "copy"));
    let made = file::open(&file).unwrap();
    made.execute_batch(
        "CREATE TABLE page (id INTEGER PRIMARY KEY, round INTEGER, text TEXT); BEGIN",
    )
    .unwrap();
    let text = "x".repeat(4000);
    for id in 0..ROWS {
        made.execute("INSERT INTO page VALUES (?, 0, ?)", (id, &text))
            .unwrap();
    }
    made.execute_batch("COMMIT").unwrap();
    let source = file::open_to_read(&file).unwrap();
    let mut target = Connection::open(&copy).unwrap();
    let mut commits = 0;
    let copied = snapshot::write(&source, &mut target, || {
        // The first page and the last change together.
        let both = "UPDATE page SET round = round + 1 WHERE id IN (0, ?)";
        if commits < MOST {
            made.execute(both, [ROWS - 1]).unwrap();
            commits += 1;
        }
    });
    copied.unwrap();
    assert!((2..MOST).contains(&commits), "{commits} commits");
    let rounds = "SELECT DISTINCT round FROM page WHERE id IN (0, ?)";
    let mut rounds = target.prepare(rounds).unwrap();
    let rounds = rounds.query_map([ROWS - 1], |row| row.get(0)).unwrap();
    let rounds: Vec<u32> = rounds.map(Result::unwrap).collect();
    assert_eq!(rounds, [0], "before the first commit");
}
