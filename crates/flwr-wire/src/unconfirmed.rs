//! Unconfirmed replies. ServerApps of flwr 1.8 to 1.18 never confirm a reply. A reply counts as
//! confirmed when the ServerApp's next request no longer asks for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::message::MessageId;
use flwr_core::port::runtime::Asked;
use flwr_core::port::{Result, Runtime};
use parking_lot::Mutex;
use tracing::error;

use crate::host::ServerAppHost;
use crate::inflate::{self, Inflated};

/// The instructions of each run whose replies were sent and not confirmed, with the reply.
#[derive(Debug, Default)]
pub(crate) struct Unconfirmed(ByRun<HashMap<MessageId, MessageId>>);

impl Unconfirmed {
    /// The replies that are there, as `make` makes them what the ServerApp knows. A reply of which
    /// nothing can be made is left out.
    pub(crate) async fn replies<H: ServerAppHost, T>(
        self: &Arc<Self>,
        host: &H,
        runtime: &Arc<H::Runtime>,
        run: RunId,
        asked: Vec<Option<MessageId>>,
        patience: Duration,
        make: impl Fn(Inflated) -> std::result::Result<T, String>,
    ) -> Result<Vec<T>> {
        self.confirm_arrived(host, runtime, run, &asked).await?;
        let mut replies = Vec::new();
        let parcels = runtime.receive(Asked::Replies(asked), patience).await?;
        self.0.forget_finished(host).await?;
        for parcel in parcels {
            let metadata = parcel.message.metadata.clone();
            let pull = |_, id| runtime.pull_object(id);
            match inflate::inflate(parcel, pull, &make).await? {
                Ok(reply) => {
                    self.note(run, metadata.reply_to, metadata.id);
                    replies.push(reply);
                }
                Err(why) => {
                    error!(run_id = %run, message_id = %metadata.id, why, "a reply cannot be put together, and is left out");
                }
            }
        }
        Ok(replies)
    }

    /// Confirms the replies that nobody asks for any more.
    async fn confirm_arrived<H: ServerAppHost>(
        self: &Arc<Self>,
        host: &H,
        runtime: &Arc<H::Runtime>,
        run: RunId,
        asked: &[Option<MessageId>],
    ) -> Result<()> {
        let (unconfirmed, runtime) = (Arc::clone(self), Arc::clone(runtime));
        let asked = asked.to_vec();
        // A reply that is taken out here and not confirmed would stay until its run is over.
        let confirmed = async move {
            for reply in unconfirmed.take_not_asked(run, &asked) {
                runtime.confirm(reply).await?;
            }
            Ok(())
        };
        host.complete(Box::pin(confirmed)).await
    }

    fn note(&self, run: RunId, instruction: Option<MessageId>, reply: MessageId) {
        if let Some(instruction) = instruction {
            let mut runs = self.0.0.lock();
            runs.entry(run).or_default().insert(instruction, reply);
        }
    }

    /// The replies that have arrived: nobody asks for them any more.
    fn take_not_asked(&self, run: RunId, asked: &[Option<MessageId>]) -> Vec<MessageId> {
        let asked: BTreeSet<_> = asked.iter().flatten().collect();
        let mut runs = self.0.0.lock();
        let Some(replies) = runs.get_mut(&run) else {
            return Vec::new();
        };
        let arrived = replies.extract_if(|instruction, _| !asked.contains(instruction));
        let arrived = arrived.map(|(_, reply)| reply).collect();
        if replies.is_empty() {
            runs.remove(&run);
        }
        arrived
    }
}

/// What a generation remembers of each run whose ServerApp does not say when it is over.
#[derive(Debug)]
pub(crate) struct ByRun<T>(Mutex<HashMap<RunId, T>>);

impl<T> Default for ByRun<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Copy> ByRun<T> {
    pub(crate) fn get(&self, run: RunId) -> Option<T> {
        self.0.lock().get(&run).copied()
    }

    pub(crate) fn insert(&self, run: RunId, value: T) {
        self.0.lock().insert(run, value);
    }
}

impl<T> ByRun<T> {
    /// Forgets the runs that are over.
    pub(crate) async fn forget_finished<H: ServerAppHost>(&self, host: &H) -> Result<()> {
        let known: Vec<_> = self.0.lock().keys().copied().collect();
        for run in known {
            if host.is_over(run).await? {
                self.0.lock().remove(&run);
            }
        }
        Ok(())
    }
}
