//! What a daemon tells the service manager that started it, if that wants to know: systemd, with
//! `Type=notify` or `notify-reload`. Elsewhere nothing is told to nobody.

use sd_notify::NotifyState;
use tracing::debug;

/// The daemon serves.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// It reads its files again; [`ready`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => debug!(%error, "the service manager is not told of the reload"),
    }
}

/// It ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    // A daemon does not depend on who watches it.
    if let Err(error) = sd_notify::notify(state) {
        debug!(%error, "the service manager cannot be told");
    }
}
