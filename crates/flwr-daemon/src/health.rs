//! gRPC health checks as flwr 1.21 and 1.22 answer them: serving, whatever service is asked for;
//! watching is not offered. A daemon that can do nothing for now is not serving, so that an
//! orchestrator sends nobody there.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::Stream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

mod ask;

pub use ask::{HealthError, ask};

/// Says whether the daemon serves.
#[derive(Clone)]
pub struct Serving(Arc<dyn Fn() -> bool + Send + Sync>);

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Serving").field(&(self.0)()).finish()
    }
}

/// The service of a daemon that serves as long as it is there.
#[must_use]
pub fn service() -> HealthServer<Serving> {
    service_while(|| true)
}

/// The service of a daemon that serves while `is_serving`.
#[must_use]
pub fn service_while(
    is_serving: impl Fn() -> bool + Send + Sync + 'static,
) -> HealthServer<Serving> {
    HealthServer::new(Serving(Arc::new(is_serving)))
}

#[tonic::async_trait]
impl Health for Serving {
    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let status = if (self.0)() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        Ok(Response::new(HealthCheckResponse {
            status: status.into(),
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
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn serving_while(is_serving: impl Fn() -> bool + Send + Sync + 'static) -> Serving {
        Serving(Arc::new(is_serving))
    }

    async fn asked(serving: &Serving) -> ServingStatus {
        let request = HealthCheckRequest {
            service: "flwr.proto.Fleet".to_owned(),
        };
        let answer = serving.check(Request::new(request)).await.unwrap();
        answer.into_inner().status()
    }

    #[tokio::test]
    async fn every_service_is_serving_and_watching_is_not_offered() {
        let serving = serving_while(|| true);
        assert_eq!(asked(&serving).await, ServingStatus::Serving);
        let watching = serving
            .watch(Request::new(HealthCheckRequest::default()))
            .await;
        assert_eq!(
            watching.err().map(|status| status.code()),
            Some(tonic::Code::Unimplemented)
        );
    }

    #[tokio::test]
    async fn a_daemon_that_can_do_nothing_is_not_serving_until_it_can() {
        let works = Arc::new(AtomicBool::new(true));
        let seen = Arc::clone(&works);
        let serving = serving_while(move || seen.load(Ordering::Relaxed));
        for (does, status) in [
            (true, ServingStatus::Serving),
            (false, ServingStatus::NotServing),
            (true, ServingStatus::Serving),
        ] {
            works.store(does, Ordering::Relaxed);
            assert_eq!(asked(&serving).await, status);
        }
    }
}
