//! The metrics of the run, beside a list of all that was said.

use flwr_core::id::NodeId;
use proptest::prelude::*;

use super::history::{Checked, History};
use crate::store::battery::metrics::sample;
use crate::store::battery::world::RUN;

impl History {
    pub(super) async fn sample(&mut self, node: usize, is_later: bool, value: u8) -> Checked {
        let round = 1 + u32::from(is_later);
        // A number that is none, now and then.
        let value = match value {
            0..8 => f64::NAN,
            value => f64::from(value),
        };
        let sample = sample(node as u64, round, 1.0, &[("loss", value)]);
        let added = self.state().add_samples(RUN, vec![sample], true).await;
        prop_assert!(added.is_ok());
        self.model.task.samples.push((round, node, value));
        Ok(())
    }

    pub(super) async fn compare_metrics(&self) -> Checked {
        let samples = &self.model.task.samples;
        let mut expected = samples.clone();
        expected.sort_by(|(a_round, a_node, a), (b_round, b_node, b)| {
            let places = (a_round, a_node).cmp(&(b_round, b_node));
            places.then(a.total_cmp(b))
        });
        let points = self.state().metric_points(RUN).await.unwrap();
        prop_assert_eq!(points.len(), expected.len());
        for (point, (round, node, value)) in points.iter().zip(expected) {
            prop_assert_eq!((point.round, point.node), (round, NodeId(node as u64)));
            let is_nan = point.measure.value.is_nan() && value.is_nan();
            prop_assert!(is_nan || point.measure.value == value);
        }
        let totals = self.state().metric_totals(RUN).await.unwrap();
        let mut rounds: Vec<_> = samples.iter().map(|(round, ..)| *round).collect();
        rounds.sort_unstable();
        rounds.dedup();
        let told: Vec<_> = totals.iter().map(|total| total.round).collect();
        prop_assert_eq!(told, rounds);
        for total in totals {
            let of_round = samples.iter().filter(|(round, ..)| *round == total.round);
            let values: Vec<_> = of_round.map(|(_, _, value)| *value).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let least = values.iter().copied().fold(f64::NAN, f64::min);
            let most = values.iter().copied().fold(f64::NAN, f64::max);
            let found = total.sum;
            prop_assert_eq!(found.replies, values.len() as u64);
            prop_assert!(
                (found.mean.is_nan() && mean.is_nan()) || (found.mean - mean).abs() < 1e-9
            );
            prop_assert!(found.least == least || (found.least.is_nan() && least.is_nan()));
            prop_assert!(found.most == most || (found.most.is_nan() && most.is_nan()));
        }
        Ok(())
    }
}
