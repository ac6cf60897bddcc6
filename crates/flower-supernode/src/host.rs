//! The SuperNode behind the door of its ClientApps: from a proof to a session, and from a session
//! to the desk. The only room that knows both the wire and the desk.

use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, OnceLock};

use flwr_core::id::RunId;
use flwr_core::message::Metadata;
use flwr_core::port::Result;
use flwr_core::quiet::Quiet;
use flwr_core::refusal::{Failure, Refusal};
use flwr_core::time::Timestamp;
use flwr_daemon::appio::{Holders, Launchers, Origin, Readmission};
use flwr_daemon::clock::Clock;
use flwr_daemon::completion::Completion;
use flwr_metrics::Calls;
use flwr_wire::InFlight;
use flwr_wire::host::{AppProof, Head, LauncherProof, RuntimeHost, uncounted_calls};
use futures::future::BoxFuture;
use tracing::{info, warn};

use crate::work::{Desk, Job};

mod jobs;
mod runtime;

use jobs::JobsSession;
use runtime::RuntimeSession;

/// Calls under way at the same time, without those that are held. One ClientApp makes a few at once.
const UNDER_WAY: usize = 256;

/// The SuperNode, as its ClientApps see it.
#[derive(Clone, Debug)]
pub(crate) struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    desk: Arc<Desk>,
    /// Who may start ClientApps, where that is somebody else.
    launchers: Launchers,
    clock: Arc<dyn Clock>,
    completion: Completion,
    /// The connections of ClientApps.
    holders: Holders,
    /// Limits the log lines of refused calls.
    quiet: Quiet<(Discriminant<Failure>, Option<Discriminant<Refusal>>)>,
    in_flight: InFlight,
    /// Once somebody reads the counts.
    calls: OnceLock<Calls>,
}

impl Host {
    pub(crate) fn new(desk: Arc<Desk>, launchers: Launchers, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            desk,
            launchers,
            clock,
            completion: Completion::new(UNDER_WAY),
            holders: Holders::default(),
            quiet: Quiet::default(),
            in_flight: InFlight::default(),
            calls: OnceLock::new(),
        }))
    }

    /// Logs a refused call.
    fn tell(&self, failure: &Failure) {
        let refusal = match failure {
            Failure::Refused(refusal) => Some(discriminant(refusal)),
            _ => None,
        };
        if let Some(more) = self.0.quiet.ask((discriminant(failure), refusal)) {
            warn!(more, "refused a ClientApp's call: {failure}");
        }
    }

    /// Counts the calls of peers from now on.
    pub(crate) fn count_calls(&self) -> &Calls {
        self.0.calls.get_or_init(uncounted_calls)
    }

    /// Waits until all calls under way are done. Called once nobody can begin another.
    pub(crate) async fn settled(&self) {
        self.0.completion.settled().await;
    }
}

impl flwr_wire::host::Host for Host {
    async fn complete<T: Send + 'static>(&self, work: BoxFuture<'static, Result<T>>) -> Result<T> {
        let stopping = || Failure::TryAgain("the SuperNode is stopping".to_owned());
        let done = self.0.completion.of(work).await.ok_or_else(stopping)?;
        // The ClientApp may end without a word of the reason.
        done.inspect_err(|failure| self.tell(failure))
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn in_flight(&self) -> &InFlight {
        &self.0.in_flight
    }

    fn calls(&self) -> Option<&Calls> {
        self.0.calls.get()
    }
}

impl Host {
    /// The message of a token that is shown.
    async fn shown(&self, token: &str, head: &Head) -> Result<Arc<Job>> {
        let job = self.0.desk.job(token).ok_or(Refusal::UnknownToken)?;
        job.lease.called();
        let Metadata { run, id, .. } = *job.inbox.metadata();
        let Some(peer) = &head.peer else {
            return Ok(job);
        };
        if peer.proven.of(run) != Some(id) {
            job.note_holder(Origin::of(peer).await);
            peer.proven.add(run, id);
            self.0.holders.opened(run, &peer.proven);
        }
        self.0.holders.used(&peer.proven);
        Ok(job)
    }

    /// The message in work, for a caller without a token that names its run, if the caller is known
    /// to be the ClientApp of this message. The calls for objects carry no token.
    async fn known(&self, run: RunId, head: &Head) -> Result<Arc<Job>> {
        let refused = || Failure::from(Refusal::UnknownToken);
        let peer = head.peer.as_ref().ok_or_else(refused)?;
        let job = self.0.desk.job_of(run).ok_or_else(refused)?;
        let id = job.inbox.metadata().id;
        if peer.proven.of(run) == Some(id) {
            self.0.holders.used(&peer.proven);
            return Ok(job);
        }
        let readmission = match job.holder() {
            Some(origin) => self.0.holders.readmit(run, &origin, peer).await,
            None => Readmission::Refused,
        };
        match readmission {
            Readmission::Admitted => {
                peer.proven.add(run, id);
                info!(run_id = %run, address = %peer.address, "the ClientApp calls on another connection");
                Ok(job)
            }
            Readmission::Later => Err(Failure::TryAgain(format!(
                "another connection of the ClientApp of run {run} is open: this one is admitted when that is closed, or silent for a minute"
            ))),
            Readmission::Refused => Err(refused()),
        }
    }
}

impl RuntimeHost for Host {
    type Runtime = RuntimeSession;
    type Jobs = JobsSession;

    async fn admit(&self, proof: AppProof, head: &Head) -> Result<RuntimeSession> {
        let desk = Arc::clone(&self.0.desk);
        match proof {
            AppProof::Token(token) => {
                let job = self.shown(&token, head).await?;
                Ok(RuntimeSession::of_token(desk, job))
            }
            AppProof::Named(run) => {
                let job = self.known(run, head).await?;
                Ok(RuntimeSession::of_connection(desk, job))
            }
            // All ClientApps get a token here.
            AppProof::Tokenless(_) | AppProof::Stranger(_) => Err(Refusal::UnknownToken.into()),
        }
    }

    fn admit_launcher(&self, proof: &LauncherProof, head: &Head) -> Result<JobsSession> {
        let (launchers, now) = (&self.0.launchers, self.0.clock.now());
        let (headers, call) = (proof.headers.as_ref(), proof.call());
        launchers.admit(headers, call, head.peer.as_ref(), now)?;
        let desk = Arc::clone(&self.0.desk);
        Ok(JobsSession { desk })
    }
}

#[cfg(test)]
mod tests;
