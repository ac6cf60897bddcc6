//! Refusals and failures as gRPC statuses. Python peers read PERMISSION_DENIED as "the run is
//! over", and UNAVAILABLE as "try again". A disk that is full or fails is one to try again: nothing
//! was acknowledged, and space may return.

use flwr_core::refusal::{Class, Failure, Refusal};
use tonic::{Code, Status};

mod texts;

use texts::texts;

/// The status of a call that is refused or fails.
#[must_use]
pub fn status(failure: impl Into<Failure>) -> Status {
    match failure.into() {
        Failure::Refused(refusal) => {
            let text = texts(&refusal).unwrap_or_else(|| refusal.to_string());
            Status::new(code(class(&refusal)), text)
        }
        Failure::Answered(refused) => Status::new(code(refused.class), refused.to_string()),
        Failure::TryAgain(text) => Status::unavailable(text),
        Failure::Unanswered(unanswered) => Status::unavailable(unanswered.text),
    }
}

/// The class by which peers of flwr 1.8 to 1.22 know a refusal. Upstream's later releases, from
/// which the numbers are, class some refusals otherwise.
const fn class(refusal: &Refusal) -> Class {
    match refusal {
        // A process with a wrong token ends as if its run were over.
        Refusal::UnknownToken => Class::RunOver,
        Refusal::RunConfig(_) | Refusal::OtherRun { .. } => Class::Invalid,
        refusal => refusal.class(),
    }
}

const fn code(class: Class) -> Code {
    match class {
        Class::Invalid => Code::InvalidArgument,
        Class::Unauthenticated => Code::Unauthenticated,
        // At PERMISSION_DENIED a Python SuperNode drops the message and goes on. At other codes it ends.
        Class::Forbidden | Class::RunOver => Code::PermissionDenied,
        Class::NotFound => Code::NotFound,
        Class::Precondition => Code::FailedPrecondition,
        Class::Exists => Code::AlreadyExists,
        Class::Exhausted => Code::ResourceExhausted,
        Class::NotOffered => Code::Unimplemented,
    }
}

#[cfg(test)]
mod tests;
