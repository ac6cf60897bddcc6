//! What the SuperLink's "no" means for the user, by the class of the refusal.

use flwr_core::refusal::{Class, Code, Failure, Refused, Silence, Unanswered};

use super::suffix;

/// What the answer of a SuperLink means for the user. An answer that is no refusal is a failure of
/// the SuperLink or of the way there.
pub(super) fn explain(failure: &Failure) -> String {
    match failure {
        Failure::Answered(refused) => refusal(refused),
        Failure::Unanswered(unanswered) => silence(unanswered),
        Failure::Refused(_) | Failure::TryAgain(_) => failure.to_string(),
    }
}

fn silence(unanswered: &Unanswered) -> String {
    let text = &unanswered.text;
    let why = suffix(text);
    match unanswered.why {
        Silence::Connection | Silence::Busy => format!(
            "Connection to the SuperLink is unavailable. Please check your network connection and 'address' in \
             the federation configuration. ({text})"
        ),
        Silence::Late => format!("the SuperLink did not answer in time{why}"),
        Silence::Cancelled => format!("the SuperLink cancelled the call{why}"),
        Silence::Broken => format!("the SuperLink failed at this call{why}"),
    }
}

fn refusal(refused: &Refused) -> String {
    match refused.class {
        Class::Unauthenticated => format!(
            "Authentication failed. Please run `flwr login` to authenticate and try again. ({refused})"
        ),
        Class::Forbidden | Class::RunOver => format!("Permission denied.\n{refused}"),
        Class::NotFound if refused.code == Some(Code::RunIdNotFound) => "Run ID not found.".into(),
        // A SuperLink without the method, or of a release that gives no numbers.
        Class::NotOffered if refused.code.is_none() => {
            "The SuperLink cannot process this request. Please verify that you set the address to its Control API \
             endpoint correctly in your `pyproject.toml`, and ensure that the Flower versions used by the CLI and \
             SuperLink are compatible."
                .into()
        }
        Class::Invalid
        | Class::NotFound
        | Class::Precondition
        | Class::Exists
        | Class::Exhausted
        | Class::NotOffered => {
            format!("the SuperLink refused: {refused} ({})", word(refused.class))
        }
    }
}

/// The word for a class, as gRPC has it.
const fn word(class: Class) -> &'static str {
    match class {
        Class::Invalid => "InvalidArgument",
        Class::Unauthenticated => "Unauthenticated",
        Class::Forbidden | Class::RunOver => "PermissionDenied",
        Class::NotFound => "NotFound",
        Class::Precondition => "FailedPrecondition",
        Class::Exists => "AlreadyExists",
        Class::Exhausted => "ResourceExhausted",
        Class::NotOffered => "Unimplemented",
    }
}
