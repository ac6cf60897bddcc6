//! The metrics of a run.

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::refusal::Refusal;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteState;
use super::row::{self, signed};
use crate::link::state::{self, Measure, Point, Sample, Source, StateResult, Summary, Total};
use crate::store::metrics::{
    MAX_POINTS, Named, SUMMARY, Totals, Turn, by_turn, from_column, sort, to_column,
};

fn require_run(connection: &Connection, run: RunId) -> StateResult<u64> {
    let mut points = connection.prepare_cached("SELECT points FROM run WHERE id = ?")?;
    let points = points.query_row([signed(run)], |row| row.get(0));
    Ok(points.optional()?.ok_or(Refusal::UnknownRun(run))?)
}

fn add(
    connection: &Connection,
    run: RunId,
    samples: Vec<Sample>,
    keeps_points: bool,
) -> StateResult<()> {
    let mut kept = require_run(connection, run)?;
    for (turn, samples) in by_turn(samples) {
        let mut totals = Totals::of(totals_of(connection, run, &turn)?);
        let points = samples.into_iter().flat_map(|sample| totals.take(sample));
        let points: Vec<_> = points.collect();
        write_totals(connection, run, &turn, &totals)?;
        if keeps_points && make_room(connection, run, &mut kept, points.len() as u64, turn.0)? {
            kept += points.len() as u64;
            write_points(connection, run, &points)?;
        }
    }
    let mut update = connection.prepare_cached("UPDATE run SET points = ? WHERE id = ?")?;
    update.execute(params![kept, signed(run)])?;
    Ok(())
}

/// Lets go of rounds before this one until there is room for so many points. False: there is none.
fn make_room(
    connection: &Connection,
    run: RunId,
    kept: &mut u64,
    more: u64,
    round: u32,
) -> StateResult<bool> {
    while *kept + more > MAX_POINTS {
        let mut oldest = connection.prepare_cached(
            "DELETE FROM metric_point WHERE run = ?1 AND round < ?2
             AND round = (SELECT min(round) FROM metric_point WHERE run = ?1)",
        )?;
        let gone = oldest.execute(params![signed(run), round])? as u64;
        if gone == 0 {
            return Ok(false);
        }
        *kept = kept.saturating_sub(gone);
    }
    Ok(true)
}

fn write_points(connection: &Connection, run: RunId, points: &[Point]) -> StateResult<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO metric_point (run, round, type, node, source, name, value)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?;
    for Point {
        round,
        kind,
        node,
        measure,
    } in points
    {
        insert.execute(params![
            signed(run),
            round,
            kind,
            signed(*node),
            measure.source.name(),
            measure.name,
            to_column(measure.value)
        ])?;
    }
    Ok(())
}

fn totals_of(
    connection: &Connection,
    run: RunId,
    turn: &Turn,
) -> StateResult<Vec<(Named, Summary)>> {
    let sql =
        format!("SELECT {SUMMARY} FROM metric_total WHERE run = ? AND round = ? AND type = ?");
    let mut select = connection.prepare_cached(&sql)?;
    let found = select.query_map(params![signed(run), turn.0, turn.1], |row| summary(row, 0))?;
    Ok(found
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?)
}

/// A total from these columns on. `None`: it is of a source that only a later program knows.
fn summary(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<(Named, Summary)>> {
    let Some(source) = Source::from_name(row.get_ref(first)?.as_str()?) else {
        return Ok(None);
    };
    let sum = Summary {
        least: from_column(row.get(first + 2)?),
        most: from_column(row.get(first + 3)?),
        mean: from_column(row.get(first + 4)?),
        weight: row.get(first + 5)?,
        replies: row.get(first + 6)?,
        failures: row.get(first + 7)?,
    };
    Ok(Some(((source, row.get(first + 1)?), sum)))
}

fn write_totals(
    connection: &Connection,
    run: RunId,
    turn: &Turn,
    totals: &Totals,
) -> StateResult<()> {
    let mut insert = connection.prepare_cached(&format!(
        "INSERT OR REPLACE INTO metric_total (run, round, type, {SUMMARY})
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ))?;
    for ((source, name), sum) in totals.changed() {
        insert.execute(params![
            signed(run),
            turn.0,
            turn.1,
            source.name(),
            name,
            to_column(sum.least),
            to_column(sum.most),
            to_column(sum.mean),
            sum.weight,
            sum.replies,
            sum.failures
        ])?;
    }
    Ok(())
}

/// Lets go of the metrics of a run that begins again.
pub(super) fn clear(connection: &Connection, run: RunId) -> StateResult<()> {
    for sql in [
        "DELETE FROM metric_point WHERE run = ?",
        "DELETE FROM metric_total WHERE run = ?",
        "UPDATE run SET points = 0 WHERE id = ?",
    ] {
        connection.prepare_cached(sql)?.execute([signed(run)])?;
    }
    Ok(())
}

fn points(connection: &Connection, run: RunId) -> StateResult<Vec<Point>> {
    require_run(connection, run)?;
    let mut select = connection.prepare_cached(
        "SELECT round, type, node, source, name, value FROM metric_point WHERE run = ?
         ORDER BY rowid",
    )?;
    let found = select.query_map([signed(run)], |row| {
        let Some(source) = Source::from_name(row.get_ref(3)?.as_str()?) else {
            return Ok(None);
        };
        Ok(Some(Point {
            round: row.get(0)?,
            kind: row.get(1)?,
            node: NodeId(row::id(row, 2)?),
            measure: Measure {
                source,
                name: row.get(4)?,
                value: from_column(row.get(5)?),
            },
        }))
    })?;
    let mut points: Vec<_> = found
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    sort(&mut points);
    Ok(points)
}

fn totals(connection: &Connection, run: RunId) -> StateResult<Vec<Total>> {
    require_run(connection, run)?;
    let mut select = connection.prepare_cached(&format!(
        "SELECT round, type, {SUMMARY} FROM metric_total WHERE run = ?
         ORDER BY round, type, source, name"
    ))?;
    let found = select.query_map([signed(run)], |row| {
        let Some(((source, name), sum)) = summary(row, 2)? else {
            return Ok(None);
        };
        Ok(Some(Total {
            round: row.get(0)?,
            kind: row.get(1)?,
            source,
            name,
            sum,
        }))
    })?;
    Ok(found
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?)
}

#[async_trait]
impl state::Metrics for SqliteState {
    async fn add_samples(
        &self,
        run: RunId,
        samples: Vec<Sample>,
        keeps_points: bool,
    ) -> StateResult<()> {
        let work = move |c: &_| add(c, run, samples, keeps_points);
        self.writer.write(work).await
    }

    async fn metric_points(&self, run: RunId) -> StateResult<Vec<Point>> {
        self.reader.read(move |c| points(c, run)).await
    }

    async fn metric_totals(&self, run: RunId) -> StateResult<Vec<Total>> {
        self.reader.read(move |c| totals(c, run)).await
    }
}
