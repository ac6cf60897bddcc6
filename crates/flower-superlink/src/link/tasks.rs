//! ServerApp processes: how each comes by its run and gives back what it leaves behind.

use flwr_core::context::Context;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::port::runtime::Inputs;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Phase, RunStatus};
use flwr_daemon::apps::{Identity, Token};

use super::Link;
use super::state::StateError;
use crate::error::{Error, Result};

impl Link {
    /// Notes the process that a run's ServerApp runs in, or that it has ended.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn set_app(&self, run: RunId, app: Option<Identity>) -> Result<()> {
        let ((), changed) = self.state.set_app(run, app).await?;
        self.apply(changed).await;
        Ok(())
    }

    /// The ServerApp processes that were started and whose end nobody has seen.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn apps(&self) -> Result<Vec<(RunId, Identity)>> {
        Ok(self.state.apps().await?)
    }

    /// Makes the token of a run invalid: whoever had it is gone.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn revoke_token(&self, run: RunId) -> Result<()> {
        Ok(self.state.revoke_token(run).await?)
    }

    /// Makes the token with which a ServerApp process asks for its run. `None`: there is one.
    ///
    /// # Errors
    /// If the run is not known or over.
    pub async fn issue_token(&self, run: RunId) -> Result<Option<Token>> {
        let token = Token::random().ok_or(Error::Random)?;
        let issued = self
            .state
            .issue_token(run, token_id(token.as_str()), self.now())
            .await;
        match issued {
            Ok(()) => Ok(Some(token)),
            Err(StateError::Refused(Refusal::HasToken(_))) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The run that a token stands for.
    ///
    /// # Errors
    /// If it stands for none.
    pub async fn run_of_token(&self, token: &str) -> Result<RunId> {
        Ok(self.state.run_of_token(token_id(token)).await?)
    }

    /// A process will ask for this run that has no token.
    pub fn expect(&self, run: RunId) {
        self.expected.lock().push_back(run);
    }

    /// No such process will ask for it any more.
    pub fn expect_no_more(&self, run: RunId) {
        self.expected.lock().retain(|expected| *expected != run);
    }

    /// The run that the next process without a token is for. `None`: no run waits for such a
    /// process.
    #[must_use]
    pub fn take_expected(&self) -> Option<RunId> {
        self.expected.lock().pop_front()
    }

    /// Hands a ServerApp process its inputs. From here on its run is starting. A process whose
    /// answer was lost asks again, and is answered alike.
    ///
    /// # Errors
    /// If the run is running or over.
    pub async fn inputs(&self, id: RunId) -> Result<Inputs> {
        let context = self.state.context(id).await?;
        let run = self.known_run(id).await?;
        let fab = self.fab(&run.fab_hash).await?;
        if run.status.phase != Phase::Starting {
            self.change_run(id, RunStatus::plain(Phase::Starting))
                .await?;
        }
        Ok(Inputs {
            run: self.known_run(id).await?,
            context,
            fab,
        })
    }

    /// Stores the Context that a ServerApp leaves behind. Its token stays until it has said how its
    /// run ended: a process whose answer was lost says everything again.
    ///
    /// # Errors
    /// If the run is not running.
    pub async fn keep_context(&self, run: RunId, context: Context) -> Result<()> {
        Ok(self.state.set_context(run, context).await?)
    }
}

/// Tokens are known by their hash: whoever reads the state learns none, and a look-up's time
/// tells nothing.
fn token_id(token: &str) -> ObjectId {
    ObjectId::of(token.as_bytes())
}
