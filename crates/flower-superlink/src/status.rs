//! Errors of the domain as failures of a port, and as statuses of the services that are no
//! generation of `flwr-wire` yet.

use flwr_core::cause::chain;
use flwr_core::refusal::{Failure, Refusal};
use tonic::Status;
use tracing::error;

use crate::error::Error;

pub(crate) use flwr_wire::carrier::grpc::status as of;

#[cfg(test)]
mod tests;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = chain(&error);
        if is_our_fault(&error) {
            error!(error = text, "request failed");
        }
        match error {
            Error::Refused(refusal) => Self::Refused(refusal),
            Error::State(_) | Error::Bytes(_) | Error::Stopping | Error::Random => {
                Self::TryAgain(text)
            }
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        of(error)
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
