//! What SuperNodes of flwr 1.23 to 1.39 may ask for in vain.

use bytes::Bytes;
use e2e::{Federation, Release};
use flwr_client::channel::Trust;
use flwr_proto as proto;
use flwr_proto::Node;
use flwr_security::key::PrivateKey;
use flwr_security::signature::{SignatureHeaders, sign};
use time::{Duration, OffsetDateTime};
use tonic::Status;

use super::ask::{Caller, Proof, Table, done};

mod runs;

/// Seconds.
const INTERVAL: f64 = 30.0;

/// A SuperNode whose calls go where they should not.
pub(super) struct Stray {
    fleet: Caller,
    key: PrivateKey,
    id: u64,
}

fn headers(key: &PrivateKey, age: i64) -> SignatureHeaders {
    sign(key, OffsetDateTime::now_utc() - Duration::seconds(age)).unwrap()
}

fn signed(key: &PrivateKey) -> Proof {
    Proof::signature(&headers(key, 0))
}

fn pem(key: &PrivateKey) -> Bytes {
    key.public_key().to_pem().into()
}

fn new_key() -> PrivateKey {
    PrivateKey::generate().unwrap()
}

const fn node(node_id: u64) -> Option<Node> {
    Some(Node { node_id })
}

fn alive(answer: &proto::SendNodeHeartbeatResponse) -> String {
    format!("success={}", answer.success)
}

fn pulled(answer: &proto::PullMessagesResponse) -> String {
    format!("{} messages", answer.messages_list.len())
}

impl Stray {
    pub(super) fn new(federation: &Federation, trust: &Trust, release: Release) -> Self {
        let who = ("SuperNode", "Fleet");
        Self {
            fleet: Caller::new(federation.fleet(), trust, who, release),
            key: new_key(),
            id: 0,
        }
    }

    pub(super) fn table(self) -> Table {
        self.fleet.table
    }

    fn proof(&self) -> Proof {
        signed(&self.key)
    }

    async fn register(&mut self, what: &'static str, body: Bytes, proof: Proof) -> Option<u64> {
        let request = proto::RegisterNodeFleetRequest { public_key: body };
        let registered: Option<proto::RegisterNodeFleetResponse> = self
            .fleet
            .ask(what, "RegisterNode", request, proof, done)
            .await;
        registered.map(|answer| answer.node_id)
    }

    async fn activate(&mut self, what: &'static str, key: &PrivateKey, interval: f64) -> bool {
        let request = proto::ActivateNodeRequest {
            public_key: pem(key),
            heartbeat_interval: interval,
        };
        let told = done::<proto::ActivateNodeResponse>;
        let activated = self
            .fleet
            .ask(what, "ActivateNode", request, signed(key), told);
        activated.await.is_some()
    }

    async fn beat(&mut self, what: &'static str, id: u64, interval: f64) {
        let request = proto::SendNodeHeartbeatRequest {
            node: node(id),
            heartbeat_interval: interval,
        };
        let proof = self.proof();
        let _ = self
            .fleet
            .ask(what, "SendNodeHeartbeat", request, proof, alive)
            .await;
    }

    async fn pull(&mut self, what: &'static str, id: u64) -> Option<proto::PullMessagesResponse> {
        let request = proto::PullMessagesRequest {
            node: node(id),
            message_ids: vec![],
        };
        let proof = self.proof();
        self.fleet
            .ask(what, "PullMessages", request, proof, pulled)
            .await
    }

    async fn leave(&mut self, what: &'static str, id: u64) {
        let request = proto::DeactivateNodeRequest { node_id: id };
        let told = done::<proto::DeactivateNodeResponse>;
        let proof = self.proof();
        let _ = self
            .fleet
            .ask(what, "DeactivateNode", request, proof, told)
            .await;
    }

    async fn unregister(&mut self, what: &'static str, id: u64) {
        let request = proto::UnregisterNodeFleetRequest { node_id: id };
        let told = done::<proto::UnregisterNodeFleetResponse>;
        let proof = self.proof();
        let _ = self
            .fleet
            .ask(what, "UnregisterNode", request, proof, told)
            .await;
    }

    /// Registers and activates the node.
    pub(super) async fn join(&mut self) {
        let (body, proof, key) = (pem(&self.key), self.proof(), self.key.clone());
        self.id = self.register("registration", body, proof).await.unwrap();
        assert!(self.activate("activation", &key, INTERVAL).await);
    }

    /// Signatures that prove nothing, and keys that are none.
    pub(super) async fn prove_nothing(&mut self) {
        let body = pem(&self.key);
        let _ = self
            .register("no signature", body.clone(), Proof::default())
            .await;
        let other = SignatureHeaders {
            public_key: body.clone(),
            ..headers(&new_key(), 0)
        };
        let proof = Proof::signature(&other);
        let _ = self
            .register("a signature of another key", body.clone(), proof)
            .await;
        for (what, age) in [("an old signature", 310), ("a signature of later", -15)] {
            let proof = Proof::signature(&headers(&self.key, age));
            let _ = self.register(what, body.clone(), proof).await;
        }
        let proof = self.proof();
        let _ = self
            .register("registration of no key", Bytes::from_static(b"junk"), proof)
            .await;
        let (proof, body) = (self.proof(), pem(&new_key()));
        let _ = self
            .register("registration of another's key", body, proof)
            .await;
    }

    /// A node's life, out of order.
    pub(super) async fn live_out_of_order(&mut self) {
        self.beat("heartbeat of an unknown key", 7, INTERVAL).await;
        let _ = self.pull("pull of an unknown key", 7).await;
        let unknown = new_key();
        let _ = self
            .activate("activation of an unknown key", &unknown, INTERVAL)
            .await;
        let (body, proof) = (pem(&self.key), self.proof());
        let id = self
            .register("registration", body.clone(), proof)
            .await
            .unwrap();
        self.id = id;
        let proof = self.proof();
        let _ = self
            .register("registration of a key twice", body, proof)
            .await;
        self.leave("end of a session that has not begun", id).await;
        let key = self.key.clone();
        for (what, interval) in [
            ("activation with too short an interval", 9.9),
            ("activation with too long an interval", 1801.0),
        ] {
            let _ = self.activate(what, &key, interval).await;
        }
        assert!(self.activate("activation", &key, INTERVAL).await);
        let _ = self.activate("activation twice", &key, INTERVAL).await;
        for (what, interval) in [
            ("heartbeat with too short an interval", 9.9),
            ("heartbeat with too long an interval", 1801.0),
        ] {
            self.beat(what, id, interval).await;
        }
        self.beat("heartbeat", id, INTERVAL).await;
        let other = id.wrapping_add(1);
        self.beat("heartbeat of another node", other, INTERVAL)
            .await;
        let _ = self.pull("pull of another node", other).await;
        self.leave("end of another's session", other).await;
        self.unregister("unregistration of another node", other)
            .await;
    }

    /// After [`Self::live_out_of_order`].
    pub(super) async fn end_out_of_order(&mut self) {
        let (id, key) = (self.id, self.key.clone());
        self.leave("end of a session", id).await;
        self.leave("end of a session twice", id).await;
        let _ = self.pull("pull while offline", id).await;
        self.beat("heartbeat while offline", id, INTERVAL).await;
        self.leave("end of the session of a heartbeat", id).await;
        self.unregister("unregistration", id).await;
        self.unregister("unregistration twice", id).await;
        self.beat("heartbeat after unregistration", id, INTERVAL)
            .await;
        let _ = self
            .activate("activation after unregistration", &key, INTERVAL)
            .await;
        let (body, proof) = (pem(&key), self.proof());
        let _ = self
            .register("registration after unregistration", body, proof)
            .await;
    }

    /// What people register here, nodes do not.
    pub(super) async fn come_unregistered(&mut self) {
        let (body, proof, key) = (pem(&self.key), self.proof(), self.key.clone());
        let _ = self
            .register("registration where people do that", body, proof)
            .await;
        let what = "activation where nobody has registered the key";
        let _ = self.activate(what, &key, INTERVAL).await;
        self.beat("heartbeat where nobody has registered the key", 7, INTERVAL)
            .await;
    }

    /// The key was registered by a person, who unregisters it in the midst of it.
    pub(super) async fn be_unregistered(&mut self, people: &mut Caller) {
        let key = self.key.clone();
        let request = proto::RegisterNodeRequest {
            public_key: pem(&key),
            ..proto::RegisterNodeRequest::default()
        };
        let registered: Result<proto::RegisterNodeResponse, Status> =
            people.call("RegisterNode", request, Proof::default()).await;
        let id = registered.unwrap().node_id.unwrap();
        let what = "activation of a key that a person registered";
        assert!(self.activate(what, &key, INTERVAL).await);
        self.unregister("unregistration where people do that", id)
            .await;
        let request = proto::UnregisterNodeRequest { node_id: id };
        let unregistered: Result<proto::UnregisterNodeResponse, Status> = people
            .call("UnregisterNode", request, Proof::default())
            .await;
        let _ = unregistered.unwrap();
        self.beat(
            "heartbeat of a node that a person unregistered",
            id,
            INTERVAL,
        )
        .await;
        let what = "activation of a key that a person unregistered";
        let _ = self.activate(what, &key, INTERVAL).await;
    }
}
