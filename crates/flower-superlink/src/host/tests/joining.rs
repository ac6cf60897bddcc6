//! Nodes that join by a token: what a SuperLink takes, and what it refuses.

use std::net::IpAddr;

use flwr_core::address::Address;
use flwr_core::port::joining::{JoinAttempt, Joined, KeyRenewal, NewJoinToken};
use flwr_core::port::{Fleet as _, JoinTokens as _, Joining as _, NodeLife as _, NodeTrust as _};
use flwr_core::refusal::JoinRefusal;
use flwr_security::joining::{JoinToken, Pin, join_statement, renew_key_statement};
use flwr_security::key::{PrivateKey, PublicKey};
use flwr_security::peer::Binding;
use flwr_security::signature;
use flwr_security::testing::Files;
use flwr_wire::host::{AccountProof, ControlHost, JoinHost};

use super::*;

mod certificates;
mod keys;
mod refused;
mod tokens;

const HERE: Binding = Binding([1; 32]);
const ELSEWHERE: Binding = Binding([2; 32]);

/// A SuperLink with TLS at which people register nodes.
struct Office {
    host: Host,
    files: Files,
    clock: Arc<MockClock>,
}

impl Office {
    fn new() -> Self {
        Self::of(Policy::Enrolled)
    }

    fn of(policy: Policy) -> Self {
        let files = Files::new();
        let now = Timestamp::from_secs(1_750_000_100.0);
        let clock = Arc::new(MockClock::new(now));
        let link = Arc::new(Link::new(crate::link::Parts {
            clock: Arc::<MockClock>::clone(&clock),
            ..link_parts(Arc::new(MemoryState::default()), now)
        }));
        let joining = JoinPlace {
            tls: Some(files.load().unwrap()),
            fleet: 9092,
            ..JoinPlace::default()
        };
        let host = Host::new(Parts {
            joining,
            ..parts(link, policy, None)
        });
        Self { host, files, clock }
    }

    async fn person(&self) -> ControlSession {
        let head = head(None);
        let admission = ControlHost::admit(&self.host, AccountProof::default(), &head).await;
        admission.session.unwrap()
    }

    async fn issue(&self, new: NewJoinToken) -> Result<JoinToken> {
        let issued = self.person().await.issue_join_token(new).await?;
        let token: JoinToken = issued.token.parse().unwrap();
        assert_eq!(issued.about.id, token.id.to_string());
        Ok(token)
    }

    async fn token(&self) -> JoinToken {
        self.issue(new_token()).await.unwrap()
    }

    fn joining(&self, peer: Option<Peer>) -> JoinSession {
        JoinHost::joining(&self.host, &head(peer))
    }

    /// The session of a node with this key.
    async fn session(&self, key: &PrivateKey) -> FleetSession {
        self.session_of(None, key).await
    }

    /// The same over this connection.
    async fn session_of(&self, peer: Option<Peer>, key: &PrivateKey) -> FleetSession {
        let head = head(peer);
        let admitted = FleetHost::admit(&self.host, signed(key), &head);
        admitted.await.unwrap()
    }

    async fn join(&self, token: &JoinToken, key: &PrivateKey) -> Result<Joined> {
        let attempt = attempt(HERE, token, key);
        self.joining(Some(at_home(HERE))).join(attempt).await
    }
}

fn head(peer: Option<Peer>) -> Head {
    Head {
        patience: Duration::ZERO,
        peer,
        release: None,
    }
}

fn new_token() -> NewJoinToken {
    NewJoinToken {
        address: None,
        host: "localhost".to_owned(),
        name: None,
        ttl: Duration::from_secs(3_600),
        uses: 1,
    }
}

/// A TLS 1.3 connection from this address.
fn over_tls(address: &str, binding: Binding) -> Peer {
    let address: IpAddr = address.parse().unwrap();
    Peer {
        tls: true,
        binding: Some(binding),
        ..peer((address, 50_000).into())
    }
}

fn at_home(binding: Binding) -> Peer {
    over_tls("192.0.2.1", binding)
}

fn key() -> PrivateKey {
    PrivateKey::generate().unwrap()
}

/// The proof of a node's call with this key.
fn signed(key: &PrivateKey) -> NodeProof {
    NodeProof::Signature(signature::sign(key, OffsetDateTime::now_utc()).unwrap())
}

/// What a node with this key sends over a connection.
fn attempt(binding: Binding, token: &JoinToken, key: &PrivateKey) -> JoinAttempt {
    let public = key.public_key();
    let statement = join_statement(&binding.0, token.id, public);
    JoinAttempt {
        token: Bytes::copy_from_slice(&token.id.0),
        secret: Bytes::copy_from_slice(token.secret.reveal()),
        key: public.to_spki().into(),
        proof: key.sign(&statement).unwrap().into(),
        signing_request: Bytes::new(),
    }
}

#[track_caller]
fn refusal<T: std::fmt::Debug>(answer: Result<T>) -> Refusal {
    match answer.unwrap_err() {
        Failure::Refused(refusal) => refusal,
        failure => panic!("{failure:?}"),
    }
}

#[tokio::test]
async fn a_node_joins_and_comes_in_by_its_key() {
    let office = Office::new();
    let token = office
        .issue(NewJoinToken {
            name: Some("ward 7".to_owned()),
            ..new_token()
        })
        .await
        .unwrap();
    assert_eq!(token.address.to_string(), "localhost:9092");
    let key = key();
    let joined = office.join(&token, &key).await.unwrap();
    assert_eq!(joined.superlink, "localhost:9092");
    assert_eq!(joined.name.as_deref(), Some("ward 7"));
    let session = office.session(&key).await;
    assert_eq!(session.activate(30.0).await.unwrap(), joined.node);
    let nodes = office.host.link().all_nodes().await.unwrap();
    assert_eq!(nodes[0].owner.as_deref(), Some(""));
    assert_eq!(nodes[0].name.as_deref(), Some("ward 7"));
}

#[tokio::test]
async fn a_node_that_joined_is_told_the_authorities_in_its_session() {
    let office = Office::new();
    let (token, key) = (office.token().await, key());
    office.join(&token, &key).await.unwrap();
    let trust = office.session(&key).await.trust().await.unwrap();
    let tls = office.files.load().unwrap();
    assert_eq!(trust.len(), 1);
    assert_eq!(trust, tls.authorities());
}

#[tokio::test]
async fn the_same_token_and_key_again_are_the_same_node() {
    let office = Office::new();
    let (token, key) = (office.token().await, key());
    let joined = office.join(&token, &key).await.unwrap();
    assert_eq!(office.join(&token, &key).await.unwrap(), joined);
    let person = office.person().await;
    let list = person.join_tokens().await.unwrap();
    assert_eq!(list.tokens[0].uses_left, 0);
    assert_eq!(list.tokens[0].nodes, [joined.node]);
}

#[tokio::test]
async fn a_connection_over_which_a_node_joined_is_no_strangers() {
    let office = Office::new();
    let (token, key, peer) = (office.token().await, key(), at_home(HERE));
    let joining = office.joining(Some(peer.clone()));
    let mut wrong = attempt(HERE, &token, &key);
    wrong.proof = Bytes::new();
    joining.join(wrong).await.unwrap_err();
    assert!(!peer.standing.is_admitted());
    joining.join(attempt(HERE, &token, &key)).await.unwrap();
    assert!(peer.standing.is_admitted());
}
