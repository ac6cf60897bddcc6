//! Moving objects: what a message is made of, eight at a time (flwr 1.22's bound).

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use flwr_core::id::{NodeId, RunId};
use flwr_core::object::ObjectId;
use flwr_proto as proto;
use futures::{StreamExt, TryStreamExt, stream};
use rand::Rng;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::{Link, Patience, Refusal};

const AT_ONCE: usize = 8;
/// The first wait for an object that its maker has not delivered yet. flwr 1.22 starts with a
/// second; most objects are there much sooner.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How often corrupt bytes are asked for again.
const CORRUPT_TRIES: u32 = 3;
/// Larger objects are hashed off the async workers.
const LARGE: usize = 256 * 1024;

/// Transfers for one message.
#[derive(Debug)]
pub(crate) struct Transfer<'a> {
    pub(crate) link: &'a Link,
    pub(crate) node: NodeId,
    pub(crate) run: RunId,
}

/// Why a message's objects could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("object {0} of the message is no longer at the SuperLink")]
    Missing(ObjectId),
    #[error("object {0} came with other bytes than its id says")]
    Corrupt(ObjectId),
}

/// What one request for an object brought.
enum Pulled {
    Content(Bytes),
    NotYet,
    Missing,
}

impl Transfer<'_> {
    /// Pulls all of `ids`, each once, and checks their bytes. Waits, without end of its own, for
    /// objects that are announced and not there yet.
    pub(crate) async fn pull(
        &self,
        ids: BTreeSet<ObjectId>,
    ) -> Result<HashMap<ObjectId, Bytes>, TransferError> {
        stream::iter(
            ids.into_iter()
                .map(|id| async move { Ok((id, self.pull_one(id).await?)) }),
        )
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
    }

    async fn pull_one(&self, id: ObjectId) -> Result<Bytes, TransferError> {
        let mut wait = FIRST_WAIT;
        let mut corrupt = 0;
        loop {
            match self.ask_for(id).await? {
                Pulled::Missing => return Err(TransferError::Missing(id)),
                Pulled::Content(content) if is_intact(id, &content).await => return Ok(content),
                Pulled::Content(_) => {
                    corrupt += 1;
                    warn!(object_id = %id, "an object came with other bytes than its id says");
                    if corrupt == CORRUPT_TRIES {
                        return Err(TransferError::Corrupt(id));
                    }
                }
                Pulled::NotYet => {
                    debug!(object_id = %id, "the SuperLink does not have an object yet")
                }
            }
            let jitter = rand::rng().random_range(0.8..=1.2);
            sleep(wait.mul_f64(jitter)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn ask_for(&self, id: ObjectId) -> Result<Pulled, Refusal> {
        let run_id = self.run.0;
        let answer = self
            .link
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
        Ok(match (answer.object_found, answer.object_available) {
            (false, _) => Pulled::Missing,
            (true, false) => Pulled::NotYet,
            (true, true) => Pulled::Content(answer.object_content),
        })
    }

    /// Tells the SuperLink that the message and all its objects are here.
    pub(crate) async fn confirm(&self, message: ObjectId) -> Result<(), Refusal> {
        let run_id = self.run.0;
        self.link
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
    pub(crate) async fn push(
        &self,
        message: &proto::Message,
        tree: &proto::ObjectTree,
        objects: &HashMap<ObjectId, Bytes>,
    ) -> Result<(), Refusal> {
        let answer = self
            .link
            .call(self.node, Patience::Reply, |mut fleet, node| {
                let request = proto::PushMessagesRequest {
                    node: Some(node),
                    messages_list: vec![message.clone()],
                    message_object_trees: vec![tree.clone()],
                };
                async move { fleet.push_messages(request).await }
            })
            .await?;
        if !answer.results.contains_key(&tree.object_id) {
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
        stream::iter(
            wanted
                .into_iter()
                .map(|(id, content)| self.push_one(id, content)),
        )
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
    }

    async fn push_one(&self, id: ObjectId, content: Bytes) -> Result<(), Refusal> {
        let run_id = self.run.0;
        let answer = self
            .link
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

/// Whether these bytes are those that `id` names.
pub(crate) async fn is_intact(id: ObjectId, content: &Bytes) -> bool {
    if content.len() < LARGE {
        return ObjectId::of(content) == id;
    }
    let content = content.clone();
    spawn_blocking(move || ObjectId::of(&content) == id)
        .await
        .unwrap_or(false)
}
