use std::collections::VecDeque;
use std::sync::Arc;

use flwr_core::monotonic;
use flwr_core::port::control::{LogEntry, LogReader};
use flwr_core::refusal::{Class, Failure, Refused, Silence, Unanswered};
use flwr_core::run::Phase;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use prost::Message;

use super::super::exec_path;
use super::*;
use crate::line::Answers;

/// What a SuperLink does with one call: gives messages, and then ends the call, fails, or says
/// nothing more.
struct Script {
    messages: Vec<Vec<u8>>,
    end: Option<Result<()>>,
}

/// A method's path, and the bytes of its message.
type Called = (&'static str, Vec<u8>);

/// A SuperLink whose answers are known before.
#[derive(Clone, Default)]
struct Scripted {
    calls: Arc<Mutex<Vec<Called>>>,
    answers: Arc<Mutex<VecDeque<Script>>>,
}

impl Scripted {
    fn then(self, messages: &[impl Message], end: Option<Result<()>>) -> Self {
        let messages = messages.iter().map(Message::encode_to_vec).collect();
        self.answers.lock().push_back(Script { messages, end });
        self
    }

    fn answers(self, message: &impl Message) -> Self {
        self.then(std::slice::from_ref(message), Some(Ok(())))
    }

    fn next(&self, path: &'static str, message: &impl Message) -> Script {
        self.calls.lock().push((path, message.encode_to_vec()));
        self.answers
            .lock()
            .pop_front()
            .expect("a call more than expected")
    }
}

impl Line for Scripted {
    async fn call<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        _: Option<Duration>,
    ) -> Result<A> {
        let Script { messages, end } = self.next(path, &message);
        match end {
            Some(Err(failure)) => Err(failure),
            _ => Ok(A::decode(messages[0].as_slice()).unwrap()),
        }
    }

    async fn stream<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        _: Option<Duration>,
    ) -> Result<Answers<A>> {
        let Script { messages, end } = self.next(path, &message);
        let read = |message: Vec<u8>| Ok(A::decode(message.as_slice()).unwrap());
        let messages = stream::iter(messages.into_iter().map(read));
        Ok(match end {
            None => messages.chain(stream::pending()).boxed(),
            Some(Ok(())) => messages.boxed(),
            Some(Err(failure)) => messages.chain(stream::iter([Err(failure)])).boxed(),
        })
    }
}

fn unanswered(why: Silence) -> Option<Result<()>> {
    Some(Err(Unanswered::new(why, "why").into()))
}

fn entry(at: f64) -> proto::StreamLogsResponse {
    proto::StreamLogsResponse {
        log_output: format!("line {at}\n"),
        latest_timestamp: at,
    }
}

fn run(status: &str, sub_status: &str) -> proto::ListRunsResponse {
    let run = proto::Run {
        run_id: 7,
        pending_at: "2026-11-20T09:00:00+00:00".to_owned(),
        status: Some(proto::RunStatus {
            status: status.to_owned(),
            sub_status: sub_status.to_owned(),
            details: String::new(),
        }),
        ..proto::Run::default()
    };
    proto::ListRunsResponse {
        run_dict: [(7, run)].into(),
        now: String::new(),
    }
}

/// The log of run 7, to its end, and the moments after which it was asked for.
async fn read_log(superlink: &Scripted) -> (Vec<f64>, Result<()>, Vec<f64>) {
    let mut read = Vec::new();
    let mut log = control_over(superlink.clone())
        .log(RunId(7), Timestamp::ZERO)
        .await
        .unwrap();
    let ended = loop {
        match log.next().await {
            Ok(Some(LogEntry { at, .. })) => read.push(at.as_secs()),
            Ok(None) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    let calls = superlink.calls.lock();
    let asked = calls.iter().filter(|call| call.0.ends_with("/StreamLogs"));
    let after = |body: &[u8]| {
        proto::StreamLogsRequest::decode(body)
            .unwrap()
            .after_timestamp
    };
    (read, ended, asked.map(|call| after(&call.1)).collect())
}

#[tokio::test]
async fn a_run_is_started_with_the_bytes_of_pips_flwr() {
    // Printed by flwr 1.22.0: StartRunRequest of the FAB "foo", overrides and options.
    let recorded = "0a470a40326332366234366236386666633638666639396234353363316433303431333431333432326437303634383362666130663938613565383836323636653761651203666f6f120f0a026c72120909000000000000e03f120c0a06726f756e6473120240061a310a190a0c6261636b656e642e63707573120909000000000000f83f0a140a0e6e756d2d73757065726e6f64657312021004";
    let answer = proto::StartRunResponse {
        run_id: Some(7),
        ..proto::StartRunResponse::default()
    };
    let superlink = Scripted::default().answers(&answer);
    let config = |pairs: &str| config::flatten(&pairs.parse().unwrap()).unwrap();
    let start = Start {
        fab: "foo".into(),
        overrides: config("lr = 0.5\nrounds = 3"),
        options: config("num-supernodes = 2\nbackend.cpus = 1.5"),
        ..Start::default()
    };
    let run = control_over(superlink.clone()).start(start).await.unwrap();
    assert_eq!(run, Some(RunId(7)));
    let calls = superlink.calls.lock();
    assert_eq!(calls[0].0, "/flwr.proto.Control/StartRun");
    assert_eq!(hex::encode(&calls[0].1), recorded);
}

#[tokio::test]
async fn a_run_without_options_leaves_their_field_out() {
    let answer = proto::StartRunResponse::default();
    let superlink = Scripted::default().answers(&answer);
    let start = Start {
        fab: "foo".into(),
        federation: "@none/default".to_owned(),
        ..Start::default()
    };
    let run = control_over(superlink.clone()).start(start).await.unwrap();
    assert_eq!(run, None);
    let body = superlink.calls.lock()[0].1.clone();
    let request = proto::StartRunRequest::decode(body.as_slice()).unwrap();
    assert_eq!(request.federation, "@none/default");
    assert!(!crate::raw::has_bytes(&body.into(), 3));
}

#[tokio::test]
async fn a_node_is_registered_by_its_key_and_unregistered_by_its_id() {
    let registered = proto::RegisterNodeResponse { node_id: Some(7) };
    let superlink = Scripted::default()
        .answers(&registered)
        .answers(&proto::RegisterNodeResponse::default())
        .answers(&proto::UnregisterNodeResponse {});
    let control = control_over(superlink.clone());
    let node = NewNode {
        key: vec![0, 0, 0].into(),
        name: Some("north".to_owned()),
        location: None,
    };
    assert_eq!(control.enroll(node.clone()).await.unwrap(), Some(NodeId(7)));
    assert_eq!(control.enroll(node).await.unwrap(), None);
    control.dismiss(NodeId(7)).await.unwrap();
    let calls = superlink.calls.lock();
    let request = proto::RegisterNodeRequest::decode(calls[0].1.as_slice()).unwrap();
    assert!(
        request
            .public_key
            .starts_with(b"-----BEGIN PUBLIC KEY-----\n")
    );
    assert_eq!(request.name.as_deref(), Some("north"));
    assert_eq!(calls[2].0, "/flwr.proto.Control/UnregisterNode");
    let request = proto::UnregisterNodeRequest::decode(calls[2].1.as_slice()).unwrap();
    assert_eq!(request.node_id, 7);
}

#[tokio::test]
async fn runs_of_pips_superlink_are_read_oldest_first() {
    // Printed by flwr 1.22.0: ListRunsResponse with runs 7 and 3.
    let recorded = "0a6e0807126a080712077075622f6170701a05312e302e302a0261623219323032362d31312d32305430393a33303a30302b30303a30304a19323032362d31312d32305430393a33313a30302b30303a303052150a0866696e69736865641209636f6d706c657465645a05616c6963650a6908031265080312077075622f6170701a05312e302e302a0261623220323032362d31312d32305430393a30303a30302e3235303030302b30303a30304219323032362d31312d32305430393a30313a30302b30303a303052090a0772756e6e696e675a05616c6963651220323032362d31312d32305431303a30303a30312e3030303030302b30303a3030";
    let recorded = hex::decode(recorded).unwrap();
    let answer = proto::ListRunsResponse::decode(recorded.as_slice()).unwrap();
    let superlink = Scripted::default().answers(&answer);
    let Runs { runs, now, .. } = control_over(superlink).runs(None).await.unwrap();
    assert_eq!(now.unwrap().iso8601(), "2026-11-20T10:00:01.000000+00:00");
    let ids: Vec<_> = runs.iter().map(|run| run.id.0).collect();
    assert_eq!(ids, [3, 7]);
    assert_eq!(runs[0].status.phase, Phase::Running);
    assert_eq!(runs[0].finished_at, None);
    assert_eq!(runs[1].status.phase.to_string(), "finished:completed");
    assert_eq!(
        (runs[1].account.as_str(), runs[1].fab_id.as_str()),
        ("alice", "pub/app")
    );
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_named() {
    let superlink = Scripted::default().answers(&run("done", ""));
    let failure = control_over(superlink).runs(None).await.unwrap_err();
    let text = failure.to_string();
    assert!(text.contains("run 7: \"done\" is not the status"), "{text}");
    let mut undated = run("running", "");
    undated.run_dict.get_mut(&7).unwrap().pending_at.clear();
    let superlink = Scripted::default().answers(&undated);
    let failure = control_over(superlink).runs(None).await.unwrap_err();
    assert!(failure.to_string().contains("run 7: `pending_at` is \"\""));
}

#[tokio::test]
async fn an_unfinished_login_has_no_tokens() {
    let half = proto::GetAuthTokensResponse {
        access_token: "A".to_owned(),
        ..proto::GetAuthTokensResponse::default()
    };
    let whole = proto::GetAuthTokensResponse {
        refresh_token: "R".to_owned(),
        ..half.clone()
    };
    let superlink = Scripted::default().answers(&half).answers(&whole);
    let control = control_over(superlink);
    assert_eq!(control.tokens("D").await.unwrap(), None);
    let tokens = control.tokens("D").await.unwrap().unwrap();
    assert_eq!(
        (tokens.access.as_str(), tokens.refresh.as_str()),
        ("A", "R")
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_goes_on_after_what_was_read_when_its_call_ends_in_time() {
    let late = unanswered(Silence::Late);
    let superlink = Scripted::default()
        .then(&[entry(1.0)], late.clone())
        // This call is silent, so that this side ends it.
        .then(&[entry(2.0)], None)
        .then(&[entry(3.0)], Some(Ok(())));
    let begun = monotonic::now();
    let (read, ended, asked) = read_log(&superlink).await;
    ended.unwrap();
    assert_eq!(read, [1.0, 2.0, 3.0]);
    assert_eq!(asked, [0.0, 1.0, 2.0]);
    assert!(begun.elapsed() >= Duration::from_secs(60));
}

#[tokio::test]
async fn a_cancelled_log_is_complete_if_the_run_is_over() {
    let cancelled = || unanswered(Silence::Cancelled);
    let superlink = Scripted::default()
        .then(&[entry(1.0)], cancelled())
        .answers(&run("finished", "completed"));
    let (read, ended, _) = read_log(&superlink).await;
    assert_eq!((read, ended), (vec![1.0], Ok(())));
    let superlink = Scripted::default()
        .then(&[entry(1.0)], cancelled())
        .answers(&run("running", ""));
    let (_, ended, _) = read_log(&superlink).await;
    assert!(ended.is_err());
}

#[tokio::test]
async fn a_refusal_ends_a_log() {
    let refused = Refused::read(Class::NotFound, "Run ID not found");
    let end = Some(Err(Failure::from(refused.clone())));
    let superlink = Scripted::default().then(&[entry(1.0)], end);
    let (read, ended, _) = read_log(&superlink).await;
    assert_eq!((read, ended), (vec![1.0], Err(refused.into())));
}

#[test]
fn exec_has_the_methods_of_flwr_1_20() {
    let started = exec_path("/flwr.proto.Control/StartRun");
    assert_eq!(started, Some("/flwr.proto.Exec/StartRun"));
    for path in [
        "/flwr.proto.Control/ListNodes",
        "/flower.upkeep.Upkeep/GetUsage",
    ] {
        assert_eq!(exec_path(path), None);
    }
}
