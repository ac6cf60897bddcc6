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

    /// Whether nobody will ever want a reply to this message. Otherwise the message is tried again,
    /// and a finished reply to it is kept.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Expired | Self::NoAnswer(NoAnswer::RunOver(_) | NoAnswer::Replaced) => true,
            Self::NoAnswer(
                NoAnswer::Refused(_)
                | NoAnswer::Unusable(_)
                | NoAnswer::NotTaken
                | NoAnswer::GaveUp { .. },
            )
            | Self::Fatal(_) => false,
        }
    }
}
