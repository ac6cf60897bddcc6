//! What each error is on the wire. Python peers read PERMISSION_DENIED as "the run is over", and
//! UNAVAILABLE as "try again": no other error may use these two. A disk that is full or fails
//! is one to try again: nothing was acknowledged, and space may return.

use flwr_core::cause::chain;
use flwr_core::run::{Outcome, Phase};
use tonic::{Code, Status};
use tracing::error;

use crate::accounts::Denied;
use crate::error::Error;
use crate::link::state::{Refusal, StateError};

impl From<Denied> for Status {
    fn from(denied: Denied) -> Self {
        let code = match denied {
            Denied::Nobody | Denied::UnknownLogin => Code::Unauthenticated,
            Denied::NotListed | Denied::LoginDenied | Denied::Refuses | Denied::Tokens(_) => {
                Code::PermissionDenied
            }
            // Python's `flwr` hangs when a login meets a code that it does not expect.
            Denied::Away | Denied::TooMany => Code::Unavailable,
        };
        Self::new(code, denied.to_string())
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let code = code(&error);
        match error {
            Error::State(StateError::Refused(Refusal::RunIs { phase, .. })) => {
                Self::new(code, run_is(phase))
            }
            error => {
                let text = chain(&error);
                if is_our_fault(&error) {
                    error!(error = text, "request failed");
                }
                Self::new(code, text)
            }
        }
    }
}

/// The operator has to hear of it.
const fn is_our_fault(error: &Error) -> bool {
    matches!(
        error,
        Error::State(StateError::Broken(_)) | Error::Bytes(_) | Error::Random | Error::Full { .. }
    )
}

fn code(error: &Error) -> Code {
    match error {
        Error::State(StateError::Refused(refusal)) => refusal_code(refusal),
        Error::State(StateError::Broken(_)) | Error::Bytes(_) | Error::Stopping => {
            Code::Unavailable
        }
        Error::Random => Code::Internal,
        Error::Full { .. } => Code::ResourceExhausted,
        Error::Field { .. }
        | Error::Malformed(_)
        | Error::NoTree(_)
        | Error::Tree(_)
        | Error::ObjectId(_)
        | Error::Status(_)
        | Error::Fab(_)
        | Error::RunConfig(_)
        | Error::OtherRun { .. } => Code::InvalidArgument,
        Error::Object { .. }
        | Error::ObjectChildren(_)
        | Error::Precondition(_)
        | Error::AlreadyFinished(_)
        | Error::NotFinished { .. } => Code::FailedPrecondition,
        Error::UnknownFab(_) => Code::NotFound,
        Error::NoAccount | Error::RunOfNobody | Error::RunOfAnother => Code::PermissionDenied,
        Error::OtherNode { .. } => Code::Unauthenticated,
    }
}

const fn refusal_code(refusal: &Refusal) -> Code {
    match refusal {
        // A run that is not known any more is over, as far as its peers are concerned: with
        // this code a Python SuperNode drops the message and goes on, with others it ends.
        Refusal::UnknownRun(_) | Refusal::RunIs { .. } | Refusal::UnknownToken => {
            Code::PermissionDenied
        }
        Refusal::Transition { .. }
        | Refusal::UnknownInstruction(_)
        | Refusal::AlreadyAnswered(_)
        | Refusal::HasToken(_)
        | Refusal::ProcessLives(_)
        | Refusal::ResumedBefore(_) => Code::FailedPrecondition,
        Refusal::ReplyOutlivesInstruction { .. } | Refusal::ObjectDiffers(_) => {
            Code::InvalidArgument
        }
    }
}

/// In flwr 1.22's words.
fn run_is(phase: Phase) -> String {
    let stopped = phase == Phase::Finished(Outcome::Stopped);
    format!(
        "Run is {}.{}",
        phase.name(),
        if stopped { " Stopped by user." } else { "" }
    )
}

#[cfg(test)]
mod tests {
    use flwr_core::id::RunId;

    use super::*;

    fn status(error: impl Into<Error>) -> (Code, String) {
        let status = Status::from(error.into());
        (status.code(), status.message().to_owned())
    }

    #[test]
    fn a_run_that_is_not_running_is_told_in_the_peers_words() {
        let run = RunId(7);
        let cases = [
            (Phase::Pending, "Run is pending."),
            (Phase::Finished(Outcome::Completed), "Run is finished."),
            (
                Phase::Finished(Outcome::Stopped),
                "Run is finished. Stopped by user.",
            ),
        ];
        for (phase, text) in cases {
            let expected = (Code::PermissionDenied, text.to_owned());
            assert_eq!(status(Refusal::RunIs { run, phase }), expected);
        }
    }

    #[test]
    fn a_caller_without_an_account_is_told_in_the_peers_words() {
        // flwr 1.22's text begins with a sign that nobody sees.
        let text =
            "\u{fe0f}\u{26d4}\u{fe0f} User authentication is enabled, but `flwr_aid` is None";
        let expected = (Code::PermissionDenied, text.to_owned());
        assert_eq!(status(Error::NoAccount), expected);
    }

    #[test]
    fn causes_stand_on_the_same_line() {
        let error = Error::Fab(flwr_core::fab::FabError::Missing("pyproject.toml"));
        let expected =
            "the FAB is refused: FAB file has incorrect format: pyproject.toml is missing";
        assert_eq!(status(error), (Code::InvalidArgument, expected.to_owned()));
    }
}
