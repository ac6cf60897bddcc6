//! When to stop: [`Stopper`] is given to whoever loops, [`Signals`] hears the operator.

use std::fmt;
use std::future::pending;
use std::io;
use std::os::fd::AsFd;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Tells loops that it is time to end. Clones share the state; stopping is for good.
#[derive(Clone, Debug, Default)]
pub struct Stopper(CancellationToken);

impl Stopper {
    /// A stopper that nobody has stopped yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A stopper that stops with this one, and can be stopped alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }

    /// Tells everybody to end. Saying it twice is the same as once.
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

    /// Runs `work` to its end, or drops it when it is time to stop (then `None`).
    pub async fn run_until_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.0.run_until_cancelled(work).await
    }

    /// A future of its own, for whoever cannot borrow the stopper.
    pub fn cancelled_owned(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.clone().cancelled_owned()
    }
}

/// A signal that asks a daemon to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: a service manager.
    Terminate,
    /// SIGQUIT: Ctrl-\.
    Quit,
    /// Standard input was closed: whoever started this process is gone.
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

/// The signals a daemon listens to. From [`Signals::install`] on they no longer end the process.
#[derive(Debug)]
pub struct Signals {
    interrupt: Stream,
    terminate: Stream,
    quit: Stream,
    hangup: Stream,
    /// Read to its end, where that is to end the process.
    stdin: Option<pipe::Receiver>,
}

impl Signals {
    /// Takes over SIGINT, SIGTERM, SIGQUIT and SIGHUP.
    ///
    /// # Errors
    /// The system refuses to install a handler.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            stdin: None,
        })
    }

    /// As [`Signals::install`]; where it is asked for, the end of standard input, a pipe, counts as
    /// a signal that asks to end. So programs that start this one do not leave it behind when they
    /// are killed.
    ///
    /// # Errors
    /// As there, or if standard input is no pipe.
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

    /// Waits for the next signal that asks to end. Call it again to hear a second one.
    pub async fn shutdown(&mut self) -> Shutdown {
        tokio::select! {
            _ = self.interrupt.recv() => Shutdown::Interrupt,
            _ = self.terminate.recv() => Shutdown::Terminate,
            _ = self.quit.recv() => Shutdown::Quit,
        }
    }

    /// Waits for the next SIGHUP: read certificates and key lists anew.
    pub async fn reload(&mut self) {
        self.hangup.recv().await;
    }

    /// Waits for whichever comes first: a reload (`None`) or a signal that asks to end.
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

/// Waits until a pipe is closed, once; for ever where there is none.
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
