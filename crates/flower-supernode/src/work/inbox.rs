//! The instruction, with all that the ClientApp needs for it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use flwr_core::message::Metadata;
use flwr_core::object::ObjectId;
use flwr_daemon::apps::AppBundle;
use flwr_proto as proto;
use parking_lot::Mutex;

use super::runs::RunInputs;

/// An instruction whose objects are all here.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// What the instruction says of itself, checked.
    pub(crate) metadata: Metadata,
    /// The instruction as it came.
    pub(crate) message: proto::Message,
    /// What it is made of.
    pub(crate) tree: proto::ObjectTree,
    /// Its run, app bundle and Context.
    pub(crate) inputs: Arc<RunInputs>,
    pub(crate) context: proto::Context,
    /// Freed once the ClientApp has them.
    objects: Mutex<HashMap<ObjectId, Bytes>>,
}

impl Inbox {
    pub(crate) fn new(
        metadata: Metadata,
        message: proto::Message,
        tree: proto::ObjectTree,
        inputs: Arc<RunInputs>,
        context: proto::Context,
        objects: HashMap<ObjectId, Bytes>,
    ) -> Self {
        Self {
            metadata,
            message,
            tree,
            inputs,
            context,
            objects: Mutex::new(objects),
        }
    }

    /// The app that works on the instruction.
    pub(crate) fn app(&self) -> AppBundle<'_> {
        let RunInputs { run, fab, .. } = &*self.inputs;
        AppBundle {
            fab_id: &run.fab_id,
            fab_version: &run.fab_version,
            fab_hash: &fab.hash_str,
            content: &fab.content,
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
