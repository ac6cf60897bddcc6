//! Calls of people where nobody signs in.

use flwr_core::config::{Scalar, UserConfig};
use flwr_core::id::RunId;
use flwr_daemon::apps::Identity;
use flwr_daemon::objects::Files;
use flwr_proto as proto;
use flwr_proto::upkeep::{DeleteRunRequest, DeleteRunResponse, GetUsageRequest, GetUsageResponse};
use flwr_security::key::PrivateKey;
use flwr_wire::door::{Control, ControlDoor, Exec, MAX_CONTROL_BYTES, Upkeep};
use futures::FutureExt;

use super::*;
use crate::link::Principal;
use crate::link::tests::bundle;

/// What waits for the end of work that goes on without its caller.
const DEADLINE: Duration = Duration::from_secs(10);

fn without_accounts() -> Host {
    host(link(MemoryState::default()), Policy::AnyKey, None)
}

async fn control(host: &Host, method: &str, message: &impl Message) -> Answered {
    let door = ControlDoor::<_, Control>::new(host.clone());
    let path = format!("/flwr.proto.Control/{method}");
    call_door(door, &path, HeaderMap::new(), encoded(message)).await
}

async fn exec(host: &Host, method: &str, message: &impl Message) -> Answered {
    let door = ControlDoor::<_, Exec>::new(host.clone());
    let path = format!("/flwr.proto.Exec/{method}");
    call_door(door, &path, HeaderMap::new(), encoded(message)).await
}

/// Calls Control under one of its names.
async fn either(host: &Host, is_exec: bool, method: &str, message: &impl Message) -> Answered {
    if is_exec {
        exec(host, method, message).await
    } else {
        control(host, method, message).await
    }
}

async fn upkeep(host: &Host, method: &str, message: &impl Message) -> Answered {
    let door = ControlDoor::<_, Upkeep>::new(host.clone());
    let path = format!("/flower.upkeep.Upkeep/{method}");
    call_door(door, &path, HeaderMap::new(), encoded(message)).await
}

fn encoded(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

fn start(override_config: &UserConfig) -> proto::StartRunRequest {
    proto::StartRunRequest {
        fab: Some(proto::Fab {
            content: bundle(),
            ..proto::Fab::default()
        }),
        override_config: flwr_core::config::to_wire(override_config),
        ..proto::StartRunRequest::default()
    }
}

async fn started(host: &Host) -> RunId {
    let run = host
        .link()
        .start_run(bundle(), UserConfig::new(), &Principal::Anybody);
    run.await.unwrap()
}

async fn stop(host: &Host, run: RunId) {
    host.link().stop_run(run).await.unwrap();
}

#[tokio::test]
async fn a_run_is_started_listed_and_stopped_by_either_name_of_the_service() {
    for is_exec in [false, true] {
        let host = without_accounts();
        let started = either(&host, is_exec, "StartRun", &start(&UserConfig::new())).await;
        let run_id = started.read::<proto::StartRunResponse>().run_id.unwrap();
        let one = proto::ListRunsRequest {
            run_id: Some(run_id),
            ..proto::ListRunsRequest::default()
        };
        for request in [one, proto::ListRunsRequest::default()] {
            let listed = either(&host, is_exec, "ListRuns", &request).await;
            let listed: proto::ListRunsResponse = listed.read();
            assert_eq!(listed.now, host.link().now().iso8601());
            let run = &listed.run_dict[&run_id];
            assert_eq!(run.status.as_ref().unwrap().status, "pending");
        }
        let stop = proto::StopRunRequest { run_id };
        let stopped = either(&host, is_exec, "StopRun", &stop).await;
        assert!(stopped.read::<proto::StopRunResponse>().success);
        let again = either(&host, is_exec, "StopRun", &stop).await;
        let text = format!("Run ID {run_id} is already finished");
        assert_eq!(again.said(), (Code::FailedPrecondition, &*text));
    }
}

#[tokio::test]
async fn a_run_that_is_not_there_is_not_found_by_any_call() {
    let (host, run_id) = (without_accounts(), 7);
    let stop = proto::StopRunRequest { run_id };
    let log = proto::StreamLogsRequest {
        run_id,
        after_timestamp: 0.0,
    };
    let list = proto::ListRunsRequest {
        run_id: Some(run_id),
        ..proto::ListRunsRequest::default()
    };
    for answer in [
        control(&host, "StopRun", &stop).await,
        control(&host, "StreamLogs", &log).await,
        control(&host, "ListRuns", &list).await,
        exec(&host, "StreamLogs", &log).await,
        upkeep(&host, "DeleteRun", &DeleteRunRequest { run_id }).await,
    ] {
        assert_eq!(answer.said(), (Code::NotFound, "Run ID not found"));
    }
}

#[tokio::test]
async fn a_start_is_refused_that_could_not_go_on() {
    let host = without_accounts();
    let empty = proto::StartRunRequest::default();
    let answer = control(&host, "StartRun", &empty).await;
    assert_eq!(answer.code, Code::FailedPrecondition);
    assert!(
        answer.text.starts_with("the FAB is refused"),
        "{}",
        answer.text
    );
    let unknown = UserConfig::from([("no.such.key".to_owned(), Scalar::Int(1))]);
    let answer = control(&host, "StartRun", &start(&unknown)).await;
    assert_eq!(answer.code, Code::FailedPrecondition);
    let text = &answer.text;
    assert!(
        text.starts_with("the run configuration is refused"),
        "{text}"
    );
    let large = proto::StopRunRequest { run_id: 1 };
    let mut large = large.encode_to_vec();
    large.resize(MAX_CONTROL_BYTES, 0);
    let door = ControlDoor::<_, Control>::new(host.clone());
    let path = "/flwr.proto.Control/StopRun";
    let answer = call_door(door, path, HeaderMap::new(), large.into()).await;
    assert_eq!(answer.code, Code::ResourceExhausted, "{}", answer.text);
    assert!(
        host.link()
            .runs(&Principal::Anybody)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_log_is_read_from_a_moment_to_the_end_of_its_run() {
    let host = without_accounts();
    let run = started(&host).await;
    for text in ["one\n", "two\n"] {
        host.link().push_log(run, text.to_owned()).await.unwrap();
    }
    let read = async |after_timestamp| {
        let log = proto::StreamLogsRequest {
            run_id: run.0,
            after_timestamp,
        };
        control(&host, "StreamLogs", &log).await
    };
    let (log, ()) = tokio::join!(read(0.0), async {
        host.link()
            .push_log(run, "three\n".to_owned())
            .await
            .unwrap();
        stop(&host, run).await;
    });
    let pieces: Vec<proto::StreamLogsResponse> = log.read_all();
    let text: String = pieces.iter().map(|piece| &*piece.log_output).collect();
    assert_eq!(text, "one\ntwo\nthree\n");
    let last = pieces.last().unwrap().latest_timestamp;
    let nothing: Vec<proto::StreamLogsResponse> = read(last).await.read_all();
    assert_eq!(nothing, []);
}

#[tokio::test]
async fn nodes_are_listed_with_their_keys() {
    let host = without_accounts();
    let key = PrivateKey::generate().unwrap().public_key().clone();
    let node = host.link().take_in(&key, 30.0, None).await.unwrap();
    let listed = control(&host, "ListNodes", &proto::ListNodesRequest {}).await;
    let listed: proto::ListNodesResponse = listed.read();
    let [shown] = &listed.nodes_info[..] else {
        panic!("{listed:?}");
    };
    assert_eq!((shown.node_id, &*shown.status), (node.0, "online"));
    assert_eq!(shown.public_key, key.to_pem());
    assert!(shown.online_until.unwrap() > host.link().now().as_secs());
    assert_eq!(listed.now, host.link().now().iso8601());
}

#[tokio::test]
async fn what_is_not_offered_says_so_in_the_words_that_command_lines_know() {
    let host = without_accounts();
    let artifacts = proto::PullArtifactsRequest { run_id: 7 };
    let artifacts = control(&host, "PullArtifacts", &artifacts).await;
    let text = "ControlServicer initialized without artifact provider";
    assert_eq!(artifacts.said(), (Code::Unimplemented, text));
    let text = "ControlServicer initialized without user authentication";
    let login = control(&host, "GetLoginDetails", &proto::GetLoginDetailsRequest {}).await;
    assert_eq!(login.said(), (Code::Unimplemented, text));
    let tokens = exec(
        &host,
        "GetAuthTokens",
        &proto::GetAuthTokensRequest::default(),
    )
    .await;
    assert_eq!(tokens.said(), (Code::Unimplemented, text));
    let unknown = control(&host, "NoSuchMethod", &proto::ListNodesRequest {}).await;
    assert_eq!(unknown.code, Code::Unimplemented);
}

#[tokio::test]
async fn only_a_finished_run_is_deleted() {
    let host = without_accounts();
    let run = started(&host).await;
    let delete = DeleteRunRequest { run_id: run.0 };
    let usage: GetUsageResponse = upkeep(&host, "GetUsage", &GetUsageRequest {}).await.read();
    assert_eq!((usage.runs, usage.finished_runs), (1, 0));
    assert_eq!(usage.fab_bytes, bundle().len() as u64);
    let early = upkeep(&host, "DeleteRun", &delete).await;
    assert_eq!(early.code, Code::FailedPrecondition, "{}", early.text);
    stop(&host, run).await;
    let deleted = upkeep(&host, "DeleteRun", &delete).await;
    deleted.read::<DeleteRunResponse>();
    let usage: GetUsageResponse = upkeep(&host, "GetUsage", &GetUsageRequest {}).await.read();
    assert_eq!((usage.runs, usage.fab_bytes), (0, 0));
}

/// A delete waits for the process of the ServerApp. Its caller does not.
#[tokio::test]
async fn a_change_goes_on_without_its_caller() {
    let host = without_accounts();
    let (run, link) = (started(&host).await, host.link());
    let process = Identity {
        pid: 4711,
        started: "boot:17".to_owned(),
    };
    link.set_process(run, Some(process)).await.unwrap();
    stop(&host, run).await;
    let delete = DeleteRunRequest { run_id: run.0 };
    let mut call = Box::pin(upkeep(&host, "DeleteRun", &delete));
    assert!((&mut call).now_or_never().is_none());
    drop(call);
    link.set_process(run, None).await.unwrap();
    let gone = async {
        while link.run(run).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    };
    let gone = tokio::time::timeout(DEADLINE, gone).await;
    gone.expect("the run is deleted though its caller has gone");
}

#[tokio::test]
async fn a_log_that_nobody_reads_any_more_is_let_go() {
    let host = without_accounts();
    let run = started(&host).await;
    let log = proto::StreamLogsRequest {
        run_id: run.0,
        after_timestamp: 0.0,
    };
    let mut call = Box::pin(control(&host, "StreamLogs", &log));
    assert!((&mut call).now_or_never().is_none());
    let held = Arc::strong_count(host.link());
    drop(call);
    assert!(Arc::strong_count(host.link()) < held);
}

#[tokio::test]
async fn a_log_is_sent_in_pieces_but_to_readers_of_one_answer() {
    let host = without_accounts();
    let run = started(&host).await;
    let burst: String = (0..400_000).map(|n| format!("{n:07}\n")).collect();
    host.link().push_log(run, burst.clone()).await.unwrap();
    stop(&host, run).await;
    let request = proto::StreamLogsRequest {
        run_id: run.0,
        after_timestamp: 0.0,
    };
    for (timeout, is_whole) in [("5S", true), ("60S", false)] {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", timeout.parse().unwrap());
        let door = ControlDoor::<_, Control>::new(host.clone());
        let path = "/flwr.proto.Control/StreamLogs";
        let answers = call_door(door, path, headers, encoded(&request)).await;
        let answers: Vec<proto::StreamLogsResponse> = answers.read_all();
        let texts: Vec<_> = answers.iter().map(|answer| &answer.log_output).collect();
        assert_eq!(*texts[0] == burst, is_whole, "{timeout}");
        assert!(is_whole || texts.iter().all(|text| text.len() <= 64 << 10));
        let read: String = texts.into_iter().map(String::as_str).collect();
        assert!(read == burst, "{timeout}: nothing is lost or repeated");
    }
}

#[tokio::test]
async fn a_person_hears_why_a_run_cannot_be_stored() {
    let dir = tempfile::tempdir().unwrap();
    let fabs = dir.path().join("fabs");
    let (files, _) = Files::open(&fabs, []).unwrap();
    let link = link_with_fabs(MemoryState::default(), Arc::new(files));
    let host = host(link, Policy::AnyKey, None);
    // Nothing can be written below a file.
    std::fs::remove_dir(&fabs).unwrap();
    std::fs::write(&fabs, b"").unwrap();
    let refused = control(&host, "StartRun", &start(&UserConfig::new())).await;
    assert_eq!(refused.code, Code::ResourceExhausted, "{}", refused.text);
    let named = refused.text.contains(&fabs.display().to_string());
    assert!(
        named && refused.text.contains("operator"),
        "{}",
        refused.text
    );
}
