//! What a failed call means. The one place where the words of a SuperLink are read: everybody
//! else compares values.
//!
//! gRPC and HTTP have one code for refusals that ask for different things of a caller, so upstream's
//! text tells them apart. A text may go on after these words, as those of our SuperLink do.
//!
//! From here on a text is one printable line, whatever the peer has sent.

use std::error::Error;
use std::fmt;

use flwr_core::printable;
use flwr_core::refusal::{self, Class, Code as Number, Silence, Unanswered};
use tonic::{Code, Status, TimeoutExpired};

use crate::channel::cause;

/// UNAUTHENTICATED: no node is registered with this key, or another one (flwr 1.17 to 1.22).
const UNKNOWN_NODE: &str = "Invalid node ID";
/// 401 of Fleet over HTTP/1.1: one text for a key of no node, a node of another key, a wrong
/// signature and clocks that differ (flwr 1.40 to 1.43).
const NOT_THE_NODE: &str = "Invalid SuperNode authentication";
/// UNAUTHENTICATED: the key is not on the SuperLink's list (flwr 1.17 to 1.22).
const UNKNOWN_KEY: &str = "Public key not recognized";
/// UNAUTHENTICATED: CreateNode by the holder of a registered node's key (flwr 1.17 to 1.22).
/// FAILED_PRECONDITION: RegisterNode with such a key (flwr 1.23 to 1.39).
const KEY_IN_USE: &str = "Public key already in use";
/// UNAUTHENTICATED: the clocks differ (flwr 1.17 to 1.22).
const STALE_SIGNATURE: &str = "Invalid timestamp";
/// FAILED_PRECONDITION of RegisterNode: people register nodes (flwr 1.23 to 1.39).
const REGISTERED_BY_PEOPLE: &str =
    "SuperNode authentication is enabled. All SuperNodes must be registered";
/// FAILED_PRECONDITION of ActivateNode: no node has the key (flwr 1.23 to 1.39).
const NO_NODE: &str = "No SuperNode found with the given public key";
/// FAILED_PRECONDITION of ActivateNode: the node is online (flwr 1.23 to 1.39).
const NOT_ACTIVATED: &str = "could not be activated";
/// NOT_FOUND of Control: no such run (flwr 1.20 to 1.22).
const UNKNOWN_RUN: &str = "Run ID not found";
/// FAILED_PRECONDITION of Control: no elliptic curve key (flwr 1.23 to 1.32).
const KEY_NOT_VALID: &str = "The provided public key is not valid";
/// FAILED_PRECONDITION of Control: a run without the name of its federation (flwr 1.24 and 1.25).
const NO_FEDERATION: &str = "Federation '' does not exist";
/// NOT_FOUND of Control: no such node of this account (flwr 1.23 to 1.32).
const UNKNOWN_NODE_OF_ACCOUNT: &str = "Node ID not found for account";
/// UNKNOWN of every service: no such method (flwr 1.23 to 1.41). 1.22 answers UNIMPLEMENTED.
const NO_METHOD: &str = "Error in service handler!";
/// UNIMPLEMENTED: "ExecServicer initialized without user authentication" (flwr 1.20), and
/// "ControlServicer initialized without ..." (flwr 1.21 and 1.22).
const WITHOUT: &str = "initialized without";
/// What the last text goes on with where there is no store of artifacts.
const ARTIFACTS: &str = "artifact provider";
/// 412 with number 1001, over HTTP/1.1: SuperLinks of ours that spoke gRPC alone (until commit
/// 8c64d66). A SuperLink of flwr 1.35 or later gives the number to releases that differ.
const SPEAKS_GRPC: &str = "this port speaks gRPC";

/// What the status of a call means.
#[must_use]
pub fn failure(status: Status) -> refusal::Failure {
    // A status from the wire has no error that it was made of.
    if status.source().is_some() {
        let late = cause::<TimeoutExpired>(&status).is_some();
        let mut unanswered = Unanswered::caused_by(OnTheWay(status));
        if late {
            unanswered.why = Silence::Late;
        }
        return unanswered.into();
    }
    let text = status.message();
    let meaning = match status.code() {
        Code::Unknown if text == NO_METHOD => Ok(Class::NotOffered),
        code => meaning(code),
    };
    match meaning {
        Ok(class) => refusal(class, text).into(),
        Err(why) => Unanswered::new(why, printable::line(text)).into(),
    }
}

/// The refusal with this text, which is plain or JSON.
pub(crate) fn refusal(class: Class, text: &str) -> refusal::Refused {
    let mut refused = refusal::Refused::read(class, text);
    refused.code = refused.code.or_else(|| number(class, text));
    refused.text = printable::line(&refused.text);
    refused.details = refused.details.as_deref().map(printable::line);
    refused
}

/// Whether a SuperLink that was called over HTTP/1.1 says that its port speaks gRPC alone.
pub(crate) fn speaks_grpc(refused: &refusal::Refused) -> bool {
    refused.code == Some(Number::RuntimeVersionIncompatible)
        && refused.text.starts_with(SPEAKS_GRPC)
}

/// The status of a call that failed on its way. Its text leaves the code out: the error that the
/// status was made of says more.
#[derive(Debug)]
struct OnTheWay(Status);

impl fmt::Display for OnTheWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable::line(self.0.message()))
    }
}

impl Error for OnTheWay {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// The class of refusals with this code, or why there is no answer.
const fn meaning(code: Code) -> Result<Class, Silence> {
    match code {
        Code::InvalidArgument | Code::OutOfRange => Ok(Class::Invalid),
        Code::Unauthenticated => Ok(Class::Unauthenticated),
        Code::PermissionDenied => Ok(Class::Forbidden),
        Code::NotFound => Ok(Class::NotFound),
        Code::FailedPrecondition => Ok(Class::Precondition),
        Code::AlreadyExists => Ok(Class::Exists),
        Code::ResourceExhausted => Ok(Class::Exhausted),
        Code::Unimplemented => Ok(Class::NotOffered),
        Code::Unavailable | Code::Aborted => Err(Silence::Busy),
        Code::DeadlineExceeded => Err(Silence::Late),
        Code::Cancelled => Err(Silence::Cancelled),
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Err(Silence::Broken),
    }
}

/// The number of a refusal whose SuperLink gives words only. Words count with their class.
fn number(class: Class, text: &str) -> Option<Number> {
    match class {
        Class::Unauthenticated => [
            (UNKNOWN_NODE, Number::NodeNotRegistered),
            (NOT_THE_NODE, Number::NodeNotProven),
            (UNKNOWN_KEY, Number::KeyNotListed),
            (KEY_IN_USE, Number::PublicKeyAlreadyInUse),
            (STALE_SIGNATURE, Number::TimestampStale),
        ]
        .into_iter()
        .find_map(|(words, number)| text.starts_with(words).then_some(number)),
        Class::Precondition if text.starts_with(NO_NODE) || text.contains(NOT_ACTIVATED) => {
            Some(Number::FleetNodeActivationFailed)
        }
        Class::Precondition if text.starts_with(REGISTERED_BY_PEOPLE) => {
            Some(Number::FleetSupernodeRegistrationDisabled)
        }
        Class::Precondition if text.starts_with(KEY_IN_USE) => Some(Number::PublicKeyAlreadyInUse),
        Class::NotFound if text == UNKNOWN_RUN => Some(Number::RunIdNotFound),
        Class::NotFound if text == UNKNOWN_NODE_OF_ACCOUNT => Some(Number::NodeNotFound),
        Class::Precondition if text.starts_with(NO_FEDERATION) => {
            Some(Number::FederationNotSpecified)
        }
        Class::Precondition if text.starts_with(KEY_NOT_VALID) => Some(Number::PublicKeyNotValid),
        Class::NotOffered if !text.contains(WITHOUT) => None,
        Class::NotOffered if text.contains(ARTIFACTS) => Some(Number::NoArtifactProvider),
        Class::NotOffered => Some(Number::NoAccountAuth),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
