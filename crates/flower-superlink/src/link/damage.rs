//! Lost and damaged bytes. A disk that fails for a while is a matter of trying again; bytes that are
//! gone stay gone, and whoever tried again would wait for ever.
//!
//! The objects of a message are looked at before the message is handed out: an error reply takes the
//! place of a message that cannot be given. Damage that shows only when an object is read ends the
//! run. Both say which object it is.

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{ErrorCode, Message, Metadata, Parcel};
use flwr_core::object::{ObjectId, Pulled};
use flwr_core::refusal::Refusal;
use flwr_core::run::{Outcome, Phase};
use flwr_daemon::objects::{self, Flaw, Flawed};
use tracing::error;

use super::Link;
use super::state::{Blob, StateError};
use crate::error::{Error, Result};

/// Opens the text of an error reply, in the form of Flower's own.
const INSTRUCTION_LOST: &str =
    "Error: Message Unavailable - The message cannot be given to its node any more";
const REPLY_LOST: &str =
    "Error: Reply Message Unavailable - The reply message cannot be given any more";

impl Link {
    /// What keeps a message from being given. `None`: all its objects are there, or the message went
    /// meanwhile.
    pub(super) async fn flaw_of(&self, parcel: &Parcel) -> Result<Option<Flawed>> {
        let run = parcel.message.metadata.run;
        let objects = parcel.tree.post_order().into_iter();
        let mut ids: Vec<_> = objects.map(|object| object.id).collect();
        ids.sort_unstable();
        ids.dedup();
        match self.objects.first_flaw(ids).await? {
            Some(flawed) if self.is_available(run, flawed.id).await? => Ok(Some(flawed)),
            _ => Ok(None),
        }
    }

    /// Answers an instruction that cannot be given to its node.
    pub(super) async fn answer_flawed(&self, instruction: &Metadata, flawed: Flawed) -> Result<()> {
        let Metadata { id, run, dst, .. } = *instruction;
        error!(run_id = %run, node_id = %dst, message_id = %id, %flawed, "a message cannot be given to its node");
        let reason = format!("{INSTRUCTION_LOST}: {flawed}.");
        let code = ErrorCode::MessageUnavailable;
        let (message, object) =
            Message::error_reply(instruction, NodeId::SUPERLINK, code, reason, self.now());
        match self.keep_error(run, message, object, None).await {
            // The run has ended meanwhile.
            Err(Error::Refused(refusal)) if refusal.is_about_the_run() => Ok(()),
            other => other,
        }
    }

    /// The error that takes the place of a reply that cannot be given.
    pub(super) async fn replace_flawed(&self, reply: &Message, flawed: Flawed) -> Result<Parcel> {
        let Metadata { id, run, src, .. } = reply.metadata;
        error!(run_id = %run, node_id = %src, message_id = %id, %flawed, "a reply cannot be given any more");
        // A reply has the metadata of its instruction, but for the two ends.
        let instruction = Metadata {
            id: reply.metadata.reply_to.unwrap_or(id),
            ..reply.metadata.clone()
        };
        let reason = format!("{REPLY_LOST}: {flawed}.");
        let code = ErrorCode::ReplyUnavailable;
        let (message, object) =
            Message::error_reply(&instruction, NodeId::SUPERLINK, code, reason, self.now());
        let tree = message.childless_tree();
        self.keep_error(run, message.clone(), object, Some(id))
            .await?;
        Ok(Parcel { message, tree })
    }

    /// The bytes of an object that the run counts on. Without them the run fails.
    pub(super) async fn read_object(
        &self,
        run: RunId,
        id: ObjectId,
        blob: &Blob,
    ) -> Result<Pulled> {
        let mut blob = blob.clone();
        let flaw = loop {
            let flaw = match self.objects.read(&id, &blob).await {
                Ok(Some(bytes)) => return Ok(Pulled::There(bytes)),
                Ok(None) => Flaw::Lost,
                Err(objects::Error::Flawed(flawed)) => flawed.flaw,
                Err(error) => return Err(error.into()),
            };
            match self.blob_of(run, id).await? {
                // Its message was confirmed meanwhile.
                None => return Ok(Pulled::Unknown),
                Some(now) if now == blob => break flaw,
                // And another message has brought the object again.
                Some(now) => blob = now,
            }
        };
        let flawed = Flawed { id, flaw };
        error!(run_id = %run, %flawed, "the run cannot go on");
        self.fail_run(run, &format!("The run cannot go on: {flawed}."))
            .await?;
        let phase = Phase::Finished(Outcome::Failed);
        Err(Refusal::RunIs { run, phase }.into())
    }

    /// Whether the state counts on the object. Not if the run is over.
    async fn is_available(&self, run: RunId, id: ObjectId) -> Result<bool> {
        Ok(self.blob_of(run, id).await?.is_some())
    }

    /// Where the bytes of the object stand, if the state counts on them.
    async fn blob_of(&self, run: RunId, id: ObjectId) -> Result<Option<Blob>> {
        match self.state.object(run, id).await {
            Ok(entry) => Ok(entry.and_then(|entry| entry.blob)),
            Err(StateError::Refused(refusal)) if refusal.is_about_the_run() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Fails the runs that need a FAB whose bytes are gone. Gives their number.
    pub(super) async fn fail_runs_of(&self, fab_hash: &str, flaw: Flaw) -> Result<usize> {
        let mut failed = 0;
        for run in self.state.runs().await? {
            if run.fab_hash != fab_hash || run.status.phase.is_finished() {
                continue;
            }
            let what = match flaw {
                Flaw::Lost => "is lost: its bytes are not in the storage",
                Flaw::Damaged => "is damaged: the storage has other bytes than were stored",
            };
            let reason = format!(
                "The run cannot go on: its FAB {fab_hash} {what}. Start the run again with `flwr run`."
            );
            error!(run_id = %run.id, fab_hash, "{reason}");
            self.fail_run(run.id, &reason).await?;
            failed += 1;
        }
        Ok(failed)
    }
}
