//! Single calls to a SuperLink, timed while something else happens.

use std::fmt::{self, Display, Formatter};

use anyhow::{Result, ensure};

use super::generator::Generator;
use super::stage::{Stage, SuperLink};
use super::what::Nodes;

/// The load generator while it makes calls.
pub(super) struct Probe(Generator);

/// What calls took, in milliseconds.
pub(super) struct Calls {
    calls: u64,
    median: f64,
    most: f64,
    pub(super) slowest: f64,
}

impl Probe {
    /// Brings the state of the SuperLink to a size, and begins with calls.
    pub(super) fn start(stage: &Stage, superlink: &SuperLink, state_mb: usize) -> Result<Self> {
        let mut load = stage.load(superlink, Nodes::Ours);
        load.args(["calls", "--state-mb", &state_mb.to_string()]);
        let mut generator = Generator::start_with_app(stage, load)?;
        generator.event("ready")?;
        Ok(Self(generator))
    }

    /// Times the calls while something is done.
    pub(super) fn during(&mut self, something: impl FnOnce()) -> Result<Calls> {
        self.take()?;
        something();
        let calls = self.take()?;
        ensure!(calls.calls > 0, "no call was answered");
        Ok(calls)
    }

    /// The calls since the last ones were taken.
    fn take(&mut self) -> Result<Calls> {
        self.0.tell("tell")?;
        let event = self.0.event("calls")?;
        let millis = |name: &str| event[name].as_f64().unwrap_or(f64::NAN);
        Ok(Calls {
            calls: event["calls"].as_u64().unwrap_or_default(),
            median: millis("p50_ms"),
            most: millis("p99_ms"),
            slowest: millis("slowest_ms"),
        })
    }
}

impl Display for Calls {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            median,
            most,
            slowest,
        } = self;
        write!(f, "{median:>8.1}{most:>8.1}{slowest:>8.1}   of {calls}")
    }
}
