//! One connection through the proxy, and the order to cut it.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, OnceLock};

use tokio::sync::watch;

/// How a connection is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// With RST, else with FIN.
    pub(crate) reset: bool,
    /// After so many further bytes.
    pub(crate) after: usize,
}

/// A connection.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Where it goes, once that is known.
    to: OnceLock<SocketAddr>,
    order: Mutex<Option<Cut>>,
    stage: watch::Sender<Stage>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// The cut is to be made now.
    Due,
    Gone,
}

impl Line {
    pub(crate) fn goes_to(&self, address: SocketAddr) {
        self.to.get_or_init(|| address);
    }

    pub(crate) fn to(&self) -> Option<SocketAddr> {
        self.to.get().copied()
    }

    pub(crate) fn order(&self, cut: Cut) {
        *self.lock() = Some(cut);
        if cut.after == 0 {
            self.now();
        }
    }

    /// How many of `count` bytes may pass before the cut.
    pub(crate) fn take(&self, count: usize) -> usize {
        let mut order = self.lock();
        let Some(cut) = order.as_mut() else {
            return count;
        };
        let may = count.min(cut.after);
        cut.after -= may;
        may
    }

    pub(crate) fn now(&self) {
        self.stage.send_if_modified(|stage| {
            let open = *stage == Stage::Open;
            if open {
                *stage = Stage::Due;
            }
            open
        });
    }

    pub(crate) fn end(&self) {
        self.stage.send_replace(Stage::Gone);
    }

    /// Waits until the cut is to be made.
    pub(crate) async fn due(&self) -> Cut {
        self.reach(Stage::Due).await;
        self.lock().unwrap_or(Cut {
            reset: false,
            after: 0,
        })
    }

    /// Waits until the connection has ended.
    pub(crate) async fn gone(&self) {
        self.reach(Stage::Gone).await;
    }

    async fn reach(&self, wanted: Stage) {
        let mut stage = self.stage.subscribe();
        // The sender is this line: it cannot go while it is waited for.
        let _ = stage.wait_for(|stage| *stage == wanted).await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Cut>> {
        self.order.lock().unwrap()
    }
}
