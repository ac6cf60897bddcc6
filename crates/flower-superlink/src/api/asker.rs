//! Who asks something on the Control port.

use std::sync::Arc;

use tonic::{Request, Status};

use crate::accounts::{Account, Accounts};
use crate::error::Error;
use crate::link::Asker;
use crate::link::state::{Refusal, StateError};

/// Who asks. Where people sign in, `auth` has let through nobody who did not.
pub(super) fn asker<T>(
    accounts: Option<&Arc<Accounts>>,
    request: &Request<T>,
) -> Result<Asker, Error> {
    match (accounts, request.extensions().get::<Account>()) {
        (None, _) => Ok(Asker::Anybody),
        (Some(_), Some(account)) => Ok(account.asker()),
        (Some(_), None) => Err(Error::NoAccount),
    }
}

/// A person who names a run that does not exist mistyped it: no peer that lost one.
pub(super) fn for_people(error: Error) -> Status {
    match error {
        Error::State(StateError::Refused(Refusal::UnknownRun(_))) => {
            Status::not_found("Run ID not found")
        }
        error => error.into(),
    }
}
