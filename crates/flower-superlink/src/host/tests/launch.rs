//! Calls of those who start ServerApps on another machine.

use std::net::{Ipv4Addr, SocketAddr};

use flwr_core::port::Runtime;
use flwr_proto::launch::{StartRunRequest, StartRunResponse};
use flwr_wire::door::LaunchDoor;
use flwr_wire::host::{AppProof, RuntimeHost};

use super::*;
use crate::link::tests::bundle;

async fn launch(is_insecure: bool, peer: Option<Peer>) -> (Host, Answered) {
    let host = Host::new(Parts {
        is_insecure,
        ..parts(link(MemoryState::default()), Policy::AnyKey, None)
    });
    let message = StartRunRequest { fab: bundle() };
    let path = "/flower.launch.Launch/StartRun";
    let mut request = request(path, HeaderMap::new(), message.encode_to_vec().into());
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    let response = LaunchDoor::new(host.clone()).call(request).await.unwrap();
    (host, Answered::of(response).await)
}

fn peer(tls: bool) -> Option<Peer> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
    Some(Peer {
        tls,
        ..super::peer(address)
    })
}

#[tokio::test]
async fn a_run_is_launched_with_the_token_for_its_inputs() {
    for (is_insecure, peer) in [(true, peer(false)), (false, peer(true))] {
        let (host, answer) = launch(is_insecure, peer).await;
        let StartRunResponse { run_id, token } = answer.read();
        let head = Head {
            patience: Duration::ZERO,
            peer: None,
            release: None,
        };
        let session = RuntimeHost::admit(&host, AppProof::Token(token), &head);
        let session = session.await.unwrap();
        assert_eq!(session.run_id().map(|run| run.0), Some(run_id));
        assert_eq!(session.inputs().await.unwrap().unwrap().fab, bundle());
    }
}

#[tokio::test]
async fn plaintext_launches_nothing_where_others_speak_tls() {
    for peer in [None, peer(false)] {
        let (host, answer) = launch(false, peer).await;
        assert_eq!(answer.code, Code::PermissionDenied, "{}", answer.text);
        let runs = host.link().runs(&crate::link::Principal::Anybody).await;
        assert!(runs.unwrap().is_empty());
    }
}
