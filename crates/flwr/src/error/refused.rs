//! What the SuperLink's "no" means for the user, by the class of the refusal.

use flwr_client::channel::{connect_error, proxied};
use flwr_core::cause::words;
use flwr_core::printable;
use flwr_core::refusal::{Class, Code, Failure, Refused, Silence, Unanswered};

use super::suffix;

/// What a refusal of the SuperLink, or a failure to reach it, means for the user.
pub(super) fn explain(failure: &Failure) -> String {
    if let Some(error) = connect_error(failure) {
        let error = printable::line(&error.to_string());
        return format!("Connection to the SuperLink is unavailable: {error}");
    }
    if let Some(answer) = proxied(failure) {
        let answer = printable::line(&answer.to_string());
        return format!("Connection to the SuperLink is unavailable: {answer}");
    }
    if let Some(cause) = broken(failure) {
        return format!(
            "The connection to the SuperLink broke off ({cause}). Check that `address` is its Control API, and \
             that the federation says what it expects: TLS (`root-certificates`) or plaintext (`insecure = true`)"
        );
    }
    meaning(failure)
}

/// What broke the line. What a SuperLink answers has no cause.
fn broken(failure: &Failure) -> Option<String> {
    let causes = std::iter::successors(std::error::Error::source(failure), |error| error.source());
    causes.last().map(|cause| printable::line(&words(cause)))
}

/// What the answer of a SuperLink means for the user. An answer that is no refusal is a failure of
/// the SuperLink or of the way there.
fn meaning(failure: &Failure) -> String {
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
        Class::NotOffered if refused.is_unknown_method() => {
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
