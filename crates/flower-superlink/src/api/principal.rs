//! The caller of a Control request.

use flwr_core::refusal::Refusal;
use std::sync::Arc;

use tonic::Request;

use crate::accounts::{Account, Accounts};
use crate::error::Error;
use crate::link::Principal;

/// The caller of a request. Where login is configured, `auth` has refused requests without an
/// account before.
pub(super) fn principal<T>(
    accounts: Option<&Arc<Accounts>>,
    request: &Request<T>,
) -> Result<Principal, Error> {
    match (accounts, request.extensions().get::<Account>()) {
        (None, _) => Ok(Principal::Anybody),
        (Some(_), Some(account)) => Ok(account.principal()),
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
