//! What becomes of the runs of a SuperLink that has died, where several work with one state.

use flwr_core::id::RunId;
use flwr_daemon::clock::FollowingClock;
use tracing::warn;

use super::Link;
use super::commit::Stores;
use super::state::{Burial, Care, Orphans, Takeover};
use crate::error::Result;

impl Link {
    /// Tells the clock the time that all SuperLinks of the state go by.
    ///
    /// # Errors
    /// If the state does not answer.
    pub async fn tell_time(&self, clock: &FollowingClock) -> Result<()> {
        Ok(self.state.tell_time(clock).await?)
    }

    /// Whether other SuperLinks were there a moment ago, which may start ServerApps too.
    #[must_use]
    pub fn has_neighbours(&self) -> bool {
        self.state.has_neighbours()
    }

    /// Notes for other SuperLinks who tends the ServerApps that come to this one.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn note_care(&self, care: Care) -> Result<()> {
        Ok(self.state.note_care(care).await?)
    }

    /// Buries the SuperLinks that have died. Whether there were some.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn bury(&self, rule: Takeover) -> Result<bool> {
        let now = self.now();
        let buried =
            self.commit(move |Stores { state, .. }| async move { state.bury(rule, now).await });
        let burials = buried.await?;
        for burial in &burials {
            self.take_note(burial, rule).await?;
        }
        Ok(!burials.is_empty())
    }

    async fn take_note(&self, burial: &Burial, rule: Takeover) -> Result<()> {
        let Burial {
            name,
            host,
            resumed,
            failed,
        } = burial;
        let seconds = rule.after.as_secs();
        let of_runs = match (resumed.len(), failed.len()) {
            (0, 0) => "no run has lost its ServerApp".to_owned(),
            (resumed, failed) => {
                format!("its runs are taken over: {resumed} begin again, {failed} have failed")
            }
        };
        warn!(
            name,
            host, "a SuperLink gave no sign of life for {seconds} s: {of_runs}"
        );
        self.have_lost_their_serverapps(resumed, failed).await
    }

    /// Lets go of what runs need no more that begin again or have failed.
    async fn have_lost_their_serverapps(&self, resumed: &[RunId], failed: &[RunId]) -> Result<()> {
        for run in resumed {
            self.has_been_set_back(*run);
        }
        self.have_ended(failed).await
    }

    /// Runs begin again or fail whose ServerApp was started by a SuperLink that is gone, and is silent.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn end_orphans(&self, rule: Takeover) -> Result<()> {
        let now = self.now();
        let ended = self.commit(move |Stores { state, .. }| async move {
            state.end_orphans(rule.resume, now).await
        });
        let Orphans { resumed, failed } = ended.await?;
        for run in resumed.iter().chain(&failed) {
            warn!(run_id = %run, "a ServerApp is silent, and the SuperLink is gone that had started it");
        }
        self.have_lost_their_serverapps(&resumed, &failed).await
    }

    /// Whether another SuperLink has buried this one, or has taken its name or the state. Nothing can be
    /// written any more.
    #[must_use]
    pub fn is_shut_out(&self) -> bool {
        self.state.is_shut_out()
    }

    /// Waits until [`is_shut_out`](Self::is_shut_out).
    pub async fn shut_out(&self) {
        self.state.shut_out().await;
    }
}
