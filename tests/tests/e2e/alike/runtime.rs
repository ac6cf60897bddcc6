//! What app processes of flwr 1.23 to 1.34 may ask for in vain.

use e2e::{Federation, Release};
use flwr_client::channel::Trust;
use flwr_proto as proto;
use flwr_proto::{Metadata, Node};

use super::ask::{Caller, Proof, Table, done};
use super::reply::{NO_OBJECT, Reply, metadata};

mod tasks;
mod tokens;

/// A token of nobody.
const NO_TOKEN: &str = "0123456789abcdef";
/// The SuperLink, as which its ServerApps speak.
const SUPERLINK: u64 = 1;

/// An app process whose calls go where they should not.
pub(super) struct App {
    calls: Caller,
    release: Release,
    run: u64,
    /// Empty before one was given.
    token: String,
}

impl App {
    /// A ServerApp of this run.
    pub(super) fn at_superlink(federation: &Federation, release: Release, run: u64) -> Self {
        let service = match release.is_since(34) {
            true => "Runtime",
            false => "ServerAppIo",
        };
        let who = ("flwr-serverapp", service);
        Self {
            calls: Caller::new(federation.serverappio(), &Trust::Plaintext, who, release),
            release,
            run,
            token: String::new(),
        }
    }

    /// A ClientApp of the only node.
    pub(super) fn at_node(federation: &Federation, release: Release) -> Self {
        let service = match release.is_since(34) {
            true => "Runtime",
            false => "ClientAppIo",
        };
        let who = ("flwr-clientapp", service);
        Self {
            calls: Caller::new(federation.clientappio(0), &Trust::Plaintext, who, release),
            release,
            run: 7,
            token: String::new(),
        }
    }

    pub(super) fn table(self) -> Table {
        self.calls.table
    }

    /// Where this release shows its token, if not in the body.
    fn proof(&self, token: &str) -> Proof {
        if token.is_empty() || !self.release.is_since(29) {
            return Proof::default();
        }
        let key = match self.release.is_since(30) {
            true => "flwr-task-token",
            false => "flwr-app-token",
        };
        Proof::token(key, token)
    }

    /// Asks with this token, and notes what came of it.
    async fn ask<Q, A>(
        &mut self,
        what: &'static str,
        (method, token): (&str, &str),
        request: Q,
        told: impl Fn(&A) -> String,
    ) -> Option<A>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let proof = self.proof(token);
        self.calls.ask(what, method, request, proof, told).await
    }

    /// What releases of all families ask alike, with this token, about this run, as this node.
    async fn ask_with(&mut self, token: &str, run_id: u64, node_id: u64, whats: [&'static str; 4]) {
        let [push, pull, confirm, log] = whats;
        let (node, object_id) = (Some(Node { node_id }), NO_OBJECT.to_owned());
        let request = proto::PushObjectRequest {
            node,
            run_id,
            object_id: object_id.clone(),
            object_content: b"nothing"[..].into(),
            session_id: String::new(),
        };
        let told = |it: &proto::PushObjectResponse| format!("stored={}", it.stored);
        self.ask(push, ("PushObject", token), request, told).await;
        let request = proto::PullObjectRequest {
            node,
            run_id,
            object_id: object_id.clone(),
        };
        let told = |it: &proto::PullObjectResponse| format!("found={}", it.object_found);
        self.ask(pull, ("PullObject", token), request, told).await;
        let request = proto::ConfirmMessageReceivedRequest {
            node,
            run_id,
            message_object_id: object_id,
        };
        let told = done::<proto::ConfirmMessageReceivedResponse>;
        let method = "ConfirmMessageReceived";
        self.ask(confirm, (method, token), request, told).await;
        let request = proto::PushLogsRequest {
            node,
            run_id,
            logs: vec!["a line\n".to_owned()],
        };
        let told = done::<proto::PushLogsResponse>;
        self.ask(log, ("PushLogs", token), request, told).await;
    }

    /// An instruction to a node that is not there.
    fn instruction(run_id: u64) -> Reply {
        Reply::new(Metadata {
            run_id,
            src_node_id: SUPERLINK,
            dst_node_id: 7,
            ..metadata()
        })
    }
}
