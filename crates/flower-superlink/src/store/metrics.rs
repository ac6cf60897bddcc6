//! How much of a run's metrics is kept, in every backend.

use std::collections::{BTreeMap, BTreeSet};

use flwr_core::id::NodeId;

use crate::link::state::{Measure, Point, Sample, Source, Summary, Total};

/// Points kept for a run. Past that its oldest rounds keep their totals only.
pub(super) const MAX_POINTS: u64 = if cfg!(test) { 200 } else { 1_000_000 };
/// Names kept of a round and type. An app that makes up a name for each reply fills no disk.
const MAX_NAMES: usize = if cfg!(test) { 100 } else { 1000 };

/// The columns of a total in every database, but for its run, round and type.
pub(super) const SUMMARY: &str = "source, name, least, most, mean, weight, replies, failures";

/// A round, and a type of instruction.
pub(super) type Turn = (u32, String);
/// A name within a turn.
pub(super) type Named = (Source, String);

/// The totals of one turn.
#[derive(Debug, Default, Clone)]
pub(super) struct Totals {
    sums: BTreeMap<Named, Summary>,
    changed: BTreeSet<Named>,
}

impl Totals {
    /// The totals as they are kept.
    pub(super) fn of(kept: impl IntoIterator<Item = (Named, Summary)>) -> Self {
        Self {
            sums: kept.into_iter().collect(),
            changed: BTreeSet::new(),
        }
    }

    /// Takes in what a reply says. Gives the points that this is.
    pub(super) fn take(&mut self, sample: Sample) -> Vec<Point> {
        let mut points = Vec::with_capacity(sample.measures.len());
        for measure in sample.measures {
            let name = (measure.source, measure.name.clone());
            if self.sums.len() >= MAX_NAMES && !self.sums.contains_key(&name) {
                continue;
            }
            let sum = self.sums.entry(name.clone()).or_default();
            sum.take(measure.value, sample.weight, sample.is_error);
            self.changed.insert(name);
            points.push(Point {
                round: sample.round,
                kind: sample.kind.clone(),
                node: sample.node,
                measure,
            });
        }
        points
    }

    /// What has changed since it was kept.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&Named, &Summary)> {
        let names = self.changed.iter();
        names.filter_map(|name| Some((name, self.sums.get(name)?)))
    }

    /// All totals of the turn.
    pub(super) fn all(&self, turn: &Turn) -> impl Iterator<Item = Total> {
        self.sums.iter().map(move |((source, name), sum)| Total {
            round: turn.0,
            kind: turn.1.clone(),
            source: *source,
            name: name.clone(),
            sum: *sum,
        })
    }
}

/// The samples of each turn, in the order in which they came.
pub(super) fn by_turn(samples: Vec<Sample>) -> BTreeMap<Turn, Vec<Sample>> {
    let mut turns: BTreeMap<Turn, Vec<Sample>> = BTreeMap::new();
    for sample in samples {
        let turn = (sample.round, sample.kind.clone());
        turns.entry(turn).or_default().push(sample);
    }
    turns
}

/// Sorts points as they are given: in each backend alike.
pub(super) fn sort(points: &mut [Point]) {
    points.sort_by(|a, b| {
        let values = a.measure.value.total_cmp(&b.measure.value);
        order(a).cmp(&order(b)).then(values)
    });
}

fn order(point: &Point) -> (u32, &str, Source, &str, NodeId) {
    let Measure { source, name, .. } = &point.measure;
    (point.round, &point.kind, *source, name, point.node)
}

/// Databases keep NULL for NaN: SQLite has no other, and PostgreSQL calls NaN the largest number.
pub(super) fn to_column(value: f64) -> Option<f64> {
    Some(value).filter(|value| !value.is_nan())
}

/// The number of a column.
pub(super) fn from_column(value: Option<f64>) -> f64 {
    value.unwrap_or(f64::NAN)
}
