//! What the SuperLink's "no" means for the user, by the class of the refusal.

use flwr_client::refused::Refused as Words;
use flwr_core::refusal::{Class, Code as Number, Refused};
use tonic::{Code, Status};

/// What the answer of a SuperLink means for the user. An answer that is no refusal is a failure of
/// the SuperLink or of the way there.
pub(super) fn explain(status: &Status) -> String {
    let (code, text) = (status.code(), status.message());
    match class(code) {
        Some(class) => refusal(&Refused::read(class, text), status),
        None if code == Code::Unavailable => format!(
            "Connection to the SuperLink is unavailable. Please check your network connection and 'address' in \
             the federation configuration. ({text})"
        ),
        None => format!("the SuperLink refused: {text} ({code:?})"),
    }
}

fn refusal(refused: &Refused, status: &Status) -> String {
    match refused.class {
        Class::Unauthenticated => format!(
            "Authentication failed. Please run `flwr login` to authenticate and try again. ({refused})"
        ),
        Class::Forbidden | Class::RunOver => format!("Permission denied.\n{refused}"),
        Class::NotFound if is_run(refused, status) => "Run ID not found.".into(),
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
        | Class::NotOffered => format!("the SuperLink refused: {refused} ({:?})", status.code()),
    }
}

/// Whether a run is what was not found. SuperLinks that give no numbers say so in words.
fn is_run(refused: &Refused, status: &Status) -> bool {
    refused.code == Some(Number::RunIdNotFound) || Words::of(status) == Words::UnknownRun
}

/// The class of a gRPC code. `None`: the code is a failure's.
const fn class(code: Code) -> Option<Class> {
    match code {
        Code::InvalidArgument | Code::OutOfRange => Some(Class::Invalid),
        Code::Unauthenticated => Some(Class::Unauthenticated),
        Code::PermissionDenied => Some(Class::Forbidden),
        Code::NotFound => Some(Class::NotFound),
        Code::FailedPrecondition => Some(Class::Precondition),
        Code::AlreadyExists => Some(Class::Exists),
        Code::ResourceExhausted => Some(Class::Exhausted),
        Code::Unimplemented => Some(Class::NotOffered),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => None,
    }
}
