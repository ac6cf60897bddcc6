//! The caller of a Control request.

use std::sync::Arc;

use tonic::{Request, Status};

use crate::accounts::{Account, Accounts};
use crate::error::Error;
use crate::link::Principal;
use crate::link::state::{Refusal, StateError};

/// The caller of a request. Where login is configured, `auth` has refused requests without an
/// account before.
pub(super) fn principal<T>(
    accounts: Option<&Arc<Accounts>>,
    request: &Request<T>,
) -> Result<Principal, Error> {
    match (accounts, request.extensions().get::<Account>()) {
        (None, _) => Ok(Principal::Anybody),
        (Some(_), Some(account)) => Ok(account.principal()),
        (Some(_), None) => Err(Error::NoAccount),
    }
}

/// `flwr` gets NOT_FOUND for an unknown run, since the user mistyped the id. Peers get
/// PERMISSION_DENIED, at which they stop the run.
pub(super) fn for_people(error: Error) -> Status {
    match error {
        Error::State(StateError::Refused(Refusal::UnknownRun(_))) => {
            Status::not_found("Run ID not found")
        }
        error => error.into(),
    }
}
