//! Who asks something on the Control port.

use flwr_core::refusal::Refusal;
use std::sync::Arc;

use tonic::Request;

use crate::accounts::{Account, Accounts};
use crate::error::Error;
use crate::link::Asker;

/// Who asks. Where people sign in, `auth` has let through nobody who did not.
pub(super) fn asker<T>(
    accounts: Option<&Arc<Accounts>>,
    request: &Request<T>,
) -> Result<Asker, Error> {
    match (accounts, request.extensions().get::<Account>()) {
        (None, _) => Ok(Asker::Anybody),
        (Some(_), Some(account)) => Ok(account.asker()),
        (Some(_), None) => Err(Refusal::NoAccount.into()),
    }
}

/// A person who names an unknown run mistyped its id. A peer that does so has lost its run, which is
/// another answer.
pub(super) fn for_people(error: Error) -> Error {
    match error {
        Error::Refused(Refusal::UnknownRun(run)) => Refusal::RunNotFound(run).into(),
        error => error,
    }
}
