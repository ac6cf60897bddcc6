//! Notifies systemd of start, reload and stop (`Type=notify` or `notify-reload`). Does nothing under
//! any other service manager.

use sd_notify::NotifyState;
use tracing::debug;

/// The daemon is ready: all its ports accept connections.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The daemon reloads its files. [`ready`] must follow.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => debug!(%error, "the service manager is not told of the reload"),
    }
}

/// The daemon stops.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    // A daemon does not depend on who watches it.
    if let Err(error) = sd_notify::notify(state) {
        debug!(%error, "the service manager cannot be told");
    }
}
