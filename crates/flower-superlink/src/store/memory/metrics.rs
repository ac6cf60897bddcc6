//! The metrics of a run.

use std::collections::BTreeMap;

use async_trait::async_trait;
use flwr_core::id::RunId;

use super::MemoryState;
use crate::link::state::{self, Point, Sample, StateResult, Total};
use crate::store::metrics::{MAX_POINTS, Totals, Turn, by_turn, sort};

#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// By round, in the order in which they came.
    points: BTreeMap<u32, Vec<Point>>,
    kept: u64,
    totals: BTreeMap<Turn, Totals>,
}

impl Metrics {
    fn add(&mut self, samples: Vec<Sample>, keeps_points: bool) {
        for (turn, samples) in by_turn(samples) {
            let round = turn.0;
            let totals = self.totals.entry(turn).or_default();
            let points = samples.into_iter().flat_map(|sample| totals.take(sample));
            let points: Vec<_> = points.collect();
            if keeps_points && self.make_room(points.len() as u64, round) {
                self.kept += points.len() as u64;
                self.points.entry(round).or_default().extend(points);
            }
        }
    }

    /// Lets go of rounds before this one until there is room for so many points. False: there is none.
    fn make_room(&mut self, more: u64, round: u32) -> bool {
        while self.kept + more > MAX_POINTS {
            match self.points.first_entry() {
                Some(oldest) if *oldest.key() < round => {
                    self.kept -= oldest.remove().len() as u64;
                }
                _ => return false,
            }
        }
        true
    }
}

#[async_trait]
impl state::Metrics for MemoryState {
    async fn add_samples(
        &self,
        run: RunId,
        samples: Vec<Sample>,
        keeps_points: bool,
    ) -> StateResult<()> {
        let mut inner = self.0.lock();
        inner.run(run)?.metrics.add(samples, keeps_points);
        Ok(())
    }

    async fn metric_points(&self, run: RunId) -> StateResult<Vec<Point>> {
        let points = self.0.lock().run(run)?.metrics.points.clone();
        let mut points: Vec<_> = points.into_values().flatten().collect();
        sort(&mut points);
        Ok(points)
    }

    async fn metric_totals(&self, run: RunId) -> StateResult<Vec<Total>> {
        let mut inner = self.0.lock();
        let turns = inner.run(run)?.metrics.totals.iter();
        Ok(turns.flat_map(|(turn, totals)| totals.all(turn)).collect())
    }
}
