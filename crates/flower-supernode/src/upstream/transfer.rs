//! The objects of a message: pulled from the SuperLink and pushed to it.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use flwr_client::transfer::{self, Check, Objects, Pulled, TransferError};
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::Message;
use flwr_core::object::{ObjectId, ObjectTree};
use flwr_proto as proto;
use futures::TryStreamExt;
use tracing::warn;

use super::{Patience, Refusal, Upstream};

/// Transfers for one message.
#[derive(Debug)]
pub(crate) struct Transfer<'a> {
    pub(crate) upstream: &'a Upstream,
    pub(crate) node: NodeId,
    pub(crate) run: RunId,
}

impl Transfer<'_> {
    /// Pulls all of `ids`, each once, and checks their bytes. Waits, without end of its own, for
    /// objects that are announced and not there yet.
    pub(crate) async fn pull_all(
        &self,
        ids: BTreeSet<ObjectId>,
    ) -> Result<HashMap<ObjectId, Bytes>, TransferError<Refusal>> {
        transfer::pull(self, ids, Check::Hash).try_collect().await
    }

    /// Tells the SuperLink that the message and all its objects are here.
    pub(crate) async fn confirm(&self, message: ObjectId) -> Result<(), Refusal> {
        let run_id = self.run.0;
        self.upstream
            .call(self.node, Patience::Few, |mut fleet, node| async move {
                let message_object_id = message.to_string();
                fleet
                    .confirm_message_received(proto::ConfirmMessageReceivedRequest {
                        node: Some(node),
                        run_id,
                        message_object_id,
                    })
                    .await
            })
            .await?;
        Ok(())
    }

    /// Announces a reply, and pushes the objects that the SuperLink asks for.
    pub(crate) async fn push_reply(
        &self,
        message: &Message,
        tree: &ObjectTree,
        objects: &HashMap<ObjectId, Bytes>,
    ) -> Result<(), Refusal> {
        let answer = self
            .upstream
            .call(self.node, Patience::Reply, |mut fleet, node| {
                let request = proto::PushMessagesRequest {
                    node: Some(node),
                    messages_list: vec![message.clone().into()],
                    message_object_trees: vec![tree.clone().into()],
                };
                async move { fleet.push_messages(request).await }
            })
            .await?;
        if !answer.results.contains_key(&tree.id.to_string()) {
            // After a lost answer this may only say that the first try arrived.
            warn!(
                "the SuperLink did not take the reply: its instruction may have expired, or been answered"
            );
        }
        let wanted = answer
            .objects_to_push
            .iter()
            .filter_map(|text| text.parse::<ObjectId>().ok());
        let wanted: Vec<_> = wanted
            .filter_map(|id| Some((id, objects.get(&id)?.clone())))
            .collect();
        transfer::push(self, wanted).await
    }
}

impl Objects for Transfer<'_> {
    type Error = Refusal;

    async fn pull(&self, id: ObjectId) -> Result<Pulled, Refusal> {
        let run_id = self.run.0;
        let answer = self
            .upstream
            .call(self.node, Patience::Few, |mut fleet, node| async move {
                fleet
                    .pull_object(proto::PullObjectRequest {
                        node: Some(node),
                        run_id,
                        object_id: id.to_string(),
                    })
                    .await
            })
            .await?;
        Ok(answer.into())
    }

    async fn push(&self, id: ObjectId, content: Bytes) -> Result<(), Refusal> {
        let run_id = self.run.0;
        let answer = self
            .upstream
            .call(self.node, Patience::Reply, |mut fleet, node| {
                let request = proto::PushObjectRequest {
                    node: Some(node),
                    run_id,
                    object_id: id.to_string(),
                    object_content: content.clone(),
                };
                async move { fleet.push_object(request).await }
            })
            .await?;
        if !answer.stored {
            warn!(object_id = %id, "the SuperLink did not take an object of the reply");
        }
        Ok(())
    }
}
