use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use flwr_core::refusal::Silence;
use flwr_proto::{StopRunRequest, StopRunResponse};
use http::HeaderValue;
use parking_lot::Mutex;
use tonic::server::Grpc as Server;
use tower::service_fn;

use super::*;

type Answer = std::result::Result<StopRunResponse, Status>;

/// What carries gRPC to a server that answers with `answer`, given what proves who calls.
fn server(
    answer: impl Fn(Option<&HeaderValue>) -> Answer + Clone + Send + Sync + 'static,
) -> impl Carries {
    service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let proof = request.headers().get("proof").cloned();
            let method = move |_: tonic::Request<StopRunRequest>| {
                let answer = answer(proof.as_ref());
                async move {
                    answer.map(|answer| {
                        let mut answer = tonic::Response::new(answer);
                        answer
                            .metadata_mut()
                            .insert("fresh", "yes".parse().unwrap());
                        answer
                    })
                }
            };
            let mut server = Server::new(ProstCodec::default());
            Ok::<_, Status>(server.unary(service_fn(method), request).await)
        }
    })
}

/// A proof with a number, the next of which is better.
#[derive(Clone, Default)]
struct Numbered {
    number: Arc<AtomicU32>,
    heard: Arc<Mutex<Vec<HeaderMap>>>,
    best: u32,
}

impl Proof for Numbered {
    const RENEWS: bool = true;

    fn prove(&self, headers: &mut HeaderMap) -> Result<()> {
        headers.insert("proof", self.number.load(Ordering::Relaxed).into());
        Ok(())
    }

    fn prove_over_http(&self, headers: &mut HeaderMap) -> Result<()> {
        self.prove(headers)
    }

    fn read(&self, headers: &HeaderMap) {
        self.heard.lock().push(headers.clone());
    }

    fn renew(&self) -> bool {
        self.number.fetch_add(1, Ordering::Relaxed) < self.best
    }
}

const STOP: &str = "/flwr.proto.Control/StopRun";

fn wants_1(proof: Option<&HeaderValue>) -> Answer {
    match proof.map(HeaderValue::as_bytes) {
        Some(b"1") => Ok(StopRunResponse { success: true }),
        _ => Err(Status::unauthenticated("Access denied")),
    }
}

#[tokio::test]
async fn a_refused_call_is_made_once_more_with_a_better_proof() {
    let proof = Numbered {
        best: 1,
        ..Numbered::default()
    };
    let line = GrpcLine::new(server(wants_1), proof.clone());
    let request = StopRunRequest { run_id: 7 };
    let answer: StopRunResponse = line.call(STOP, request, None).await.unwrap();
    assert!(answer.success);
    let heard = proof.heard.lock();
    assert_eq!(heard.len(), 2, "of the refusal and of the answer");
    assert_eq!(heard[1]["fresh"], "yes");
}

#[tokio::test]
async fn a_call_is_refused_if_there_is_no_better_proof() {
    for proof in [
        Numbered::default(),
        Numbered {
            best: 1,
            number: Arc::new(2.into()),
            ..Numbered::default()
        },
    ] {
        let line = GrpcLine::new(server(wants_1), proof.clone());
        let answer: Result<StopRunResponse> =
            line.call(STOP, StopRunRequest { run_id: 7 }, None).await;
        assert_eq!(answer.unwrap_err().class(), Some(Class::Unauthenticated));
        assert_eq!(proof.heard.lock().len(), 1);
    }
    let line = GrpcLine::new(server(wants_1), Nobody);
    let answer: Result<StopRunResponse> = line.call(STOP, StopRunRequest { run_id: 7 }, None).await;
    assert_eq!(answer.unwrap_err().to_string(), "Access denied");
}

#[tokio::test]
async fn a_stream_gives_its_answers_and_then_why_it_ended() {
    let stops = |_: tonic::Request<StopRunRequest>| async {
        let answers = [
            Ok(StopRunResponse { success: true }),
            Err(Status::unavailable("restarting")),
        ];
        Ok(tonic::Response::new(futures::stream::iter(answers)))
    };
    let service = service_fn(move |request: Request<Body>| async move {
        let mut server = Server::new(ProstCodec::default());
        Ok::<_, Status>(server.server_streaming(service_fn(stops), request).await)
    });
    let line = GrpcLine::new(service, Nobody);
    let answers = line.stream(STOP, StopRunRequest { run_id: 7 }, None);
    let mut answers: Answers<StopRunResponse> = answers.await.unwrap();
    assert!(answers.next().await.unwrap().unwrap().success);
    match answers.next().await.unwrap() {
        Err(Failure::Unanswered(unanswered)) => assert_eq!(unanswered.why, Silence::Busy),
        other => panic!("{other:?}"),
    }
    assert!(answers.next().await.is_none());
}
