//! Calls that get no answer.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::cause::words;

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Silence {
    /// The connection could not be made, or it broke. The cause says more.
    Connection,
    /// The other program is busy, starting or stopping.
    Busy,
    /// The time of the call is over.
    Late,
    /// The other program cancelled the call.
    Cancelled,
    /// The other program, or something on the way to it, failed at this call.
    Broken,
}

/// A call that got neither a result nor a refusal.
#[derive(Debug, Clone)]
pub struct Unanswered {
    /// Why.
    pub why: Silence,
    /// Why, in words.
    pub text: String,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Unanswered {
    /// A call that has no answer for a reason that the other program gave.
    #[must_use]
    pub fn new(why: Silence, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            why,
            text,
            cause: None,
        }
    }

    /// A call that failed on its way, with the error it failed with.
    #[must_use]
    pub fn caused_by(cause: impl Error + Send + Sync + 'static) -> Self {
        Self {
            why: Silence::Connection,
            text: words(&cause),
            cause: Some(Arc::new(cause)),
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Unanswered {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// Errors cannot be compared; their texts can.
impl PartialEq for Unanswered {
    fn eq(&self, other: &Self) -> bool {
        self.why == other.why && self.text == other.text
    }
}
