//! What a run may be started from, and which runs are listed.

use flwr_proto as proto;

use super::enrolment::{Caller, number, with_fab};
use super::*;
use crate::link::tests::bundle;

#[tokio::test]
async fn a_run_is_started_in_the_one_federation_by_each_of_its_names() {
    let caller = Caller::of(Policy::AnyKey);
    for federation in ["", "default", "@none/default"] {
        let request = proto::StartRunRequest {
            federation: federation.to_owned(),
            // An empty ConfigRecord, as commands until 1.27 send it.
            federation_options: Bytes::new(),
            ..with_fab()
        };
        let started: proto::StartRunResponse = caller.start(request).await.read();
        assert!(started.run_id.is_some(), "{federation}");
    }
    let request = proto::StartRunRequest {
        federation: "@none/other".to_owned(),
        ..with_fab()
    };
    let refused = caller.start(request.clone()).await;
    assert_eq!(refused.code, Code::FailedPrecondition);
    assert!(
        refused
            .text
            .starts_with("Federation '@none/other' does not exist")
    );
    let refused = caller.with_release("1.36.0").start(request).await;
    assert_eq!(number(&refused), (Code::NotFound, 2));
}

#[tokio::test]
async fn a_hash_beside_a_bundle_counts_for_the_releases_that_read_it() {
    let caller = Caller::of(Policy::AnyKey);
    let hashed = |hash: &str| {
        let mut request = with_fab();
        request.fab.as_mut().unwrap().hash_str = hash.to_owned();
        request
    };
    let right = flwr_core::object::ObjectId::of(&bundle()).to_string();
    let wrong = "ab".repeat(32);
    for (version, hash, is_started) in [
        ("1.30.0", right.as_str(), true),
        ("1.34.0", right.as_str(), true),
        ("1.34.0", wrong.as_str(), false),
        ("1.35.0", wrong.as_str(), true),
    ] {
        let answer = caller.with_release(version).start(hashed(hash)).await;
        assert_eq!(
            answer.code == Code::Ok,
            is_started,
            "{version}: {}",
            answer.text
        );
        if !is_started {
            assert_eq!(number(&answer), (Code::FailedPrecondition, 15));
        }
    }
    assert_eq!(
        caller.start(hashed(&wrong)).await.code,
        Code::FailedPrecondition
    );
}

#[tokio::test]
async fn a_request_without_a_bundle_is_told_what_it_lacks() {
    let caller = Caller::of(Policy::AnyKey).with_release("1.36.0");
    let named = |app_spec: &str, hash: &str| proto::StartRunRequest {
        app_spec: app_spec.to_owned(),
        fab: (!hash.is_empty()).then(|| proto::Fab {
            hash_str: hash.to_owned(),
            ..proto::Fab::default()
        }),
        ..proto::StartRunRequest::default()
    };
    for (request, code) in [
        (named("@acme/tiny==1.0.0", ""), 34),
        (named("@acme/tiny", "abc"), 35),
        (named("", "abc"), 35),
        (named("tiny", ""), 33),
    ] {
        let refused = caller.start(request).await;
        assert_eq!(number(&refused), (Code::FailedPrecondition, code));
    }
}

#[tokio::test]
async fn overrides_that_the_app_does_not_have_are_refused_by_number() {
    use flwr_core::config::{Scalar, UserConfig};
    let overrides = UserConfig::from([("no.such.key".to_owned(), Scalar::Int(1))]);
    let request = proto::StartRunRequest {
        override_config: flwr_core::config::to_wire(&overrides),
        ..with_fab()
    };
    let caller = Caller::of(Policy::AnyKey);
    let refused = caller.with_release("1.33.0").start(request.clone()).await;
    assert_eq!(number(&refused), (Code::FailedPrecondition, 15));
    let refused = caller.start(request).await;
    assert_eq!(refused.code, Code::FailedPrecondition);
    assert!(refused.text.contains("no.such.key"), "{}", refused.text);
}

#[tokio::test]
async fn only_the_newest_runs_are_listed_where_a_limit_is_given() {
    let noon = Timestamp::from_secs(1_750_000_100.0);
    let clock = Arc::new(MockClock::new(noon));
    let link = Link::new(crate::link::Parts {
        clock: Arc::clone(&clock) as _,
        ..link_parts(Arc::new(MemoryState::default()), noon)
    });
    let caller = Caller {
        host: host(Arc::new(link), Policy::AnyKey, None),
        headers: HeaderMap::new(),
    };
    let mut started = Vec::new();
    for _ in 0..3 {
        clock.advance(Duration::from_secs(1));
        let answer: proto::StartRunResponse = caller.start(with_fab()).await.read();
        started.push(answer.run_id.unwrap());
    }
    for (limit, skip, expected) in [
        (None, None, &started[..]),
        (Some(2), None, &started[1..]),
        (Some(0), None, &[]),
        (Some(9), None, &started),
        (Some(1), Some(1), &started[1..2]),
        (None, Some(2), &started[..1]),
        (None, Some(u64::MAX), &[]),
    ] {
        let request = proto::ListRunsRequest {
            limit,
            skip,
            run_id: None,
        };
        let listed: proto::ListRunsResponse = caller.call("ListRuns", &request).await.read();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let listed: Vec<_> = listed.run_dict.into_keys().collect();
        assert_eq!(listed, expected, "{limit:?} {skip:?}");
    }
}
