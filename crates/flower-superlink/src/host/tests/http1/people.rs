//! The `flwr` command of flwr 1.37 and later.

use flwr_core::port::control::Tokens;

use super::*;

fn with_accounts(accounts: Accounts) -> Host {
    Host::new(Parts {
        accounts: Some(Arc::new(accounts)),
        ..parts(link(MemoryState::default()), Policy::AnyKey, None)
    })
}

async fn call(host: &Host, method: &str, headers: HeaderMap, message: &impl Message) -> Got {
    let path = format!("/v1/control/{method}");
    send(port(host), post(&path, headers, message)).await
}

fn bearer(token: &str) -> HeaderMap {
    header("authorization", &format!("Bearer {token}"))
}

#[tokio::test]
async fn runs_are_listed_stopped_and_read() {
    let host = host(link(MemoryState::default()), Policy::AnyKey, None);
    let link = host.link();
    let started = link.start_run(bundle(), Default::default(), &Principal::Anybody);
    let run = started.await.unwrap();
    link.push_app_log(run, "one\n".to_owned()).await.unwrap();
    let all = proto::ListRunsRequest::default();
    let listed = call(&host, "list-runs", HeaderMap::new(), &all);
    let listed: proto::ListRunsResponse = listed.await.read();
    assert!(listed.run_dict.contains_key(&run.0));
    let stop = proto::StopRunRequest { run_id: run.0 };
    let stopped = call(&host, "stop-run", HeaderMap::new(), &stop).await;
    assert!(stopped.read::<proto::StopRunResponse>().success);
    let again = call(&host, "stop-run", HeaderMap::new(), &stop).await;
    assert_eq!(again.refused(), (412, Some(18)));
    let read = proto::StreamLogsRequest {
        run_id: run.0,
        after_timestamp: 0.0,
    };
    let mut log = call(&host, "stream-logs", HeaderMap::new(), &read).await;
    let kind = "application/flower-protobuf-stream";
    assert_eq!(
        (log.status, &log.headers["content-type"]),
        (200, &kind.parse().unwrap())
    );
    let mut text = String::new();
    while !log.body.is_empty() {
        let length = usize::try_from(log.body.get_u32()).unwrap();
        let frame = proto::StreamLogsResponse::decode(log.body.split_to(length)).unwrap();
        text.push_str(&frame.log_output);
    }
    assert!(text.contains("one\n"), "{text:?}");
    let unknown = proto::StreamLogsRequest { run_id: 7, ..read };
    let got = call(&host, "stream-logs", HeaderMap::new(), &unknown).await;
    assert_eq!(got.refused(), (404, Some(16)));
}

#[tokio::test]
async fn what_is_not_offered_has_a_number_and_is_never_401() {
    let host = host(link(MemoryState::default()), Policy::AnyKey, None);
    for (method, number) in [
        ("create-federation", 1),
        ("create-invitation", 1),
        ("set-federation-icon", 1),
        ("list-run-series", 50501),
        ("update-run-series-description", 50501),
        ("list-run-series-events", 50501),
        ("stream-run-events", 50501),
        ("start-automation", 50501),
        ("begin-connector-oauth", 50501),
        ("list-apps", 50501),
        ("list-app-associations", 50501),
        ("get-login-details", 19),
        ("refresh-auth-tokens", 19),
        ("pull-artifacts", 20),
    ] {
        let got = call(&host, method, HeaderMap::new(), &()).await;
        let expected = match method {
            // It names a run, which does not exist.
            "pull-artifacts" => got.refused(),
            _ => (501, Some(number)),
        };
        assert_eq!(got.refused(), expected, "{method}: {}", got.text());
        assert_ne!(got.status, 401);
    }
}

#[tokio::test]
async fn a_command_is_told_that_nobody_logs_in_here_as_its_release_knows_it() {
    let host = host(link(MemoryState::default()), Policy::AnyKey, None);
    for release in ["1.37.0", "1.43.0.dev20261026"] {
        let headers = header("flwr-package-version", release);
        let login = call(&host, "get-login-details", headers, &()).await;
        let login: proto::GetLoginDetailsResponse = login.read();
        let expected = proto::GetLoginDetailsResponse {
            auth_type: "noop".to_owned(),
            ..proto::GetLoginDetailsResponse::default()
        };
        assert_eq!(login, expected, "{release}");
    }
    let headers = header("flwr-package-version", "1.22.0");
    let login = call(&host, "get-login-details", headers, &()).await;
    assert_eq!(login.refused(), (501, Some(19)));
}

#[tokio::test]
async fn a_person_signs_in_by_a_token_in_the_authorization() {
    let office = Office::new();
    let known = office.login(&Person::named("alice")).await.unwrap();
    let host = with_accounts(office.accounts);
    let list = proto::ListRunsRequest::default();
    // Who is there comes before what is asked.
    for headers in [
        HeaderMap::new(),
        bearer("nonsense"),
        header("content-type", "text/plain"),
    ] {
        let got = call(&host, "list-runs", headers, &list).await;
        assert_eq!(got.refused(), (401, Some(36)));
        assert_eq!(got.headers["www-authenticate"], "Bearer");
    }
    let got = call(&host, "list-runs", bearer(&known.access), &list).await;
    got.read::<proto::ListRunsResponse>();
    let mut text = post("/v1/control/list-runs", bearer(&known.access), &list);
    text.headers_mut()
        .insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(send(port(&host), text).await.status, 415);
}

#[tokio::test]
async fn new_tokens_are_given_for_an_old_one_and_not_kept() {
    let office = Office::new();
    let stale = office.stale(&Person::named("alice"));
    let of_nobody = office.stale(&Person::named("bob"));
    let host = with_accounts(office.accounts);
    let list = proto::ListRunsRequest::default();
    let got = call(&host, "list-runs", bearer(&stale.access), &list).await;
    assert_eq!(got.status, 401);
    let refresh = |tokens: &Tokens| proto::RefreshAuthTokensRequest {
        refresh_token: tokens.refresh.clone(),
    };
    let got = call(
        &host,
        "refresh-auth-tokens",
        HeaderMap::new(),
        &refresh(&stale),
    )
    .await;
    assert_eq!(got.headers["cache-control"], "no-store");
    assert_eq!(got.headers["pragma"], "no-cache");
    let fresh: proto::GetAuthTokensResponse = got.read();
    let got = call(&host, "list-runs", bearer(&fresh.access_token), &list).await;
    assert_eq!(got.status, 200);
    let got = call(
        &host,
        "refresh-auth-tokens",
        HeaderMap::new(),
        &refresh(&of_nobody),
    )
    .await;
    assert_eq!(got.refused(), (403, Some(50201)));
    let none = proto::RefreshAuthTokensRequest::default();
    let got = call(&host, "refresh-auth-tokens", HeaderMap::new(), &none).await;
    assert_eq!(got.refused(), (401, Some(36)));
}
