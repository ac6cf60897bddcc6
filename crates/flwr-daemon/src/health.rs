//! gRPC health checks as flwr 1.21 and 1.22 answer them: always serving, whatever service is
//! asked for; watching is not offered.

use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// Says that the daemon is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serving;

/// The service to put into a listener's routes.
#[must_use]
pub fn service() -> HealthServer<Serving> {
    HealthServer::new(Serving)
}

#[tonic::async_trait]
impl Health for Serving {
    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse {
            status: ServingStatus::Serving.into(),
        }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("Watch is not implemented"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_service_is_serving_and_watching_is_not_offered() {
        let asked = HealthCheckRequest {
            service: "flwr.proto.Fleet".to_owned(),
        };
        let answer = Serving
            .check(Request::new(asked))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
        let watching = Serving
            .watch(Request::new(HealthCheckRequest::default()))
            .await;
        assert_eq!(
            watching.err().map(|status| status.code()),
            Some(tonic::Code::Unimplemented)
        );
    }
}
