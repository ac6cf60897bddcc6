//! The SuperNode behind the door of its ClientApps: from a proof to a session, and from a session
//! to the desk. The only room that knows both the wire and the desk.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

use flwr_core::id::RunId;
use flwr_core::port::{Jobs, Result};
use flwr_core::quiet::Quiet;
use flwr_core::refusal::{Failure, Refusal};
use flwr_core::time::Timestamp;
use flwr_daemon::clock::Clock;
use flwr_daemon::completion::Completion;
use flwr_wire::InFlight;
use flwr_wire::host::{AppProof, Head, RuntimeHost};
use futures::future::BoxFuture;
use tracing::warn;

use crate::error::Error;
use crate::work::Desk;

mod runtime;

use runtime::RuntimeSession;

/// Calls under way at the same time, without those that are held. One ClientApp makes a few at once.
const UNDER_WAY: usize = 256;

/// The SuperNode, as its ClientApps see it.
#[derive(Clone, Debug)]
pub(crate) struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    desk: Arc<Desk>,
    clock: Arc<dyn Clock>,
    completion: Completion,
    /// Limits the log lines of refused calls.
    quiet: Quiet<(Discriminant<Failure>, Option<Discriminant<Refusal>>)>,
    in_flight: InFlight,
}

impl Host {
    pub(crate) fn new(desk: Arc<Desk>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            desk,
            clock,
            completion: Completion::new(UNDER_WAY),
            quiet: Quiet::default(),
            in_flight: InFlight::default(),
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
}

impl RuntimeHost for Host {
    type Runtime = RuntimeSession;

    async fn admit(&self, proof: AppProof, _: &Head) -> Result<RuntimeSession> {
        let desk = Arc::clone(&self.0.desk);
        match proof {
            AppProof::Token(token) => {
                let job = desk.job(&token).ok_or(Refusal::UnknownToken)?;
                Ok(RuntimeSession::of_token(desk, job))
            }
            AppProof::Named(run) => Ok(RuntimeSession::of_run(desk, run)),
            // All ClientApps get a token here.
            AppProof::Tokenless(_) | AppProof::Stranger(_) => Err(Refusal::UnknownToken.into()),
        }
    }
}

impl Jobs for Host {
    async fn waiting(&self) -> Result<Vec<RunId>> {
        Ok(self.0.desk.waiting())
    }

    async fn claim(&self, run: RunId) -> Result<Option<String>> {
        let failed = |error: Error| Failure::TryAgain(error.to_string());
        let token = self.0.desk.claim(run).map_err(failed)?;
        Ok(token.map(|token| token.as_str().to_owned()))
    }
}

#[cfg(test)]
mod tests;
