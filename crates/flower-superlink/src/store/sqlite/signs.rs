//! What changes with each heartbeat, on its way to the file and back.

use flwr_core::id::RunId;
use flwr_core::time::Timestamp;
use rusqlite::Connection;

use super::{dismissed, nodes, runs, tasks};
use crate::link::state::{StateResult, Traffic};
use crate::store::presence::{Presence, Remembered};

/// Who was there when the state was written last.
pub(super) fn load(connection: &Connection, now: Timestamp) -> StateResult<Presence> {
    let seen_at = connection.query_row("SELECT seen_at FROM link", [], |row| {
        row.get(0).map(Timestamp::from_secs)
    })?;
    let remembered = Remembered {
        seen_at,
        has_others: false,
        nodes: nodes::registered(connection)?,
        rows: nodes::count(connection)?,
        begun: tasks::begun(connection)?,
        certificates: nodes::certificates(connection)?,
        dismissed: dismissed::all(connection)?,
    };
    Ok(Presence::new(remembered, now))
}

/// Writes who is online, and the traffic of runs. Gives that traffic: it is written once this is on
/// disk.
pub(super) fn write(
    presence: &Presence,
    connection: &Connection,
    now: Timestamp,
) -> StateResult<Vec<(RunId, Traffic)>> {
    let signs = presence.signs();
    for sign in &signs.nodes {
        nodes::update_signs(connection, &sign.node, sign.heard)?;
    }
    connection.execute("UPDATE link SET seen_at = ?1", [now.as_secs()])?;
    let traffic = presence.all_unwritten_traffic();
    runs::add_traffic(connection, &traffic)?;
    presence.written(&signs, now);
    Ok(traffic)
}
