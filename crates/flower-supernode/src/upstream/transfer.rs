//! The objects of a message: pulled from the SuperLink and pushed to it.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use flwr_client::transfer::{self, Check, Objects, TransferError};
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{MessageId, Parcel};
use flwr_core::object::{ObjectId, Pulled};
use flwr_core::port::Fleet as _;
use futures::TryStreamExt;
use tracing::{info, warn};

use super::{NoAnswer, Patience, Upstream};
use crate::store::Reply;

/// How often a reply is announced whose objects are not taken. A node registers seldom.
const ANNOUNCEMENTS: u32 = 4;

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
    ) -> Result<HashMap<ObjectId, Bytes>, TransferError<NoAnswer>> {
        transfer::pull(self, ids, Check::Hash).try_collect().await
    }

    /// Tells the SuperLink that the message and all its objects are here.
    pub(crate) async fn confirm(&self, message: MessageId) -> Result<(), NoAnswer> {
        let run = self.run;
        let confirm = self
            .upstream
            .call(self.node, Patience::Few, |fleet| async move {
                fleet.confirm(run, message).await
            });
        confirm.await
    }

    /// Announces a reply, and pushes the objects that the SuperLink asks for. Where the node registers
    /// meanwhile, the SuperLink forgets the announcement and takes no object of the reply: the reply is
    /// announced again then.
    ///
    /// # Errors
    /// [`NoAnswer::NotTaken`], where the objects are not taken after [`ANNOUNCEMENTS`] either: the
    /// SuperLink does not have the reply.
    pub(crate) async fn push_reply(&self, reply: &Reply) -> Result<(), NoAnswer> {
        for _ in 0..ANNOUNCEMENTS {
            let Some(missing) = self.announce(reply).await? else {
                // After a lost answer this may only say that the first try arrived.
                warn!(
                    "the SuperLink did not take the reply: its instruction may have expired, or been answered"
                );
                return Ok(());
            };
            let wanted = missing.into_iter();
            let wanted = wanted.filter_map(|id| Some((id, reply.objects.get(&id)?.clone())));
            if transfer::push(self, wanted.collect::<Vec<_>>()).await? {
                return Ok(());
            }
            info!("the SuperLink did not take all objects of the reply");
        }
        Err(NoAnswer::NotTaken)
    }

    /// The objects that the SuperLink asks for. `None`: it does not take the reply.
    async fn announce(&self, reply: &Reply) -> Result<Option<Vec<ObjectId>>, NoAnswer> {
        let announce = self.upstream.call(self.node, Patience::Reply, |fleet| {
            let (message, tree) = (reply.message.clone(), reply.tree.clone());
            async move { fleet.push(Parcel { message, tree }, reply.worked).await }
        });
        announce.await
    }
}

impl Objects for Transfer<'_> {
    type Error = NoAnswer;

    async fn pull(&self, id: ObjectId) -> Result<Pulled, NoAnswer> {
        let run = self.run;
        let pull = self
            .upstream
            .call(self.node, Patience::Few, |fleet| async move {
                fleet.pull_object(run, id).await
            });
        pull.await
    }

    async fn push(&self, id: ObjectId, content: Bytes) -> Result<bool, NoAnswer> {
        let run = self.run;
        let push = self.upstream.call(self.node, Patience::Reply, |fleet| {
            let content = content.clone();
            async move { fleet.push_object(run, id, content).await }
        });
        push.await
    }
}
