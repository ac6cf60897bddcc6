//! What admits a ServerApp process, and when its run is over.

use std::net::{TcpListener, TcpStream};

use flwr_core::id::RunId;
use flwr_core::port::{Jobs, Runtime};
use flwr_core::refusal::{Failure, Refusal};
use flwr_daemon::apps::Identity;
use flwr_wire::host::{AppProof, Launch, LauncherProof, RuntimeHost, ServerAppHost};

use super::*;
use crate::link::Principal;
use crate::link::tests::bundle;

fn started_by(apps: Apps, is_insecure: bool) -> Host {
    Host::new(parts(apps, is_insecure))
}

fn parts(apps: Apps, is_insecure: bool) -> Parts {
    Parts {
        apps,
        is_insecure,
        ..super::parts(link(MemoryState::default()), Policy::AnyKey, None)
    }
}

/// A run that no ServerApp has begun.
async fn run_that_waits(host: &Host) -> RunId {
    let started = host
        .link()
        .start_run(bundle(), Default::default(), &Principal::Anybody);
    started.await.unwrap()
}

fn head() -> Head {
    head_of(peer((Ipv4Addr::LOCALHOST, 50_000).into()))
}

fn head_of(peer: Peer) -> Head {
    Head {
        patience: Duration::ZERO,
        peer: Some(peer),
        release: None,
    }
}

/// A real connection of this process to itself, which lives as long as its sockets.
struct Loopback {
    _sockets: (TcpListener, TcpStream, TcpStream),
    head: Head,
}

impl Loopback {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (served, address) = listener.accept().unwrap();
        let peer = Peer {
            local: served.local_addr().unwrap(),
            ..peer(address)
        };
        Self {
            _sockets: (listener, client, served),
            head: head_of(peer),
        }
    }
}

/// This process.
fn me() -> Identity {
    Identity::of(std::process::id()).unwrap()
}

async fn run(host: &Host) -> RunId {
    let app = ("a/b".to_owned(), "1.0.0".to_owned());
    let run = host
        .link()
        .start_run_of_a_stranger(app, None, Default::default());
    run.await.unwrap()
}

type Admitted = std::result::Result<Option<RunId>, Failure>;

async fn admitted(host: &Host, proof: AppProof) -> Admitted {
    admitted_on(host, proof, &head()).await
}

async fn admitted_on(host: &Host, proof: AppProof, head: &Head) -> Admitted {
    let session = RuntimeHost::admit(host, proof, head).await?;
    Ok(session.run_id())
}

/// The run, and the token of its ServerApp.
async fn with_token(host: &Host) -> (RunId, AppProof) {
    let run = run(host).await;
    let token = host.link().issue_token(run).await.unwrap().unwrap();
    (run, AppProof::Token(token.as_str().to_owned()))
}

fn unknown_token() -> Admitted {
    Err(Refusal::UnknownToken.into())
}

#[tokio::test]
async fn a_process_without_a_token_is_admitted_only_where_such_are_started() {
    for apps in [Apps::WithTokens, Apps::OfStrangers] {
        let host = started_by(apps, true);
        let run = run(&host).await;
        for proof in [
            AppProof::Tokenless(None),
            AppProof::Tokenless(Some(run)),
            AppProof::Token("guess".to_owned()),
        ] {
            let refused = admitted(&host, proof).await;
            assert_eq!(refused, Err(Refusal::UnknownToken.into()), "{apps:?}");
        }
    }
}

#[tokio::test]
async fn a_run_is_for_the_process_that_was_started_for_it_without_a_token() {
    let host = started_by(Apps::Tokenless, true);
    let (run, _) = with_token(&host).await;
    let own = Loopback::new();
    let ask = async |head: &Head| admitted_on(&host, AppProof::Tokenless(None), head).await;
    let call = async |head: &Head| admitted_on(&host, AppProof::Tokenless(Some(run)), head).await;
    assert_eq!(ask(&own.head).await, Ok(None));
    host.link().expect(run, me());
    assert_eq!(ask(&head()).await, Ok(None), "it is another process");
    assert_eq!(call(&own.head).await, unknown_token());
    assert_eq!(ask(&own.head).await, Ok(Some(run)));
    assert_eq!(
        ask(&own.head).await,
        Ok(None),
        "each run is for one process"
    );
    assert_eq!(call(&own.head).await, Ok(Some(run)));
    assert_eq!(call(&Loopback::new().head).await, Ok(Some(run)));
    assert_eq!(call(&head()).await, unknown_token());
}

#[tokio::test]
async fn a_call_without_a_token_needs_the_connection_on_which_it_was_shown() {
    let host = started_by(Apps::OfStrangers, true);
    let ((run, token), (other, other_token)) = (with_token(&host).await, with_token(&host).await);
    let named = async |head: &Head| admitted_on(&host, AppProof::Named(run), head).await;
    let (app, of_other, stranger) = (head(), head(), head());
    assert_eq!(named(&app).await, unknown_token());
    assert_eq!(admitted_on(&host, token, &app).await, Ok(Some(run)));
    assert_eq!(
        admitted_on(&host, other_token, &of_other).await,
        Ok(Some(other))
    );
    assert_eq!(named(&app).await, Ok(Some(run)));
    // They have the app's address, and the app is there.
    for head in [&stranger, &of_other] {
        let Err(Failure::TryAgain(text)) = named(head).await else {
            panic!("admitted");
        };
        assert!(text.contains("is open"), "{text}");
    }
    let elsewhere = head_of(peer((Ipv4Addr::new(192, 0, 2, 1), 50_000).into()));
    assert_eq!(named(&elsewhere).await, unknown_token());
    let nowhere = Head {
        peer: None,
        ..head()
    };
    assert_eq!(named(&nowhere).await, unknown_token());
}

#[tokio::test]
async fn an_app_that_lost_its_connection_or_its_superlink_goes_on_with_another() {
    let host = started_by(Apps::OfStrangers, true);
    let ((run, token), (other, other_token)) = (with_token(&host).await, with_token(&host).await);
    assert_eq!(
        admitted_on(&host, token, &Loopback::new().head).await,
        Ok(Some(run))
    );
    assert_eq!(
        admitted_on(&host, other_token, &head()).await,
        Ok(Some(other))
    );
    // The next SuperLink has the same state.
    let next = Host::new(Parts {
        link: Arc::clone(host.link()),
        ..parts(Apps::OfStrangers, true)
    });
    for host in [&host, &next] {
        // One is known by its process, however many connections it has.
        let (first, second) = (Loopback::new(), Loopback::new());
        for head in [&first.head, &second.head] {
            let named = admitted_on(host, AppProof::Named(run), head).await;
            assert_eq!(named, Ok(Some(run)));
        }
        let named = admitted_on(host, AppProof::Named(run), &head()).await;
        assert_eq!(named, unknown_token());
        // The other by its address: one connection at a time.
        let own = head();
        let named = admitted_on(host, AppProof::Named(other), &own).await;
        assert_eq!(named, Ok(Some(other)));
        let more = admitted_on(host, AppProof::Named(other), &head()).await;
        assert!(matches!(more, Err(Failure::TryAgain(_))), "{more:?}");
    }
}

#[tokio::test]
async fn a_connection_stands_for_a_run_while_its_token_does() {
    let host = started_by(Apps::OfStrangers, true);
    let (run, token) = with_token(&host).await;
    let app = head();
    let named = async |head: &Head| admitted_on(&host, AppProof::Named(run), head).await;
    assert_eq!(admitted_on(&host, token, &app).await, Ok(Some(run)));
    host.link().revoke_token(run).await.unwrap();
    assert_eq!(named(&app).await, unknown_token());
    let again = host.link().issue_token(run).await.unwrap().unwrap();
    assert_eq!(named(&app).await, unknown_token(), "the run began again");
    let again = AppProof::Token(again.as_str().to_owned());
    assert_eq!(admitted_on(&host, again, &app).await, Ok(Some(run)));
    // What a ServerApp has left to say when its run is over is refused by the run, in its words.
    host.link().stop_run(run).await.unwrap();
    assert_eq!(named(&app).await, Ok(Some(run)));
    assert_eq!(named(&head()).await, unknown_token());
}

#[tokio::test]
async fn a_serverapp_of_a_stranger_needs_tls_where_others_have_it() {
    for (is_insecure, refused) in [(true, false), (false, true)] {
        let host = started_by(Apps::WithTokens, is_insecure);
        let launch = Launch {
            fab_id: "a/b".to_owned(),
            fab_version: "1.0.0".to_owned(),
            fab: None,
            overrides: Default::default(),
        };
        let own = head();
        let launched = host.launch(launch, &own).await;
        if refused {
            assert_eq!(launched, Err(Refusal::TlsRequired.into()));
            let session = admitted(&host, AppProof::Stranger(run(&host).await)).await;
            assert_eq!(session, Err(Refusal::TlsRequired.into()));
            continue;
        }
        let run = launched.unwrap();
        let session = admitted_on(&host, AppProof::Stranger(run), &own).await;
        assert_eq!(session, Ok(Some(run)));
        let elsewhere = head_of(peer((Ipv4Addr::new(192, 0, 2, 1), 50_000).into()));
        let session = admitted_on(&host, AppProof::Stranger(run), &elsewhere).await;
        assert_eq!(session, unknown_token(), "the run is another caller's");
    }
}

#[tokio::test]
async fn serverapps_are_started_by_others_only_with_leave() {
    let list = |launchers: Launchers, apps, ip: Ipv4Addr| async move {
        let host = Host::new(Parts {
            launchers,
            ..parts(apps, true)
        });
        let (run, _) = (run_that_waits(&host).await, ());
        let proof = LauncherProof {
            headers: None,
            method: "/flwr.proto.ServerAppIo/ListAppsToLaunch",
            body: Bytes::new(),
        };
        let jobs = host.admit_launcher(&proof, &head_of(peer((ip, 50_000).into())))?;
        let waiting = jobs.waiting().await? == [run];
        let token = jobs.claim(run).await?.is_some();
        let known = jobs.run(run).await.is_ok();
        Ok::<_, Failure>([waiting, token, known])
    };
    let (here, there) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 1));
    let none = Launchers::default;
    assert_eq!(list(none(), Apps::OfStrangers, here).await, Ok([true; 3]));
    assert_eq!(list(none(), Apps::WithTokens, here).await, Ok([false; 3]));
    let refused = Refusal::LauncherNotAllowed(there.into());
    assert_eq!(
        list(none(), Apps::OfStrangers, there).await,
        Err(refused.into())
    );
    let named = Launchers::load(None, vec!["192.0.2.0/24".parse().unwrap()]).unwrap();
    assert_eq!(
        list(named.clone(), Apps::OfStrangers, there).await,
        Ok([true; 3])
    );
    assert!(list(named, Apps::OfStrangers, here).await.is_err());
}

#[tokio::test]
async fn a_run_that_is_stopped_or_not_known_is_over() {
    let host = started_by(Apps::WithTokens, true);
    let run = run(&host).await;
    assert!(!host.is_over(run).await.unwrap());
    host.link().stop_run(run).await.unwrap();
    assert!(host.is_over(run).await.unwrap());
    assert!(host.is_over(RunId(7)).await.unwrap());
}
