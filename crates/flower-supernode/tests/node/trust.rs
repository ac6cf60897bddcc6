//! Nodes and SuperLinks that do, or do not, trust each other.

use flower_supernode::config::Config;
use flower_supernode::{Error, SuperNode};
use flwr_client::channel::Trust;
use flwr_client::retry::Persistence;
use flwr_daemon::listen::Security;
use flwr_daemon::stop::Stopper;
use flwr_security::pki::{Pki, Request};
use flwr_security::tls::{ClientTls, Identity, ServerFiles, ServerTls};
use tempfile::TempDir;

use crate::config;
use crate::fleet::FakeFleet;

/// Certificates for localhost, in files: what a server and its clients load.
fn certificates() -> (TempDir, Security, Trust) {
    let dir = tempfile::tempdir().unwrap();
    let request = Request {
        names: Vec::new(),
        days: 1,
    };
    let files = Pki::make(&request)
        .unwrap()
        .write(dir.path(), false)
        .unwrap();
    let server = ServerTls::load(ServerFiles {
        ca: files[0].clone(),
        identity: Identity {
            certificate: files[2].clone(),
            key: files[3].clone(),
        },
        clients: None,
        people: None,
        nodes: None,
        legacy: false,
        shows_authority: false,
    });
    let client = ClientTls::trusting(&files[0]).unwrap();
    let port = server.unwrap().asking();
    (dir, Security::Tls(port), Trust::Tls(client))
}

/// What a node that tries once says in the end.
async fn last_words(superlink: &str, trust: Trust) -> String {
    let persistence = Persistence {
        max_retries: Some(0),
        max_wait: None,
    };
    let config = Config {
        persistence,
        ..config(superlink, trust)
    };
    let mut node = SuperNode::bind(config).await.unwrap();
    let error = node.join().await;
    assert!(matches!(error, Error::GaveUp { tries: 1, .. }), "{error}");
    node.shutdown().await;
    error.to_string()
}

#[tokio::test]
async fn a_node_registers_over_tls() {
    let (_dir, security, trust) = certificates();
    let (fleet, superlink) = (FakeFleet::new(), Stopper::new());
    let address = fleet.serve(security, &superlink).await;
    let node = SuperNode::bind(config(&format!("localhost:{}", address.port()), trust))
        .await
        .unwrap();
    fleet.until(|world| world.registered).await;
    node.shutdown().await;
    assert_eq!(fleet.change(|world| world.deleted), 1);
}

#[tokio::test]
async fn a_node_that_gives_up_says_why_and_what_to_change() {
    let (_dir, security, trust) = certificates();
    let (_other_dir, _, stranger) = certificates();
    let (fleet, superlink) = (FakeFleet::new(), Stopper::new());
    let tls = fleet.serve(security, &superlink).await.to_string();
    let plaintext = fleet
        .serve(Security::Plaintext, &superlink)
        .await
        .to_string();

    let said = last_words(&tls, stranger).await;
    assert!(
        said.contains(&tls) && said.contains("--root-certificates"),
        "{said}"
    );
    let said = last_words(&tls, Trust::Plaintext).await;
    assert!(
        said.contains(&tls) && said.contains("leave out --insecure"),
        "{said}"
    );
    let said = last_words(&plaintext, trust).await;
    assert!(
        said.contains(&plaintext) && said.contains("does not speak TLS"),
        "{said}"
    );
    let said = last_words("127.0.0.1:1", Trust::Plaintext).await;
    assert!(
        said.contains("connection refused") && said.contains("--superlink"),
        "{said}"
    );
    assert_eq!(fleet.change(|world| world.created), 0);
}
