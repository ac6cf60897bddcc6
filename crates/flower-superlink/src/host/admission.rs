//! For which run a caller of ServerAppIo speaks.
//!
//! A ServerApp of flwr 1.20 to 1.28 shows its token when it asks for its inputs and when it gives its
//! outputs. Its other calls name the run. They are admitted on a connection on which the token was
//! shown, or on another one of the same ServerApp, since gRPC connects again by itself. Where the
//! ServerApp called from is kept in the state: a ServerApp outlives its SuperLink. Later ServerApps
//! show their token with every call.

use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::port::Result;
use flwr_core::refusal::{Failure, Refusal};
use flwr_core::run::{Outcome, Phase};
use flwr_daemon::appio::{Origin, Readmission};
use flwr_security::peer::Peer;
use flwr_wire::host::{AppProof, Head};
use tracing::{debug, info};

use super::{Apps, Host};
use crate::error::Error;
use crate::link::state::Claim;
use crate::link::token_id;

impl Host {
    /// The run of a process that gives this proof. `None`: no run waits for the process.
    pub(super) async fn run_of(&self, proof: AppProof, head: &Head) -> Result<Option<RunId>> {
        let starts_tokenless = self.0.parts.apps == Apps::Tokenless;
        match proof {
            AppProof::Token(token) => self.shown(&token, head).await.map(Some),
            AppProof::Named(run) => self.known(run, head).await.map(Some),
            AppProof::Tokenless(None) if starts_tokenless => self.expected(head).await,
            AppProof::Tokenless(Some(run)) if starts_tokenless => {
                self.known(run, head).await.map(Some)
            }
            AppProof::Tokenless(_) => Err(Refusal::UnknownToken.into()),
            AppProof::Stranger(run) => {
                self.require_tls(head.peer.as_ref())?;
                self.known(run, head).await.map(Some)
            }
        }
    }

    /// Refuses to start runs over plaintext, unless everything is spoken in plaintext here: a
    /// caller that reaches the port in plaintext is on this machine, and need not be somebody who
    /// may start runs.
    pub(crate) fn require_tls(&self, peer: Option<&Peer>) -> Result<()> {
        let is_over_tls = peer.is_some_and(|peer| peer.tls);
        if self.0.parts.is_insecure || is_over_tls {
            return Ok(());
        }
        Err(Refusal::TlsRequired.into())
    }

    /// The caller's connection stands for the run from now on: the caller has made the run.
    pub(super) async fn bind(&self, run: RunId, head: &Head) -> Result<()> {
        match self.link().claim_of(run).await? {
            Some(claim) => self.admit_on(run, claim.token, head).await,
            None => Ok(()),
        }
    }

    /// The run of a token that is shown.
    async fn shown(&self, token: &str, head: &Head) -> Result<RunId> {
        let run = match self.link().run_of_token(token).await {
            Err(Error::Refused(Refusal::UnknownToken)) => return self.parting(token, head).await,
            found => found?,
        };
        self.admit_on(run, token_id(token), head).await?;
        Ok(run)
    }

    /// The run of a token that was of use on this connection until the run ended by itself: its
    /// ServerApp may still have something to print. One that a person has stopped is to end.
    async fn parting(&self, token: &str, head: &Head) -> Result<RunId> {
        let refused = || Failure::from(Refusal::UnknownToken);
        let proven = head.peer.as_ref().map(|peer| &peer.proven);
        let run = proven.and_then(|proven| proven.run_by(token_id(token)));
        let run = run.ok_or_else(refused)?;
        match self.phase(run).await? {
            Some(Phase::Finished(Outcome::Completed | Outcome::Failed)) => Ok(run),
            _ => Err(refused()),
        }
    }

    /// Notes that the holder of this token calls on this connection.
    async fn admit_on(&self, run: RunId, token: ObjectId, head: &Head) -> Result<()> {
        let Some(peer) = &head.peer else {
            return Ok(());
        };
        if peer.proven.of(run) == Some(token) {
            self.0.holders.used(&peer.proven);
            return Ok(());
        }
        let origin = Origin::of(peer).await;
        self.link().note_holder(run, token, &origin).await?;
        peer.proven.add(run, token);
        self.0.holders.opened(run, &peer.proven);
        Ok(())
    }

    /// The run that a caller without a token names, if the caller is known to be its ServerApp.
    async fn known(&self, run: RunId, head: &Head) -> Result<RunId> {
        let refused = || Failure::from(Refusal::UnknownToken);
        let peer = head.peer.as_ref().ok_or_else(refused)?;
        let proven = peer.proven.of(run);
        match self.link().claim_of(run).await? {
            Some(claim) if proven == Some(claim.token) => {
                self.0.holders.used(&peer.proven);
                Ok(run)
            }
            Some(claim) => self.readmitted(run, claim, peer).await,
            // The run's own state refuses what is out of time.
            None if proven.is_some() && self.is_finished(run).await? => Ok(run),
            None => Err(refused()),
        }
    }

    /// The ServerApp of a run comes back on another connection.
    async fn readmitted(&self, run: RunId, claim: Claim, peer: &Peer) -> Result<RunId> {
        let (address, token) = (peer.address, claim.token);
        let readmission = match self.origin_of(run, claim).await? {
            Some(origin) => self.0.holders.readmit(run, &origin, peer).await,
            None => Readmission::Refused,
        };
        match readmission {
            Readmission::Admitted => {
                peer.proven.add(run, token);
                info!(run_id = %run, %address, "the ServerApp calls on another connection");
                Ok(run)
            }
            Readmission::Later => Err(Failure::TryAgain(format!(
                "another connection of the ServerApp of run {run} is open: this one is admitted when that is closed, or silent for a minute"
            ))),
            Readmission::Refused => {
                debug!(run_id = %run, %address, "a caller without a token is refused");
                Err(Refusal::UnknownToken.into())
            }
        }
    }

    /// From where the ServerApp of a run calls. A ServerApp that this SuperLink, or an earlier one,
    /// has started is known by its process before it shows its token.
    async fn origin_of(&self, run: RunId, claim: Claim) -> Result<Option<Origin>> {
        if let Some(holder) = claim.holder {
            return Ok(holder.parse().ok());
        }
        let processes = self.link().processes().await?.into_iter();
        let mut of_run = processes.filter(|(of, _)| *of == run);
        Ok(of_run
            .next()
            .map(|(_, process)| Origin::Process(process.identity)))
    }

    /// The run of a process that this SuperLink has started without a token.
    async fn expected(&self, head: &Head) -> Result<Option<RunId>> {
        let Some(peer) = &head.peer else {
            return Ok(None);
        };
        for (run, process) in self.link().expected() {
            if Origin::Process(process).includes(peer).await && self.link().take_expected(run) {
                self.bind(run, head).await?;
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    async fn is_finished(&self, run: RunId) -> Result<bool> {
        Ok(self.phase(run).await?.is_some_and(Phase::is_finished))
    }

    /// How far the run has come. `None`: it is not known.
    async fn phase(&self, run: RunId) -> Result<Option<Phase>> {
        let run = self.link().run(run).await?;
        Ok(run.map(|run| run.status.phase))
    }
}
