//! What a refusal is about.

use super::{Class, Refusal};

impl Refusal {
    /// A field of the request is not what it should be.
    #[must_use]
    pub fn field(field: &'static str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self::Field { field, problem }
    }

    /// What a caller does about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.code().class()
    }

    /// Whether the run's standing is the reason, and nothing else about the request.
    #[must_use]
    pub const fn is_about_the_run(&self) -> bool {
        matches!(self, Self::UnknownRun(_) | Self::RunIs { .. })
    }
}
