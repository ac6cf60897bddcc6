//! Why a state method did nothing.

use flwr_core::refusal::Refusal;
use thiserror::Error;

use crate::error::Error;

/// What a state method gives.
pub type StateResult<T> = Result<T, StateError>;

/// Why a state method did nothing.
#[derive(Debug, Error)]
pub enum StateError {
    /// The protocol has an answer for it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The backend failed.
    #[error("the state could not be read or written")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Refused(refusal) => Self::Refused(refusal),
            StateError::Broken(cause) => Self::State(cause),
        }
    }
}
