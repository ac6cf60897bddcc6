//! What admits a ServerApp process, and when its run is over.

use flwr_core::id::RunId;
use flwr_core::port::Runtime;
use flwr_core::refusal::{Failure, Refusal};
use flwr_wire::host::{AppProof, RuntimeHost, ServerAppHost};

use super::*;

fn started_by(apps: Apps, is_insecure: bool) -> Host {
    Host::new(Parts {
        link: link(MemoryState::default()),
        policy: Policy::AnyKey,
        own_key: None,
        clients: None,
        people: People::default(),
        accounts: None,
        apps,
        is_insecure,
        in_flight: InFlight::default(),
    })
}

fn head() -> Head {
    Head {
        patience: Duration::ZERO,
        peer: None,
    }
}

async fn run(host: &Host) -> RunId {
    let app = ("a/b".to_owned(), "1.0.0".to_owned());
    let run = host
        .link()
        .start_run_of_a_stranger(app, None, Default::default());
    run.await.unwrap()
}

async fn admitted(host: &Host, proof: AppProof) -> std::result::Result<Option<RunId>, Failure> {
    let session = RuntimeHost::admit(host, proof, &head()).await?;
    Ok(session.run_id())
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
    let host = started_by(Apps::Tokenless, true);
    let run = run(&host).await;
    assert_eq!(admitted(&host, AppProof::Tokenless(None)).await, Ok(None));
    host.link().expect(run);
    for expected in [Some(run), None] {
        let session = admitted(&host, AppProof::Tokenless(None)).await;
        assert_eq!(session, Ok(expected), "each run is for one process");
    }
}

#[tokio::test]
async fn a_serverapp_of_a_stranger_needs_tls_where_others_have_it() {
    for (is_insecure, refused) in [(true, false), (false, true)] {
        let host = started_by(Apps::WithTokens, is_insecure);
        let run = run(&host).await;
        let session = admitted(&host, AppProof::Stranger(run)).await;
        let expected = if refused {
            Err(Refusal::TlsRequired.into())
        } else {
            Ok(Some(run))
        };
        assert_eq!(session, expected);
    }
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
