//! How long a caller waits for its answer.

use std::time::Duration;

use tonic::Request;

/// How long a call may be held, for the answer to be in time.
pub(crate) fn of<T>(request: &Request<T>) -> Duration {
    flwr_wire::carrier::grpc::patience(request.metadata().as_ref())
}
