//! What a program asks of a daemon that starts the processes of apps in the daemon's place:
//! `flower-superexec`, or an app's process that fetches its work itself.

use super::Result;
use crate::id::RunId;
use crate::run::KnownRun;

/// The runs that wait for a process. A claim gives the token by which the process is admitted, so
/// that a daemon opens a session only for callers that may start apps.
pub trait Jobs: Send + Sync + 'static {
    /// The runs that wait for a process. Empty where the daemon starts the processes itself.
    ///
    /// # Errors
    /// If the state fails.
    fn waiting(&self) -> impl Future<Output = Result<Vec<RunId>>> + Send;

    /// The token for the process of this run. `None`: the run has its token already, or the daemon
    /// starts the processes itself.
    ///
    /// # Errors
    /// If the run is not known or over.
    fn claim(&self, run: RunId) -> impl Future<Output = Result<Option<String>>> + Send;

    /// The run, which tells what is to be started.
    ///
    /// # Errors
    /// If the run is not known, or the daemon starts the processes itself.
    fn run(&self, run: RunId) -> impl Future<Output = Result<Option<KnownRun>>> + Send;
}
