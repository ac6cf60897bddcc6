//! Why a message is given up.

use crate::error::Error;
use crate::upstream::NoAnswer;

/// Why a message is left without a reply of this node.
#[derive(Debug, thiserror::Error)]
pub(super) enum Abandoned {
    #[error("{0}")]
    NoAnswer(#[from] NoAnswer),
    #[error("it expired before it was answered")]
    Expired,
    #[error(transparent)]
    Fatal(Error),
}

impl Abandoned {
    pub(super) fn is_run_over(&self) -> bool {
        matches!(self, Self::NoAnswer(NoAnswer::RunOver(_)))
    }
}
