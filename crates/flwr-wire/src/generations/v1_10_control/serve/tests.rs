//! The messages of pip's flwr, byte for byte: see `vectors/README.md`.

use bytes::Bytes;
use flwr_core::config::{Scalar, UserConfig};
use flwr_core::port::control::{Login, Tokens, Usage};
use flwr_core::run::{Phase, Run, RunStatus};
use futures::TryStreamExt;
use prost::Message;

use super::*;

/// The run of the requests: beyond what a signed number holds.
const RUN: RunId = RunId((1 << 63) + 1);
const AT: Timestamp = Timestamp::from_secs(1_750_000_000.25);

/// The recorded message with this name.
fn recorded(name: &str) -> Bytes {
    let lines = include_str!("../vectors/messages.txt").lines();
    let mut named = lines.filter_map(|line| line.split_once(' '));
    let (_, text) = named.find(|(found, _)| *found == name).unwrap();
    hex::decode(text).unwrap().into()
}

/// A recorded request.
fn request<M: Message + Default>(name: &str) -> Request<M> {
    let request = Request {
        message: recorded(name),
        patience: Duration::ZERO,
        now: AT,
        superexec: None,
        token: None,
    };
    request.decoded().unwrap()
}

/// A person, to whom everything is answered.
struct Person;

/// A log of one entry.
struct Log(Option<LogEntry>);

impl LogReader for Log {
    async fn next(&mut self) -> Result<Option<LogEntry>> {
        Ok(self.0.take())
    }
}

fn run() -> Run {
    Run {
        id: RunId(7),
        fab_id: "a/b".to_owned(),
        fab_version: "1.0.0".to_owned(),
        fab_hash: "ab".to_owned(),
        account: String::new(),
        override_config: UserConfig::new(),
        status: RunStatus::plain(Phase::Pending),
        pending_at: AT,
        starting_at: None,
        running_at: None,
        finished_at: None,
    }
}

impl Control for Person {
    type Log = Log;

    async fn start(&self, start: Start) -> Result<Option<RunId>> {
        assert_eq!(start.fab, [1, 2].as_slice());
        let overrides = [
            ("lr", Scalar::Float(0.5)),
            ("name", Scalar::Text("a".to_owned())),
            ("rounds", Scalar::Int(-3)),
            ("shuffle", Scalar::Bool(true)),
        ];
        let overrides = overrides.map(|(key, value)| (key.to_owned(), value));
        assert_eq!(start.overrides, UserConfig::from(overrides));
        Ok(Some(RUN))
    }

    async fn stop(&self, run: RunId) -> Result<bool> {
        assert_eq!(run, RUN);
        Ok(true)
    }

    async fn runs(&self, only: Option<RunId>) -> Result<Runs> {
        assert!(only.is_none_or(|run| run == RUN));
        Ok(Runs {
            runs: vec![run()],
            now: Some(AT + 1.0),
        })
    }

    async fn log(&self, run: RunId, after: Timestamp) -> Result<Log> {
        assert_eq!((run, after), (RUN, AT));
        let text = "one\n".to_owned();
        Ok(Log(Some(LogEntry { at: AT, text })))
    }

    async fn artifacts(&self, run: RunId) -> Result<Option<String>> {
        assert_eq!(run, RunId(7));
        Ok(None)
    }

    async fn nodes(&self) -> Result<Vec<NodeInfo>> {
        Ok(Vec::new())
    }

    async fn delete(&self, _: RunId) -> Result<()> {
        Ok(())
    }

    async fn usage(&self) -> Result<Usage> {
        Ok(Usage::default())
    }
}

impl SignIn for Person {
    async fn login(&self) -> Result<Login> {
        Ok(Login {
            auth_type: "oidc".to_owned(),
            device_code: "code".to_owned(),
            place: "https://a/b".to_owned(),
            expires_in: Duration::from_secs(600),
            interval: Duration::from_secs(5),
        })
    }

    async fn tokens(&self, device_code: &str) -> Result<Option<Tokens>> {
        assert_eq!(device_code, "code");
        Ok(Some(Tokens {
            access: "a".to_owned(),
            refresh: "b".to_owned(),
        }))
    }
}

#[tokio::test]
async fn runs_are_started_stopped_and_listed() {
    let started = start_run(Person, request("start")).await.unwrap();
    assert_eq!(started.encode_to_vec(), recorded("started"));
    let stopped = stop_run(Person, request("stop")).await.unwrap();
    assert_eq!(stopped.encode_to_vec(), recorded("stopped"));
    for name in ["list", "all"] {
        let runs = list_runs(Person, request(name)).await.unwrap();
        assert_eq!(runs.encode_to_vec(), recorded("runs"));
    }
}

#[tokio::test]
async fn a_log_is_read_to_its_end() {
    let log = stream_logs(Person, request("logs")).await.unwrap();
    let entries: Vec<_> = log.try_collect().await.unwrap();
    let [entry] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert_eq!(entry.encode_to_vec(), recorded("log"));
}

#[tokio::test]
async fn a_run_without_artifacts_has_an_empty_answer() {
    let pulled = pull_artifacts(Person, request("pull")).await.unwrap();
    assert_eq!(pulled.encode_to_vec(), [] as [u8; 0]);
}

#[tokio::test]
async fn a_person_logs_in() {
    let empty = Request {
        message: proto::GetLoginDetailsRequest {},
        patience: Duration::ZERO,
        now: AT,
        superexec: None,
        token: None,
    };
    let login = get_login_details(Person, empty).await.unwrap();
    assert_eq!(login.encode_to_vec(), recorded("login"));
    let tokens = get_auth_tokens(Person, request("poll")).await.unwrap();
    assert_eq!(tokens.encode_to_vec(), recorded("tokens"));
}
