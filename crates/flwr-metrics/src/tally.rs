//! Counters, gauges and histograms, with one label at most. Clones share their values.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// A label, or its value. Only the program itself has words: what a peer sends does not live this long.
pub type Word = &'static str;

/// One label with its value.
type Label = [(Word, Word); 1];

/// Counts what happens.
#[derive(Clone, Debug, Default)]
pub struct Count(Counter);

/// Counts what happens, by one label.
#[derive(Clone, Debug)]
pub struct Tally {
    label: Word,
    counts: Family<Label, Counter>,
}

/// An amount that rises and falls.
#[derive(Clone, Debug, Default)]
pub struct Amount(Gauge<f64, AtomicU64>);

/// Amounts that rise and fall, by one label.
#[derive(Clone, Debug)]
pub struct Levels {
    label: Word,
    levels: Family<Label, Gauge<f64, AtomicU64>>,
}

/// How long something takes, or how much it has.
#[derive(Clone, Debug)]
pub struct Seconds(Histogram);

/// How long steps take, by one label.
#[derive(Clone, Debug)]
pub struct Times {
    label: Word,
    times: Family<Label, Histogram, Bounds>,
}

/// The upper bounds of [`Times`].
#[derive(Clone, Copy, Debug)]
struct Bounds(&'static [f64]);

impl MetricConstructor<Histogram> for Bounds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// A sum that the system keeps, and that only grows.
#[derive(Clone, Debug, Default)]
pub struct Moment(Counter<f64, AtomicU64>);

impl Count {
    /// It happened.
    pub fn add(&self, number: u64) {
        self.0.inc_by(number);
    }

    /// How often it happened.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.get()
    }

    /// Names the counter. `_total` is added to the name.
    pub fn register(&self, registry: &mut Registry, name: Word, help: Word) {
        registry.register(name, help, self.0.clone());
    }
}

impl Tally {
    /// Counts by `label`, at 0 for all the `words` that may be counted.
    #[must_use]
    pub fn new(label: Word, words: &[Word]) -> Self {
        let counts = Family::default();
        for word in words {
            drop(counts.get_or_create(&[(label, *word)]));
        }
        Self { label, counts }
    }

    /// It happened.
    pub fn count(&self, word: Word) {
        self.add(word, 1);
    }

    /// It happened this often, or with this amount.
    pub fn add(&self, word: Word, number: u64) {
        self.counts
            .get_or_create(&[(self.label, word)])
            .inc_by(number);
    }

    /// How often it happened.
    #[must_use]
    pub fn number(&self, word: Word) -> u64 {
        let counted = self.counts.get(&[(self.label, word)]);
        counted.map_or(0, |count| count.get())
    }

    /// Names the counters. `_total` is added to the name.
    pub fn register(&self, registry: &mut Registry, name: Word, help: Word) {
        registry.register(name, help, self.counts.clone());
    }
}

impl Amount {
    /// The amount is this one now.
    #[expect(
        clippy::cast_precision_loss,
        reason = "Prometheus keeps all values as doubles"
    )]
    pub fn set(&self, amount: u64) {
        self.0.set(amount as f64);
    }

    /// The same of an amount with a fraction.
    pub fn set_to(&self, amount: f64) {
        self.0.set(amount);
    }

    /// The amount now.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.0.get()
    }

    /// One more, until the guard is dropped.
    #[must_use = "the amount falls when this is dropped"]
    pub fn enter(&self) -> Entered {
        self.0.inc();
        Entered(self.0.clone())
    }

    /// Names the gauge.
    pub fn register(&self, registry: &mut Registry, name: Word, help: Word) {
        registry.register(name, help, self.0.clone());
    }
}

/// One of an [`Amount`], as long as this lives.
#[derive(Debug)]
pub struct Entered(Gauge<f64, AtomicU64>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Levels {
    /// Amounts by `label`.
    #[must_use]
    pub fn new(label: Word) -> Self {
        Self {
            label,
            levels: Family::default(),
        }
    }

    /// The amount is this one now.
    #[expect(
        clippy::cast_precision_loss,
        reason = "Prometheus keeps all values as doubles"
    )]
    pub fn set(&self, word: Word, amount: u64) {
        self.set_to(word, amount as f64);
    }

    /// The same of an amount with a fraction.
    pub fn set_to(&self, word: Word, amount: f64) {
        self.levels.get_or_create(&[(self.label, word)]).set(amount);
    }

    /// One more, until the guard is dropped.
    #[must_use = "the amount falls when this is dropped"]
    pub fn enter(&self, word: Word) -> Entered {
        let gauge = self.levels.get_or_create(&[(self.label, word)]).clone();
        gauge.inc();
        Entered(gauge)
    }

    /// Nothing is known any more.
    pub fn clear(&self) {
        self.levels.clear();
    }

    /// Names the gauges.
    pub fn register(&self, registry: &mut Registry, name: Word, help: Word) {
        registry.register(name, help, self.levels.clone());
    }
}

impl Seconds {
    /// A histogram with these upper bounds.
    #[must_use]
    pub fn new(bounds: &[f64]) -> Self {
        Self(Histogram::new(bounds.iter().copied()))
    }

    /// It took this long, or had this much.
    pub fn observe(&self, value: f64) {
        self.0.observe(value);
    }

    /// Names the histogram.
    pub fn register(&self, registry: &mut Registry, name: Word, help: Word) {
        registry.register(name, help, self.0.clone());
    }
}

impl Times {
    /// Histograms by `label` with these upper bounds, empty for all the `words`.
    #[must_use]
    pub fn new(label: Word, words: &[Word], bounds: &'static [f64]) -> Self {
        let times = Family::new_with_constructor(Bounds(bounds));
        for word in words {
            drop(times.get_or_create(&[(label, *word)]));
        }
        Self { label, times }
    }

    /// A step took this long.
    pub fn observe(&self, word: Word, took: Duration) {
        let seconds = took.as_secs_f64();
        self.times
            .get_or_create(&[(self.label, word)])
            .observe(seconds);
    }

    /// Names the histograms.
    pub fn register(&self, registry: &mut Registry, name: Word, help: Word) {
        registry.register(name, help, self.times.clone());
    }
}

impl Moment {
    /// The sum as the system has it.
    pub fn set(&self, sum: f64) {
        self.0.inner().store(sum.to_bits(), Ordering::Relaxed);
    }

    /// Names the counter. `_total` is added to the name.
    pub fn register(&self, registry: &mut Registry, name: Word, help: Word) {
        registry.register(name, help, self.0.clone());
    }
}
