//! The one table from this node's refusals to gRPC statuses.

use tonic::Status;

use crate::error::Error;
use crate::work::{Denied, OutboxError};

impl From<Denied> for Status {
    fn from(denied: Denied) -> Self {
        let text = denied.to_string();
        match denied {
            Denied::Token => Self::permission_denied(text),
            Denied::OtherRun(_) => Self::not_found(text),
        }
    }
}

impl From<OutboxError> for Status {
    fn from(error: OutboxError) -> Self {
        let text = error.to_string();
        match error {
            OutboxError::NotOne
            | OutboxError::Flaws(_)
            | OutboxError::Tree(_)
            | OutboxError::Mismatch { .. } => Self::invalid_argument(text),
            OutboxError::Answered => Self::failed_precondition(text),
        }
    }
}

/// For the errors that a request can meet.
pub(super) fn internal(error: &Error) -> Status {
    Status::internal(error.to_string())
}
