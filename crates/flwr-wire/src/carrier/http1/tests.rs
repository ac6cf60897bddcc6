//! Requests and answers as clients and servers of flwr 1.41 and 1.42 write them, byte for byte.

use flwr_core::id::{NodeId, RunId};
use flwr_core::refusal::{Feature, Refusal};
use flwr_proto as proto;
use futures::stream;
use http_body_util::BodyExt;

use super::*;
use crate::in_flight::NoRoom;

fn request(headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::post("/v1/fleet/pull-messages");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

async fn written(response: Response<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[track_caller]
fn refused(accepted: Accepted) -> Response<Body> {
    *accepted.expect_err("the request is accepted")
}

#[test]
fn a_call_is_a_post_that_no_web_page_makes() {
    assert!(accept(&request(&[("user-agent", "python-httpx/0.28.1")])).is_ok());
    for header in [
        ("origin", "http://localhost:8000"),
        ("origin", "null"),
        ("sec-fetch-site", "same-origin"),
        ("Sec-Fetch-Mode", "cors"),
    ] {
        let response = refused(accept(&request(&[header])));
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{header:?}");
    }
    let mut get = request(&[]);
    *get.method_mut() = Method::GET;
    let response = refused(accept(&get));
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "POST");
}

#[tokio::test]
async fn the_body_is_a_message_by_its_type() {
    for kind in [
        "application/protobuf",
        "Application/Protobuf; charset=utf-8",
        "application/protobuf;x=y",
    ] {
        assert!(accept_content(&request(&[("content-type", kind)])).is_ok());
    }
    for headers in [&[("content-type", "application/json")][..], &[]] {
        let response = refused(accept_content(&request(headers)));
        let text = r#"{"code":1002,"detail":"Unsupported Content-Type."}"#;
        assert_eq!(written(response).await, (415, text.to_owned()));
    }
}

#[tokio::test]
async fn an_app_tells_its_release() {
    let all = [
        ("flwr-package-name", "flwr"),
        ("flwr-package-version", "1.42.0"),
        ("flwr-component-name", "flwr-serverapp"),
    ];
    assert!(accept_app(&request(&all)).is_ok());
    for at in 0..all.len() {
        let mut some = all.to_vec();
        let (name, _) = some.remove(at);
        let text = format!(
            r#"{{"code":1001,"detail":"Runtime version compatibility check failed.","extra":"Invalid Flower runtime metadata: Metadata key '{name}' is missing."}}"#
        );
        assert_eq!(
            written(refused(accept_app(&request(&some)))).await,
            (412, text)
        );
    }
    for (version, extra) in [
        (
            "latest",
            "Peer Flower version metadata cannot be parsed: 'latest'.",
        ),
        (
            "",
            "Invalid Flower runtime metadata: Metadata key 'flwr-package-version' is missing.",
        ),
    ] {
        let mut odd = all;
        odd[1].1 = version;
        let text = format!(
            r#"{{"code":1001,"detail":"Runtime version compatibility check failed.","extra":"{extra}"}}"#
        );
        let response = refused(accept_app(&request(&odd)));
        assert_eq!(written(response).await, (412, text), "{version:?}");
    }
}

#[tokio::test]
async fn nodes_that_are_not_who_they_say_all_read_one_text() {
    let text = r#"{"detail":"Invalid SuperNode authentication"}"#;
    for refusal in [
        Refusal::MissingSignature,
        Refusal::MalformedKey,
        Refusal::InvalidSignature,
        Refusal::MalformedTimestamp,
        Refusal::NotRegistered,
        Refusal::OtherNode {
            caller: None,
            claimed: NodeId(7),
        },
    ] {
        let response = failed(refusal.into(), Reader::Node(None));
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE_NAME));
        assert_eq!(written(response).await, (401, text.to_owned()));
    }
}

const WWW_AUTHENTICATE_NAME: &str = "www-authenticate";

#[tokio::test]
async fn a_person_reads_why_a_node_that_is_who_it_says_may_not_come_in() {
    for (refusal, number) in [
        (Refusal::StaleTimestamp { age: 900.0 }, 50106),
        (Refusal::ClientNotListed("no certificate".to_owned()), 50110),
        (Refusal::RegisteredByPeople, 2001),
        (Refusal::NoNodeOfKey { by_people: true }, 2004),
    ] {
        let (status, text) = written(failed(refusal.into(), Reader::Node(None))).await;
        assert_eq!(status, 412, "{text}");
        let start = format!("{{\"code\":{number},\"detail\":\"");
        assert!(text.starts_with(&start), "{text}");
    }
}

#[tokio::test]
async fn each_class_has_its_status() {
    let node = Reader::Node(None);
    for (refusal, reader, status, number) in [
        (Refusal::UnknownRun(RunId(7)), node, 403, 2007),
        (
            Refusal::RunNotFound(RunId(7)),
            Reader::Command(None),
            404,
            16,
        ),
        (
            Refusal::AlreadyFinished(RunId(7)),
            Reader::Command(None),
            412,
            18,
        ),
        (
            Refusal::NotOffered(Feature::Federations),
            Reader::Command(None),
            501,
            1,
        ),
        (Refusal::Unreadable("x".to_owned()), node, 400, 1003),
        (Refusal::NotStored("disk".to_owned()), node, 507, 50402),
        (Refusal::UnknownToken, Reader::App, 401, 1008),
        (Refusal::KeyInUse, Reader::Command(None), 412, 23),
    ] {
        let (written, text) = written(failed(refusal.into(), reader)).await;
        assert_eq!(written, status, "{text}");
        assert!(text.starts_with(&format!("{{\"code\":{number},")), "{text}");
    }
}

#[tokio::test]
async fn a_person_who_is_not_signed_in_is_asked_to_show_a_token() {
    let response = failed(Refusal::NotSignedIn.into(), Reader::Command(None));
    assert_eq!(response.headers()[WWW_AUTHENTICATE_NAME], "Bearer");
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_may_pass_is_503() {
    let again = failed(
        Failure::TryAgain("the disk is full".to_owned()),
        Reader::App,
    );
    assert_eq!(
        written(again).await,
        (503, r#"{"detail":"the disk is full"}"#.to_owned())
    );
    for (why, status) in [
        (Unread::Late, 503),
        (Unread::NoRoom(NoRoom::Now), 503),
        (Unread::TooLong(7), 413),
        (Unread::Broken("cut".to_owned()), 400),
    ] {
        assert_eq!(unread(&why).status(), status);
    }
}

#[tokio::test]
async fn an_answer_is_the_message() {
    let message = proto::SendNodeHeartbeatResponse { success: true };
    let response = answered(Answer::new(message));
    assert_eq!(response.headers()[CONTENT_TYPE], "application/protobuf");
    assert_eq!(written(response).await, (200, "\u{8}\u{1}".to_owned()));
    let empty = answered(Answer::new(proto::SendNodeHeartbeatResponse::default()));
    assert_eq!(written(empty).await, (200, String::new()));
}

fn line(text: &str) -> proto::StreamLogsResponse {
    proto::StreamLogsResponse {
        log_output: text.to_owned(),
        latest_timestamp: 0.0,
    }
}

#[tokio::test]
async fn answers_are_frames_and_a_failure_breaks_them_off() {
    let lines = stream::iter([Ok(line("a")), Ok(line(""))]);
    let response = streamed(Answers::new(lines));
    let kind = "application/flower-protobuf-stream";
    assert_eq!(response.headers()[CONTENT_TYPE], kind);
    let (status, text) = written(response).await;
    assert_eq!(
        (status, text.as_bytes()),
        (200, &b"\0\0\0\x03\x0a\x01a\0\0\0\0"[..])
    );
    let failing = stream::iter([Ok(line("a")), Err(Refusal::RunNotFound(RunId(7)).into())]);
    let body = streamed(Answers::new(failing)).into_body().collect().await;
    assert!(body.is_err());
}

#[test]
fn a_token_is_read_from_the_header_of_its_scheme() {
    let proof = |value: &str| account_proof(request(&[("authorization", value)]).headers());
    assert_eq!(proof("Bearer abc").access.as_deref(), Some("abc"));
    assert_eq!(proof("bearer  abc ").access.as_deref(), Some("abc"));
    assert_eq!(proof("Basic abc").access, None);
    assert_eq!(proof("Bearer").access, None);
    assert_eq!(account_proof(&HeaderMap::new()).access, None);
}
