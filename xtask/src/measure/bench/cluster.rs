//! Several of our SuperLinks that are one federation over PostgreSQL and S3: what idle nodes cost the
//! database, and polls, wake-ups, rounds, claims and the death of a SuperLink, beside one SuperLink over
//! SQLite and one in memory where they do the same.
//!
//! PostgreSQL and the S3 server are started here, with their data beside the files of SQLite, so that a
//! sync to disk costs all of them the same.

use std::fs;

use anyhow::Result;

use super::stage::Stage;

mod idle;
mod outage;
mod stand;
mod table;
mod wakes;
mod work;

use stand::Stand;
use table::Table;

/// How much is measured.
pub(super) struct Extent {
    /// Nodes that wait, and that get a broadcast.
    pub(super) nodes: usize,
    idle_seconds: u64,
    poll_seconds: f64,
    /// Messages from one SuperLink to another, and such while LISTEN is cut.
    messages: usize,
    messages_cut: usize,
    /// Nodes of which a SuperLink is killed.
    nodes_of_outage: usize,
    repetitions: usize,
}

const QUICK: Extent = Extent {
    nodes: 1_000,
    idle_seconds: 20,
    poll_seconds: 3.0,
    messages: 100,
    messages_cut: 5,
    nodes_of_outage: 300,
    repetitions: 1,
};
const FULL: Extent = Extent {
    nodes: 10_000,
    idle_seconds: 60,
    poll_seconds: 5.0,
    messages: 500,
    messages_cut: 30,
    nodes_of_outage: 3_000,
    repetitions: 3,
};

impl Extent {
    pub(super) const fn of(is_quick: bool) -> Self {
        if is_quick { QUICK } else { FULL }
    }
}

/// Starts everything, measures and gives the table.
pub(super) fn measure(stage: &Stage, superlinks: u8, extent: &Extent) -> Result<Table> {
    let superlinks = superlinks.into();
    let stand = Stand::start(stage)?;
    let mut table = Table::default();
    println!("idle nodes ...");
    idle::measure(&stand, superlinks, extent, &mut table)?;
    for repetition in 1..=extent.repetitions {
        println!("{repetition}/{}: wake-ups ...", extent.repetitions);
        wakes::measure(&stand, superlinks, extent, &mut table)?;
        println!("{repetition}/{}: rounds ...", extent.repetitions);
        work::rounds(&stand, superlinks, &mut table)?;
        println!("{repetition}/{}: claims ...", extent.repetitions);
        work::claims(&stand, superlinks, extent, &mut table)?;
        println!("{repetition}/{}: a SuperLink dies ...", extent.repetitions);
        outage::measure(&stand, superlinks, extent, &mut table)?;
        println!("{repetition}/{}: polls ...", extent.repetitions);
        work::polls(&stand, superlinks, extent, &mut table)?;
    }
    println!("LISTEN is cut ...");
    wakes::measure_cut(&stand, superlinks, extent, &mut table)?;
    let program = fs::metadata(stage.programs().join("flower-superlink"))?;
    table.add("flower-superlink on disk", "MB", program.len() as f64 / 1e6);
    Ok(table)
}
