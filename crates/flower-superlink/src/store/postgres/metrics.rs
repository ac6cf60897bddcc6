//! The metrics of a run.

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::refusal::Refusal;
use tokio_postgres::Row;

use super::PostgresState;
use super::lane::direct;
use super::reader::reading;
use super::row::{self, escaped, signed};
use super::unit::Tx;
use crate::link::state::{self, Measure, Point, Sample, Source, StateResult, Summary, Total};
use crate::store::metrics::{
    MAX_POINTS, Named, SUMMARY, Totals, Turn, by_turn, from_column, sort, to_column,
};

async fn require_run(tx: &Tx<'_>, run: RunId) -> StateResult<()> {
    let select = tx.prepare_cached("SELECT 1 FROM run WHERE id = $1").await?;
    let found = tx.query_opt(&select, &[&signed(run)]).await?;
    found
        .map(drop)
        .ok_or_else(|| Refusal::UnknownRun(run).into())
}

async fn add(tx: &Tx<'_>, run: RunId, samples: Vec<Sample>, keeps_points: bool) -> StateResult<()> {
    // The lock keeps SuperLinks from folding the same totals at once.
    let sql = "SELECT points FROM run WHERE id = $1 FOR NO KEY UPDATE";
    let select = tx.prepare_cached(sql).await?;
    let found = tx.query_opt(&select, &[&signed(run)]).await?;
    let mut kept = row::count(&found.ok_or(Refusal::UnknownRun(run))?, 0)?;
    for (turn, samples) in by_turn(samples) {
        let mut totals = Totals::of(totals_of(tx, run, &turn).await?);
        let points = samples.into_iter().flat_map(|sample| totals.take(sample));
        let points: Vec<_> = points.collect();
        write_totals(tx, run, &turn, &totals).await?;
        let more = points.len() as u64;
        if keeps_points && make_room(tx, run, &mut kept, more, turn.0).await? {
            kept += more;
            write_points(tx, run, &points).await?;
        }
    }
    let sql = "UPDATE run SET points = $1 WHERE id = $2";
    let update = tx.prepare_cached(sql).await?;
    tx.execute(&update, &[&number(kept), &signed(run)]).await?;
    Ok(())
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Lets go of rounds before this one until there is room for so many points. False: there is none.
async fn make_room(
    tx: &Tx<'_>,
    run: RunId,
    kept: &mut u64,
    more: u64,
    round: u32,
) -> StateResult<bool> {
    while *kept + more > MAX_POINTS {
        let sql = "DELETE FROM metric_point WHERE run = $1 AND round < $2
                   AND round = (SELECT min(round) FROM metric_point WHERE run = $1)";
        let oldest = tx.prepare_cached(sql).await?;
        let gone = tx
            .execute(&oldest, &[&signed(run), &i64::from(round)])
            .await?;
        if gone == 0 {
            return Ok(false);
        }
        *kept = kept.saturating_sub(gone);
    }
    Ok(true)
}

async fn write_points(tx: &Tx<'_>, run: RunId, points: &[Point]) -> StateResult<()> {
    let (mut rounds, mut kinds, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sources, mut names, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for point in points {
        rounds.push(i64::from(point.round));
        kinds.push(escaped(&point.kind));
        nodes.push(signed(point.node));
        sources.push(point.measure.source.name());
        names.push(escaped(&point.measure.name));
        values.push(to_column(point.measure.value));
    }
    let sql = "INSERT INTO metric_point (run, round, type, node, source, name, value)
               SELECT $1::int8, * FROM unnest($2::int8[], $3::text[], $4::int8[], $5::text[],
                 $6::text[], $7::float8[])";
    let insert = tx.prepare_cached(sql).await?;
    let run = signed(run);
    tx.execute(
        &insert,
        &[&run, &rounds, &kinds, &nodes, &sources, &names, &values],
    )
    .await?;
    Ok(())
}

async fn totals_of(tx: &Tx<'_>, run: RunId, turn: &Turn) -> StateResult<Vec<(Named, Summary)>> {
    let sql =
        format!("SELECT {SUMMARY} FROM metric_total WHERE run = $1 AND round = $2 AND type = $3");
    let select = tx.prepare_cached(&sql).await?;
    let (round, kind) = (i64::from(turn.0), escaped(&turn.1));
    let found = tx.query(&select, &[&signed(run), &round, &kind]).await?;
    let found = found.iter().map(|row| summary(row, 0));
    found.filter_map(Result::transpose).collect()
}

/// A total from these columns on. `None`: it is of a source that only a later program knows.
fn summary(found: &Row, first: usize) -> StateResult<Option<(Named, Summary)>> {
    let Some(source) = Source::from_name(row::get(found, first)?) else {
        return Ok(None);
    };
    let sum = Summary {
        least: from_column(row::get(found, first + 2)?),
        most: from_column(row::get(found, first + 3)?),
        mean: from_column(row::get(found, first + 4)?),
        weight: row::get(found, first + 5)?,
        replies: row::count(found, first + 6)?,
        failures: row::count(found, first + 7)?,
    };
    Ok(Some(((source, row::text(found, first + 1)?), sum)))
}

async fn write_totals(tx: &Tx<'_>, run: RunId, turn: &Turn, totals: &Totals) -> StateResult<()> {
    let sql = format!(
        "INSERT INTO metric_total (run, round, type, {SUMMARY})
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (run, round, type, source, name) DO UPDATE SET least = excluded.least,
           most = excluded.most, mean = excluded.mean, weight = excluded.weight,
           replies = excluded.replies, failures = excluded.failures"
    );
    let insert = tx.prepare_cached(&sql).await?;
    let (round, kind) = (i64::from(turn.0), escaped(&turn.1));
    for ((source, name), sum) in totals.changed() {
        tx.execute(
            &insert,
            &[
                &signed(run),
                &round,
                &kind,
                &source.name(),
                &escaped(name),
                &to_column(sum.least),
                &to_column(sum.most),
                &to_column(sum.mean),
                &sum.weight,
                &number(sum.replies),
                &number(sum.failures),
            ],
        )
        .await?;
    }
    Ok(())
}

/// Lets go of the metrics of a run that begins again.
pub(super) async fn clear(tx: &Tx<'_>, run: RunId) -> StateResult<()> {
    for sql in [
        "DELETE FROM metric_point WHERE run = $1",
        "DELETE FROM metric_total WHERE run = $1",
        "UPDATE run SET points = 0 WHERE id = $1",
    ] {
        tx.execute(sql, &[&signed(run)]).await?;
    }
    Ok(())
}

fn round(found: &Row) -> StateResult<u32> {
    let round = row::count(found, 0)?;
    Ok(u32::try_from(round).unwrap_or(u32::MAX))
}

async fn points(tx: &Tx<'_>, run: RunId) -> StateResult<Vec<Point>> {
    require_run(tx, run).await?;
    let sql = "SELECT round, type, node, source, name, value FROM metric_point WHERE run = $1";
    let select = tx.prepare_cached(sql).await?;
    let mut points = Vec::new();
    for found in tx.query(&select, &[&signed(run)]).await? {
        let Some(source) = Source::from_name(row::get(&found, 3)?) else {
            continue;
        };
        points.push(Point {
            round: round(&found)?,
            kind: row::text(&found, 1)?,
            node: NodeId(row::id(&found, 2)?),
            measure: Measure {
                source,
                name: row::text(&found, 4)?,
                value: from_column(row::get(&found, 5)?),
            },
        });
    }
    sort(&mut points);
    Ok(points)
}

async fn totals(tx: &Tx<'_>, run: RunId) -> StateResult<Vec<Total>> {
    require_run(tx, run).await?;
    let sql = format!("SELECT round, type, {SUMMARY} FROM metric_total WHERE run = $1");
    let select = tx.prepare_cached(&sql).await?;
    let mut totals = Vec::new();
    for found in tx.query(&select, &[&signed(run)]).await? {
        let Some(((source, name), sum)) = summary(&found, 2)? else {
            continue;
        };
        totals.push(Total {
            round: round(&found)?,
            kind: row::text(&found, 1)?,
            source,
            name,
            sum,
        });
    }
    // As all backends sort, whatever the collation of the database is.
    totals.sort_by(|a, b| order(a).cmp(&order(b)));
    Ok(totals)
}

fn order(total: &Total) -> (u32, &str, Source, &str) {
    (total.round, &total.kind, total.source, &total.name)
}

#[async_trait]
impl state::Metrics for PostgresState {
    async fn add_samples(
        &self,
        run: RunId,
        samples: Vec<Sample>,
        keeps_points: bool,
    ) -> StateResult<()> {
        self.write(direct!([samples] tx => add(tx, run, samples, keeps_points)))
            .await
    }

    async fn metric_points(&self, run: RunId) -> StateResult<Vec<Point>> {
        reading!(self, tx => points(tx, run))
    }

    async fn metric_totals(&self, run: RunId) -> StateResult<Vec<Total>> {
        reading!(self, tx => totals(tx, run))
    }
}
