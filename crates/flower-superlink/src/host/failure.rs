//! INTERIM
use crate::error::Error;
use flwr_core::refusal::{Failure, Refusal};
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = tonic::Status::from(error);
        Refusal::Interim(status.code() as i32, status.message().to_owned()).into()
    }
}
