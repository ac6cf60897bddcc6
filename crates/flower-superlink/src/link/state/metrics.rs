//! Run metrics: numbers that replies bring, and what the SuperLink measures of replies.

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};

use super::StateResult;

/// Whose number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The app put it into a record of its reply.
    App,
    /// The SuperLink measured it.
    SuperLink,
}

impl Source {
    /// The name that databases keep.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::SuperLink => "superlink",
        }
    }

    /// The source with this name. A later program may know more sources.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::App, Self::SuperLink];
        all.into_iter().find(|source| source.name() == name)
    }
}

/// A number, named.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// Whose number it is.
    pub source: Source,
    /// What it is called.
    pub name: String,
    /// NaN and infinities stay what they are.
    pub value: f64,
}

/// What one reply says.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The node that replied, or should have.
    pub node: NodeId,
    /// The round of the instruction.
    pub round: u32,
    /// The type of the instruction: `train`, `evaluate`, `query` …
    pub kind: String,
    /// Examples that the node has used: the weight of its numbers in means.
    pub weight: f64,
    /// The reply is an error.
    pub is_error: bool,
    /// The numbers.
    pub measures: Vec<Measure>,
}

/// A number of one node in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The round.
    pub round: u32,
    /// The type of the instruction.
    pub kind: String,
    /// The node.
    pub node: NodeId,
    /// The number.
    pub measure: Measure,
}

/// The numbers of one name in one round, of all nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    /// The round.
    pub round: u32,
    /// The type of the instructions.
    pub kind: String,
    /// Whose numbers they are.
    pub source: Source,
    /// What the numbers are called.
    pub name: String,
    /// What they come to.
    pub sum: Summary,
}

/// What some numbers come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The smallest. NaN where no number is known.
    pub least: f64,
    /// The largest. NaN where no number is known.
    pub most: f64,
    /// The mean, weighted by examples. NaN where one of the numbers is NaN.
    pub mean: f64,
    /// The sum of the weights.
    pub weight: f64,
    /// Replies that brought a number.
    pub replies: u64,
    /// Those of the replies that are errors.
    pub failures: u64,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            least: f64::NAN,
            most: f64::NAN,
            mean: f64::NAN,
            weight: 0.0,
            replies: 0,
            failures: 0,
        }
    }
}

impl Summary {
    /// Takes in one more number.
    pub fn take(&mut self, value: f64, weight: f64, is_error: bool) {
        // `min` and `max` of f64 pass over NaN.
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        let total = self.weight + weight;
        self.mean = if self.replies == 0 {
            value
        } else if !(self.mean.is_finite() && value.is_finite()) {
            self.mean + value
        } else if total > 0.0 {
            // Each part is at most the larger of the two: no overflow on the way.
            let part = weight / total;
            self.mean * (1.0 - part) + value * part
        } else {
            self.mean
        };
        self.weight = total.min(f64::MAX);
        self.replies += 1;
        self.failures += u64::from(is_error);
    }
}

/// The metrics of runs. They go with their run, and begin anew when the run does.
#[async_trait]
pub trait Metrics {
    /// Adds what replies of the run say, in this order. `keeps_points`: the numbers of each node are
    /// kept beside the totals.
    ///
    /// # Behavior
    /// - more numbers than are kept for a run: the points of its oldest rounds go, and their totals stay
    /// - more names in a round than are kept: numbers of further names are dropped
    async fn add_samples(
        &self,
        run: RunId,
        samples: Vec<Sample>,
        keeps_points: bool,
    ) -> StateResult<()>;

    /// The points of a run, by round, type, name and node.
    async fn metric_points(&self, run: RunId) -> StateResult<Vec<Point>>;

    /// The totals of a run, by round, type and name.
    async fn metric_totals(&self, run: RunId) -> StateResult<Vec<Total>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(numbers: &[(f64, f64)]) -> Summary {
        let mut sum = Summary::default();
        for (value, weight) in numbers {
            sum.take(*value, *weight, false);
        }
        sum
    }

    #[test]
    fn a_mean_is_weighted_by_examples() {
        let sum = summary(&[(1.0, 1.0), (4.0, 3.0)]);
        assert_eq!((sum.least, sum.mean, sum.most), (1.0, 3.25, 4.0));
        assert_eq!((sum.weight, sum.replies, sum.failures), (4.0, 2, 0));
        assert_eq!(summary(&[(7.0, 0.0), (8.0, 0.0)]).mean, 7.0);
    }

    #[test]
    fn odd_numbers_stay_what_they_are() {
        let sum = summary(&[(f64::NAN, 1.0), (2.0, 1.0)]);
        assert!(sum.mean.is_nan());
        assert_eq!((sum.least, sum.most), (2.0, 2.0));
        let sum = summary(&[(f64::INFINITY, 1.0), (2.0, 1.0)]);
        assert_eq!(
            (sum.least, sum.mean, sum.most),
            (2.0, f64::INFINITY, f64::INFINITY)
        );
        assert_eq!(summary(&[(f64::MAX, 1.0), (-f64::MAX, 1.0)]).mean, 0.0);
    }
}
