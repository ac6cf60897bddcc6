//! INTERIM
use flwr_core::cause::chain;
use flwr_core::refusal::{Failure, Refusal};
use prost::DecodeError;
use tonic::{Code, Status};

pub fn status(failure: &Failure) -> Status {
    match failure {
        Failure::TryAgain(text) => Status::unavailable(text.clone()),
        Failure::Refused(Refusal::Interim(code, text)) => {
            Status::new(Code::from(*code), text.clone())
        }
        Failure::Refused(Refusal::OtherNode { .. } | Refusal::AccessDenied) => {
            Status::unauthenticated(chain(failure))
        }
        Failure::Refused(Refusal::UnknownToken | Refusal::TlsRequired) => {
            Status::permission_denied(chain(failure))
        }
        Failure::Refused(Refusal::UnexpectedNode(_)) => Status::failed_precondition(chain(failure)),
        Failure::Refused(_) => Status::invalid_argument(chain(failure)),
    }
}

pub(super) fn unreadable(error: &DecodeError) -> Failure {
    Refusal::Interim(Code::Internal as i32, error.to_string()).into()
}
