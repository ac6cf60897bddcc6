//! Errors of the domain as failures of a port.

use std::mem::{Discriminant, discriminant};
use std::sync::LazyLock;

use flwr_core::cause::chain;
use flwr_core::quiet::Quiet;
use flwr_core::refusal::{Failure, Refusal};
use tracing::error;

use crate::error::Error;

/// Peers try again, and a full disk may last.
static QUIET: LazyLock<Quiet<Discriminant<Error>>> = LazyLock::new(Quiet::default);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = chain(&error);
        if is_our_fault(&error)
            && let Some(more) = QUIET.ask(discriminant(&error))
        {
            error!(error = text, more, "request failed");
        }
        match error {
            Error::Refused(refusal) => Self::Refused(refusal),
            Error::State(_) | Error::Bytes(_) | Error::Stopping | Error::Random => {
                Self::TryAgain(text)
            }
        }
    }
}

/// The operator has to hear of it.
const fn is_our_fault(error: &Error) -> bool {
    match error {
        Error::State(_) | Error::Bytes(_) | Error::Random => true,
        Error::Refused(refusal) => matches!(refusal, Refusal::Full { .. }),
        Error::Stopping => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_to_be_tried_again() {
        for (error, text) in [
            (
                Error::State("the disk is full".into()),
                "the state could not be read or written: the disk is full",
            ),
            (Error::Stopping, "the SuperLink is shutting down"),
            (Error::Random, "the system's random number generator failed"),
        ] {
            assert_eq!(Failure::from(error), Failure::TryAgain(text.to_owned()));
        }
    }

    #[test]
    fn a_refusal_stays_the_same() {
        let full = Refusal::Full { used: 2, limit: 1 };
        let failure = Failure::from(Error::from(full.clone()));
        assert_eq!(failure, Failure::Refused(full));
    }
}
