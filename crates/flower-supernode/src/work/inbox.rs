//! The instruction, with all that the ClientApp needs for it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use flwr_core::context::Context;
use flwr_core::message::{Message, Metadata, Parcel};
use flwr_core::monotonic;
use flwr_core::object::{ObjectId, ObjectTree};
use flwr_daemon::apps::AppBundle;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::runs::RunInputs;

/// An instruction whose objects are all here.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) message: Message,
    /// What it is made of.
    pub(crate) tree: ObjectTree,
    /// Its run, app bundle and Context.
    pub(crate) inputs: Arc<RunInputs>,
    pub(crate) context: Context,
    /// Freed once the ClientApp has them.
    objects: Mutex<HashMap<ObjectId, Bytes>>,
    /// When the ClientApp got the message.
    taken_at: OnceLock<Instant>,
}

impl Inbox {
    pub(crate) fn new(
        message: Message,
        tree: ObjectTree,
        inputs: Arc<RunInputs>,
        context: Context,
        objects: HashMap<ObjectId, Bytes>,
    ) -> Self {
        Self {
            message,
            tree,
            inputs,
            context,
            objects: Mutex::new(objects),
            taken_at: OnceLock::new(),
        }
    }

    /// The message, for the ClientApp. Its time runs from the first call on.
    pub(crate) fn take(&self) -> Parcel {
        self.taken_at.get_or_init(monotonic::now);
        Parcel {
            message: self.message.clone(),
            tree: self.tree.clone(),
        }
    }

    /// How long the ClientApp has the message. `None`: it has not taken the message.
    pub(crate) fn taken_for(&self) -> Option<Duration> {
        let taken_at = self.taken_at.get()?;
        Some(monotonic::now().saturating_duration_since(*taken_at))
    }

    /// What the instruction says of itself.
    pub(crate) const fn metadata(&self) -> &Metadata {
        &self.message.metadata
    }

    /// The app that works on the instruction.
    pub(crate) fn app(&self) -> AppBundle<'_> {
        let RunInputs { run, fab, .. } = &*self.inputs;
        AppBundle {
            fab_id: &run.fab_id,
            fab_version: &run.fab_version,
            fab_hash: &fab.hash,
            content: &fab.bytes,
            flwr_dir: None,
        }
    }

    pub(crate) fn object(&self, id: &ObjectId) -> Option<Bytes> {
        self.objects.lock().get(id).cloned()
    }

    /// The ClientApp has all objects: a model need not be in memory twice.
    pub(crate) fn free(&self) {
        *self.objects.lock() = HashMap::new();
    }
}
