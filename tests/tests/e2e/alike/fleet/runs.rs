//! What SuperNodes may ask about runs in vain.

use e2e::{App, Federation};
use flwr_proto as proto;
use flwr_proto::Metadata;
use tonic::Status;

use super::super::OURS;
use super::super::ask::done;
use super::super::reply::{NO_OBJECT, Reply, metadata as reply_metadata};
use super::{Stray, node};

fn stored(answer: &proto::PushObjectResponse) -> String {
    format!("stored={}", answer.stored)
}

fn found(answer: &proto::PullObjectResponse) -> String {
    let proto::PullObjectResponse {
        object_found,
        object_available,
        ..
    } = answer;
    format!("found={object_found}, available={object_available}")
}

fn pushed(answer: &proto::PushMessagesResponse) -> String {
    let results: Vec<_> = answer.results.values().collect();
    format!("{results:?}, {} objects", answer.objects_to_push.len())
}

impl Stray {
    /// The calls about a run, which is not running.
    pub(in super::super) async fn ask_about(&mut self, run_id: u64, whats: [&'static str; 6]) {
        let [run, fab, push, push_object, pull_object, confirm] = whats;
        let node = node(self.id);
        let proof = self.proof();
        let request = proto::GetRunRequest { node, run_id };
        let told = done::<proto::GetRunResponse>;
        let _ = self.fleet.ask(run, "GetRun", request, proof, told).await;
        let proof = self.proof();
        let request = proto::GetFabRequest {
            node,
            hash_str: NO_OBJECT.to_owned(),
            run_id,
        };
        let told = done::<proto::GetFabResponse>;
        let _ = self.fleet.ask(fab, "GetFab", request, proof, told).await;
        let reply = Reply::new(Metadata {
            run_id,
            src_node_id: self.id,
            reply_to_message_id: NO_OBJECT.to_owned(),
            ..reply_metadata()
        });
        let _ = self.push(push, reply).await;
        self.push_object(push_object, run_id, NO_OBJECT, b"nothing")
            .await;
        self.pull_object(pull_object, run_id, NO_OBJECT).await;
        self.confirm(confirm, run_id, NO_OBJECT).await;
    }

    async fn push(
        &mut self,
        what: &'static str,
        Reply { message, tree, .. }: Reply,
    ) -> Option<proto::PushMessagesResponse> {
        let request = proto::PushMessagesRequest {
            node: node(self.id),
            messages_list: vec![message],
            message_object_trees: vec![tree],
            clientapp_runtime_list: vec![1.0],
        };
        let proof = self.proof();
        self.fleet
            .ask(what, "PushMessages", request, proof, pushed)
            .await
    }

    async fn push_object(&mut self, what: &'static str, run_id: u64, id: &str, content: &[u8]) {
        self.push_object_in("", what, run_id, (id, content)).await;
    }

    /// In the session of an upload, which flwr 1.33 and later have.
    async fn push_object_in(
        &mut self,
        session: &str,
        what: &'static str,
        run_id: u64,
        (id, content): (&str, &[u8]),
    ) {
        let request = proto::PushObjectRequest {
            node: node(self.id),
            run_id,
            object_id: id.to_owned(),
            object_content: content.to_vec().into(),
            session_id: session.to_owned(),
        };
        let proof = self.proof();
        let _ = self
            .fleet
            .ask(what, "PushObject", request, proof, stored)
            .await;
    }

    async fn pull_object(&mut self, what: &'static str, run_id: u64, id: &str) {
        let request = proto::PullObjectRequest {
            node: node(self.id),
            run_id,
            object_id: id.to_owned(),
        };
        let proof = self.proof();
        let _ = self
            .fleet
            .ask(what, "PullObject", request, proof, found)
            .await;
    }

    async fn confirm(&mut self, what: &'static str, run_id: u64, id: &str) {
        let request = proto::ConfirmMessageReceivedRequest {
            node: node(self.id),
            run_id,
            message_object_id: id.to_owned(),
        };
        let told = done::<proto::ConfirmMessageReceivedResponse>;
        let proof = self.proof();
        let _ = self
            .fleet
            .ask(what, "ConfirmMessageReceived", request, proof, told)
            .await;
    }

    /// The ServerApp of a run asks this node, which answers amiss. Gives the run.
    pub(in super::super) async fn answer_amiss(
        &mut self,
        federation: &Federation,
        app: &App,
    ) -> u64 {
        let flwr = federation.flwr(OURS);
        let run = flwr.start(app, "server=\"stay\"");
        let instruction = loop {
            let request = proto::PullMessagesRequest {
                node: node(self.id),
                message_ids: vec![],
            };
            let answer: Result<proto::PullMessagesResponse, Status> =
                self.fleet.call("PullMessages", request, self.proof()).await;
            let mut messages = answer.unwrap().messages_list;
            if let Some(message) = messages.pop() {
                break message.metadata.unwrap();
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        };
        let request = proto::GetFabRequest {
            node: node(self.id),
            hash_str: NO_OBJECT.to_owned(),
            run_id: run,
        };
        let (told, proof) = (done::<proto::GetFabResponse>, self.proof());
        let _ = self
            .fleet
            .ask("a FAB of another hash", "GetFab", request, proof, told)
            .await;
        self.pull_object("pull of an unknown object", run, NO_OBJECT)
            .await;
        self.push_object("push of an unknown object", run, NO_OBJECT, b"nothing")
            .await;
        self.confirm("confirmation of an unknown message", run, NO_OBJECT)
            .await;
        let metadata = |reply_to: &str| Metadata {
            run_id: run,
            src_node_id: self.id,
            reply_to_message_id: reply_to.to_owned(),
            ..reply_metadata()
        };
        let stray = Reply::new(metadata(NO_OBJECT));
        let good = Reply::new(metadata(&instruction.message_id));
        let late = Reply::new(Metadata {
            ttl: 7200.0,
            ..metadata(&instruction.message_id)
        });
        let _ = self.push("reply to an unknown message", stray).await;
        let _ = self.push("reply that lives too long", late).await;
        let (id, content) = (good.tree.object_id.clone(), good.object.clone());
        let _ = self.push("reply", good.clone()).await;
        let _ = self.push("reply twice", good).await;
        self.push_object("push of other bytes", run, &id, b"nothing")
            .await;
        if self.fleet.release().is_since(33) {
            let what = "push in an unknown session";
            let session = "00000000-0000-4000-8000-000000000000";
            self.push_object_in(session, what, run, (&id, &content))
                .await;
        } else {
            self.push_object("push", run, &id, &content).await;
        }
        run
    }
}
