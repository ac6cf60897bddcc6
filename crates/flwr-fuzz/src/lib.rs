//! Every parser of bytes that peers, users or disks give us, as a [`Target`]: a function that must
//! not panic, whatever its input is, and inputs that it takes ([`Target::seeds`]).
//!
//! `fuzz/` has a target of cargo-fuzz for each, which needs a nightly toolchain. [`smoke`] needs
//! none: it plays the seeds, the corpus in `fuzz/corpus` and mutations of both.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test: a failure of its own is a failure of the test"
)]

mod mutate;
pub mod smoke;
mod targets;

pub use targets::TARGETS;

/// A parser.
#[derive(Debug)]
pub struct Target {
    /// The name of the target, and of the folder of its corpus.
    pub name: &'static str,
    /// What is parsed, and where it comes from.
    pub what: &'static str,
    /// Parses. Panics if the parser breaks a promise.
    pub run: fn(&[u8]),
    /// Inputs that the parser takes.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Runs a target of this name, for cargo-fuzz.
///
/// # Panics
/// If there is none, or the parser breaks a promise.
pub fn run(name: &str, data: &[u8]) {
    (target(name).expect("a target of this name").run)(data);
}
