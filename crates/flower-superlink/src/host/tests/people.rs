//! Calls of people where they sign in.

use flwr_core::id::RunId;
use flwr_core::port::control::Tokens;
use flwr_proto as proto;
use flwr_proto::upkeep::{DeleteRunRequest, GetUsageRequest};
use flwr_wire::door::{Control, ControlDoor, Exec, JoinTokens, Upkeep};

use super::*;
use crate::accounts::fake::Person;
use crate::accounts::tests::Office;
use crate::link::tests::bundle;

const ACCESS: &str = "flwr-oidc-access-token";
const REFRESH: &str = "flwr-oidc-refresh-token";

/// All calls but those of a login.
const SIGNED_IN: [&str; 20] = [
    "/flwr.proto.Control/StartRun",
    "/flwr.proto.Control/StopRun",
    "/flwr.proto.Control/StreamLogs",
    "/flwr.proto.Control/ListRuns",
    "/flwr.proto.Control/RegisterNode",
    "/flwr.proto.Control/UnregisterNode",
    "/flwr.proto.Control/ListNodes",
    "/flwr.proto.Control/ListFederations",
    "/flwr.proto.Control/ShowFederation",
    "/flwr.proto.Control/CreateFederation",
    "/flwr.proto.Control/PullArtifacts",
    "/flwr.proto.Exec/StartRun",
    "/flwr.proto.Exec/StopRun",
    "/flwr.proto.Exec/StreamLogs",
    "/flwr.proto.Exec/ListRuns",
    "/flower.join.JoinTokens/Issue",
    "/flower.join.JoinTokens/List",
    "/flower.join.JoinTokens/Revoke",
    "/flower.upkeep.Upkeep/DeleteRun",
    "/flower.upkeep.Upkeep/GetUsage",
];

fn with_accounts(accounts: Accounts) -> Host {
    Host::new(Parts {
        accounts: Some(Arc::new(accounts)),
        ..parts(link(MemoryState::default()), Policy::AnyKey, None)
    })
}

fn shown(tokens: &Tokens) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCESS, tokens.access.parse().unwrap());
    headers.insert(REFRESH, tokens.refresh.parse().unwrap());
    headers
}

async fn call(host: &Host, path: &str, headers: HeaderMap, message: &impl Message) -> Answered {
    let message = message.encode_to_vec().into();
    let host = host.clone();
    match path.split('/').nth(1) {
        Some("flwr.proto.Control") => {
            let door = ControlDoor::<_, Control>::new(host);
            call_door(door, path, headers, message).await
        }
        Some("flwr.proto.Exec") => {
            let door = ControlDoor::<_, Exec>::new(host);
            call_door(door, path, headers, message).await
        }
        Some("flower.join.JoinTokens") => {
            let door = ControlDoor::<_, JoinTokens>::new(host);
            call_door(door, path, headers, message).await
        }
        _ => {
            let door = ControlDoor::<_, Upkeep>::new(host);
            call_door(door, path, headers, message).await
        }
    }
}

/// A run of somebody's.
async fn run_of(host: &Host, account: &str) -> RunId {
    let principal = crate::link::Principal::Account {
        id: account.to_owned(),
        name: String::new(),
        admin: false,
    };
    let run = host
        .link()
        .start_run(bundle(), Default::default(), &principal);
    run.await.unwrap()
}

#[tokio::test]
async fn only_the_two_calls_of_a_login_need_no_tokens() {
    let host = with_accounts(Office::new().accounts);
    for path in SIGNED_IN {
        let answer = call(&host, path, HeaderMap::new(), &()).await;
        let denied = (Code::Unauthenticated, "Access denied");
        assert_eq!(answer.said(), denied, "{path}");
    }
    for service in ["Control", "Exec"] {
        let path = format!("/flwr.proto.{service}/GetAuthTokens");
        let request = proto::GetAuthTokensRequest::default();
        let answer = call(&host, &path, HeaderMap::new(), &request).await;
        assert_eq!(answer.code, Code::Unauthenticated);
        assert!(answer.text.contains("run `flwr login` again"), "{path}");
    }
}

#[tokio::test]
async fn a_login_gives_the_tokens_with_which_calls_are_made() {
    let office = Office::new();
    let host = with_accounts(office.accounts);
    let details = proto::GetLoginDetailsRequest {};
    let path = "/flwr.proto.Control/GetLoginDetails";
    let login = call(&host, path, HeaderMap::new(), &details).await;
    let login: proto::GetLoginDetailsResponse = login.read();
    assert_eq!(login.auth_type, "oidc");
    assert!(login.expires_in > 0 && login.interval > 0, "{login:?}");
    assert!(login.verification_uri_complete.starts_with("https://"));
    let interval = Duration::from_secs(login.interval.try_into().unwrap());
    let device_code = login.device_code;
    let poll = proto::GetAuthTokensRequest { device_code };
    let path = "/flwr.proto.Control/GetAuthTokens";
    let early = call(&host, path, HeaderMap::new(), &poll).await;
    let early: proto::GetAuthTokensResponse = early.read();
    assert_eq!(early, proto::GetAuthTokensResponse::default());
    office.fake.approve(&Person::named("alice"));
    office.clock.advance(interval);
    let tokens = call(&host, path, HeaderMap::new(), &poll).await;
    let tokens: proto::GetAuthTokensResponse = tokens.read();
    let tokens = Tokens {
        access: tokens.access_token,
        refresh: tokens.refresh_token,
    };
    let list = proto::ListRunsRequest::default();
    let path = "/flwr.proto.Control/ListRuns";
    let listed = call(&host, path, shown(&tokens), &list).await;
    let listed: proto::ListRunsResponse = listed.read();
    assert_eq!(listed.run_dict.len(), 0);
}

#[tokio::test]
async fn new_tokens_come_with_the_answer_or_the_refusal() {
    let office = Office::new();
    let alice = Person::named("alice");
    let (good, stale) = (office.login(&alice).await.unwrap(), office.stale(&alice));
    let stranger = office.stale(&Person::named("bob"));
    let host = with_accounts(office.accounts);
    let list = proto::ListRunsRequest::default();
    for service in ["Control", "Exec"] {
        let path = format!("/flwr.proto.{service}/ListRuns");
        let plain = call(&host, &path, shown(&good), &list).await;
        assert!(!plain.headers.contains_key(ACCESS));
        plain.read::<proto::ListRunsResponse>();
        let renewed = call(&host, &path, shown(&stale), &list).await;
        assert_ne!(renewed.headers[ACCESS], stale.access);
        assert_ne!(renewed.headers[REFRESH], stale.refresh);
        renewed.read::<proto::ListRunsResponse>();
    }
    let usage = "/flower.upkeep.Upkeep/GetUsage";
    let refused = call(&host, usage, shown(&stranger), &GetUsageRequest {}).await;
    assert_eq!(refused.code, Code::PermissionDenied);
    assert_ne!(refused.headers[ACCESS], stranger.access);
    // Python looks for them in headers only if the status is not there.
    assert!(!refused.headers.contains_key("grpc-status"));
    let unknown = proto::StreamLogsRequest {
        run_id: 7,
        after_timestamp: 0.0,
    };
    let path = "/flwr.proto.Control/StreamLogs";
    let refused = call(&host, path, shown(&stale), &unknown).await;
    assert_eq!(refused.said(), (Code::NotFound, "Run ID not found"));
    assert_ne!(refused.headers[ACCESS], stale.access);
    assert!(!refused.headers.contains_key("grpc-status"));
}

#[tokio::test]
async fn runs_are_their_owners_and_the_admins() {
    let office = Office::new();
    let mut guest = Person::named("carol");
    guest.groups = vec!["flower".to_owned()];
    let guest = office.login(&guest).await.unwrap();
    let alice = office.login(&Person::named("alice")).await.unwrap();
    let root = office.login(&Person::named("root")).await.unwrap();
    let host = with_accounts(office.accounts);
    let (own, nobodys) = (run_of(&host, "alice-1").await, run_of(&host, "").await);
    let list = proto::ListRunsRequest::default();
    for (tokens, runs) in [(&alice, 1), (&guest, 0), (&root, 2)] {
        let path = "/flwr.proto.Control/ListRuns";
        let listed = call(&host, path, shown(tokens), &list).await;
        let listed: proto::ListRunsResponse = listed.read();
        assert_eq!(listed.run_dict.len(), runs);
    }
    let run_id = own.0;
    let stop = proto::StopRunRequest { run_id };
    let log = proto::StreamLogsRequest {
        run_id,
        after_timestamp: 0.0,
    };
    let others = (
        Code::PermissionDenied,
        "\u{26d4}\u{fe0f} Run ID does not belong to the user",
    );
    for answer in [
        call(&host, "/flwr.proto.Control/StopRun", shown(&guest), &stop).await,
        call(&host, "/flwr.proto.Exec/StreamLogs", shown(&guest), &log).await,
        call(
            &host,
            "/flower.upkeep.Upkeep/DeleteRun",
            shown(&guest),
            &DeleteRunRequest { run_id },
        )
        .await,
    ] {
        assert_eq!(answer.said(), others);
    }
    let run_id = nobodys.0;
    let stop_nobodys = proto::StopRunRequest { run_id };
    let path = "/flwr.proto.Control/StopRun";
    let answer = call(&host, path, shown(&alice), &stop_nobodys).await;
    assert_eq!(answer.code, Code::PermissionDenied);
    for (tokens, stop) in [(&alice, stop), (&root, stop_nobodys)] {
        let stopped = call(&host, path, shown(tokens), &stop).await;
        assert!(stopped.read::<proto::StopRunResponse>().success);
    }
}
