//! What is kept, and what goes: finished runs that nobody wants any more, nodes that are gone for
//! good, and the space that both leave.

use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::monotonic;
use flwr_core::refusal::Refusal;
use flwr_security::key::PublicKey;
use tracing::info;

use super::Link;
use super::blobs::Swept;
use super::commit::Stores;
use super::permission::Principal;
use super::state::{Keep, KnownNode, Usage};
use super::wake::Topic;
use crate::error::{Error, Result};

/// Seconds after which an unregistered node is forgotten: a day. Nobody comes back with its id.
const UNREGISTERED: f64 = DAY;
/// Seconds offline after which a node is forgotten that no list names: 30 days. Should the node
/// come back, it gets another id.
const GONE: f64 = 30.0 * DAY;
/// The same for a node that has shown no key. It has its id until its process ends, and may be cut
/// off for a while before that.
const KEYLESS: f64 = DAY;
/// The same for a node that was of no use yet: it got no message, and was not there for a day.
/// Anybody can register nodes where there is no list.
const UNUSED: f64 = 3_600.0;
const DAY: f64 = 86_400.0;
/// How long the bytes of a name stay that nothing uses any more: whoever has just looked the name up
/// reads them to the end.
const UNUSED_NAMES: Duration = Duration::from_secs(60);
/// Names that are swept at once: a bucket deletes so many with one request.
const NAMES: usize = 1000;
/// How long a call waits for the ServerApp process of the run to end: a run that was stopped is
/// over before its process is.
const ENDING: Duration = Duration::from_secs(20);
/// Runs that are looked up at once. Each is deleted by itself, so that nobody waits for many.
const BATCH: usize = 32;

/// What takes the space.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// Runs, logs and nodes.
    pub state: Usage,
    /// Bytes of message objects.
    pub objects: u64,
    /// Bytes of FABs.
    pub fabs: u64,
}

impl Link {
    /// What takes the space.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn space(&self) -> Result<Space> {
        let state = self.state.usage().await?;
        Ok(Space {
            state,
            objects: self.objects.uncounted() + state.object_bytes,
            fabs: self.fabs.uncounted() + state.fab_bytes,
        })
    }

    /// Deletes a finished run and its log, for somebody who may touch it. Waits a while for the
    /// ServerApp process to end.
    ///
    /// # Errors
    /// If the run is not known, not the principal's, or not finished.
    pub async fn delete_run(&self, principal: &Principal, run: RunId) -> Result<()> {
        let phase = self.run_of(principal, run).await?.status.phase;
        if !phase.is_finished() {
            return Err(Refusal::NotFinished { run, phase }.into());
        }
        let listener = self.wake.listen(Topic::Run(run));
        let deadline = monotonic::now() + ENDING;
        loop {
            let changed = listener.next();
            match self.delete(run).await {
                Ok(()) => {
                    self.forget_run(run);
                    break;
                }
                Err(Error::Refused(refusal @ Refusal::ProcessLives(_))) => {
                    let ended = self.wait(changed, deadline).await;
                    ended.ok_or(refusal)?;
                }
                Err(error) => return Err(error),
            }
        }
        info!(run_id = %run, by = principal.account(), "run deleted");
        Ok(())
    }

    /// Deletes the finished runs that are not to be kept. Gives their number.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn delete_old_runs(&self, keep: Keep) -> Result<usize> {
        let mut deleted = 0;
        loop {
            let now = self.now();
            let old = self.state.expendable_runs(keep, now, BATCH).await?;
            for run in &old {
                self.forget_run(*run);
                match self.delete(*run).await {
                    Ok(()) => deleted += 1,
                    // Somebody else has deleted the run in this very moment.
                    Err(Error::Refused(Refusal::UnknownRun(_))) => {}
                    Err(error) => return Err(error),
                }
            }
            if old.len() < BATCH || self.stopper.is_stopped() {
                break;
            }
        }
        if deleted > 0 {
            info!(
                deleted,
                "finished runs deleted with their logs (--keep-runs)"
            );
        }
        Ok(deleted)
    }

    /// Forgets the nodes that nobody needs any more, unless a message for them is there: those that
    /// are offline for 30 days, and `is_keyless` ones for a day, but for those whose key `is_listed`;
    /// those that were unregistered a day ago; and those that were of no use for an hour.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn forget_lost_nodes(
        &self,
        is_listed: impl Fn(&PublicKey) -> bool,
        is_keyless: impl Fn(&KnownNode) -> bool,
    ) -> Result<()> {
        let now = self.now();
        for node in self.state.nodes().await? {
            let is_registered = node.unregistered_at.is_none();
            let kept = match is_registered {
                _ if !self.is_established(&node) => UNUSED,
                false => UNREGISTERED,
                true if is_keyless(&node) => KEYLESS,
                true => GONE,
            };
            let since = now + -kept;
            // A person who has registered a node takes the registration back, or nobody does.
            let is_wanted = is_registered && (node.owner.is_some() || is_listed(&node.key));
            if is_wanted || node.last_seen() >= since {
                continue;
            }
            let forgotten = self.commit(move |Stores { state, .. }| async move {
                state.forget_node(node.id, since).await
            });
            let is_gone = forgotten.await?;
            if is_gone {
                self.connections.end(node.id);
            }
            if is_gone && is_registered {
                let key = node.key.fingerprint();
                let hours = (kept / 3_600.0).round();
                info!(node_id = %node.id, %key, hours, "SuperNode forgotten: it was offline for these hours, and is on no list");
            }
        }
        Ok(())
    }

    /// Whether a node was of use: a person has registered it, it got a message, or it was there for
    /// a day.
    fn is_established(&self, node: &KnownNode) -> bool {
        let there = node.registered_at.map(|at| node.last_seen().since(at));
        node.owner.is_some()
            || there.is_none_or(|seconds| seconds >= DAY)
            || self.connections.is_used(node.id)
    }

    /// Does the deletions that a backup has postponed, and gives free space of the state back to the
    /// file system, while nobody writes.
    ///
    /// # Errors
    /// If the state fails, or bytes cannot be deleted.
    pub async fn give_back_space(&self) -> Result<()> {
        self.objects.catch_up().await?;
        self.fabs.catch_up().await?;
        Ok(self.state.give_back().await?)
    }

    /// Deletes the bytes of names that nothing has used for a while.
    ///
    /// # Errors
    /// If the state fails, or bytes cannot be deleted. They are tried again after a while.
    pub async fn delete_unused_names(&self) -> Result<()> {
        self.sweep(UNUSED_NAMES).await.map(drop)
    }

    /// Deletes the bytes of names that nothing has used for this long. Gives their number.
    pub(crate) async fn sweep(&self, age: Duration) -> Result<usize> {
        let mut swept = 0;
        loop {
            let garbage = self.state.garbage(age, NAMES).await?;
            let number = garbage.len();
            let names: Vec<_> = garbage.into_iter().map(|name| name.key).collect();
            if number > 0 {
                let Swept { gone, left, error } = self.objects.sweep(names).await;
                swept += gone.len();
                self.state.swept(gone).await?;
                if let Some(error) = error {
                    self.state.not_swept(left).await?;
                    return Err(error.into());
                }
            }
            if number < NAMES || self.stopper.is_stopped() {
                return Ok(swept);
            }
        }
    }

    /// Deletes bytes that earlier SuperLinks of this state stored and never noted in it: they ended
    /// between the two.
    ///
    /// # Errors
    /// If the state fails, or the store does.
    pub async fn delete_leftovers(&self) -> Result<()> {
        let (mut after, mut deleted, mut problem) = (None, 0, None);
        loop {
            let names = self.objects.earlier_names(after).await?;
            let Some(last) = names.last().cloned() else {
                break;
            };
            let unknown = self.state.unknown_names(names).await?;
            if !unknown.is_empty() {
                let swept = self.objects.sweep(unknown).await;
                deleted += swept.gone.len();
                problem = problem.or(swept.error);
            }
            if self.stopper.is_stopped() {
                break;
            }
            after = Some(last);
        }
        deleted += self.objects.delete_unfinished().await?;
        if deleted > 0 {
            info!(
                deleted,
                "uploads that an earlier SuperLink did not finish were deleted"
            );
        }
        problem.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn delete(&self, run: RunId) -> Result<()> {
        let deleted =
            self.commit(move |Stores { state, .. }| async move { state.delete_run(run).await });
        deleted.await
    }

    /// Lets go of what is remembered of a run beside the state.
    fn forget_run(&self, run: RunId) {
        self.processes.forget(run);
        self.waiting.forget(run);
    }
}
