//! Why a message is given up.

use flwr_core::id::RunId;

use crate::error::Error;
use crate::upstream::Refusal;

/// Why a message is left without a reply of this node.
#[derive(Debug, thiserror::Error)]
pub(super) enum Abandoned {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("it expired before it was answered")]
    Expired,
    #[error("run {0} is not known to the SuperLink")]
    UnknownRun(RunId),
    #[error(transparent)]
    Fatal(Error),
}

impl Abandoned {
    pub(super) fn is_run_over(&self) -> bool {
        matches!(
            self,
            Self::UnknownRun(_) | Self::Refused(Refusal::RunOver(_))
        )
    }
}
