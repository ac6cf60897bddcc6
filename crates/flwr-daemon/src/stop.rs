//! Orderly stop. [`Signals`] receives the operator's signals; [`Stopper`] tells all tasks to stop.

use std::fmt;
use std::future::pending;
use std::io;
use std::os::fd::AsFd;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Tells tasks to stop. Clones share the state; a stop cannot be taken back.
#[derive(Clone, Debug, Default)]
pub struct Stopper(CancellationToken);

impl Stopper {
    /// A stopper that has not been stopped.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A child: it stops with this stopper, and can be stopped alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }

    /// Tells all tasks to stop. Idempotent.
    pub fn stop(&self) {
        self.0.cancel();
    }

    /// Whether [`Stopper::stop`] was called.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until [`Stopper::stop`] is called.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    /// Runs `work` to its completion. Drops it at a stop, and gives `None`.
    pub async fn run_until_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.0.run_until_cancelled(work).await
    }

    /// As [`Self::cancelled`], without borrowing the stopper.
    pub fn cancelled_owned(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.clone().cancelled_owned()
    }
}

/// A signal that stops a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: a service manager.
    Terminate,
    /// SIGQUIT: Ctrl-\.
    Quit,
    /// Standard input was closed: the parent process is gone.
    StdinClosed,
}

impl fmt::Display for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Quit => "SIGQUIT",
            Self::StdinClosed => "standard input was closed",
        })
    }
}

/// The signals of a daemon. After [`Signals::install`] they no longer kill the process.
#[derive(Debug)]
pub struct Signals {
    interrupt: Stream,
    terminate: Stream,
    quit: Stream,
    hangup: Stream,
    /// Standard input, if its end stops the daemon.
    stdin: Option<pipe::Receiver>,
}

impl Signals {
    /// Installs handlers for SIGINT, SIGTERM, SIGQUIT and SIGHUP.
    ///
    /// # Errors
    /// If the system refuses to install a handler.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            stdin: None,
        })
    }

    /// As [`Signals::install`]. On request, the end of standard input (a pipe) is a signal too.
    /// A program that starts this daemon then leaves no daemon behind when it is killed.
    ///
    /// # Errors
    /// As [`Signals::install`], or if standard input is no pipe.
    pub fn of_daemon(until_stdin_closes: bool) -> io::Result<Self> {
        let mut signals = Self::install()?;
        if until_stdin_closes {
            let stdin = io::stdin().as_fd().try_clone_to_owned()?;
            let no_pipe = |error| io::Error::other(format!("--until-stdin-closes: {error}"));
            let pipe = pipe::Receiver::from_owned_fd(stdin).map_err(no_pipe)?;
            signals.stdin = Some(pipe);
        }
        Ok(signals)
    }

    /// Waits for the next signal to stop. A second call waits for a second signal.
    pub async fn shutdown(&mut self) -> Shutdown {
        tokio::select! {
            _ = self.interrupt.recv() => Shutdown::Interrupt,
            _ = self.terminate.recv() => Shutdown::Terminate,
            _ = self.quit.recv() => Shutdown::Quit,
        }
    }

    /// Waits for the next SIGHUP, the request to reload certificates and key lists.
    pub async fn reload(&mut self) {
        self.hangup.recv().await;
    }

    /// Waits for a request to reload (`None`) or a signal to stop, whichever comes first.
    pub async fn next(&mut self) -> Option<Shutdown> {
        tokio::select! {
            _ = self.interrupt.recv() => Some(Shutdown::Interrupt),
            _ = self.terminate.recv() => Some(Shutdown::Terminate),
            _ = self.quit.recv() => Some(Shutdown::Quit),
            _ = self.hangup.recv() => None,
            () = end_of(&mut self.stdin) => Some(Shutdown::StdinClosed),
        }
    }
}

/// Waits until the pipe is closed. Pends for ever if there is none.
async fn end_of(pipe: &mut Option<pipe::Receiver>) {
    match pipe {
        None => pending().await,
        Some(open) => {
            let mut ignored = [0; 64];
            while open.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
            *pipe = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_ends_with_its_result_or_when_stopped() {
        let stopper = Stopper::new();
        assert_eq!(stopper.run_until_stopped(async { 7 }).await, Some(7));
        stopper.clone().stop();
        assert!(stopper.is_stopped());
        assert_eq!(stopper.run_until_stopped(pending::<u8>()).await, None);
    }

    #[tokio::test]
    async fn a_child_stops_with_its_parent_but_not_the_other_way_round() {
        let parent = Stopper::new();
        let (first, second) = (parent.child(), parent.child());
        first.stop();
        assert!(!parent.is_stopped() && !second.is_stopped());
        parent.stop();
        second.cancelled_owned().await;
    }

    #[tokio::test]
    async fn signals_reach_whoever_waits() {
        let mut signals = Signals::install().unwrap();
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::HUP).unwrap();
        signals.reload().await;
        rustix::process::kill_process(me, rustix::process::Signal::TERM).unwrap();
        assert_eq!(signals.shutdown().await, Shutdown::Terminate);
        rustix::process::kill_process(me, rustix::process::Signal::INT).unwrap();
        assert_eq!(signals.next().await.unwrap().to_string(), "SIGINT");
    }
}
