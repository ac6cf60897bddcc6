//! Wake-ups between the SuperLinks that work with one database, by LISTEN and NOTIFY.
//!
//! ```text
//!   a commit here ─▶ news, merged ─▶ line: one NOTIFY under way ─▶ every SuperLink
//!   a NOTIFY of others ─▶ presence looks again ─▶ the hub wakes who waits here
//! ```
//!
//! A wake-up is no state, and may be lost. Signs of life prove that the line hears. While the line
//! does not, and as long as there are other SuperLinks, one look every two seconds makes up for what
//! was lost. NOTIFY has transactions of its own: in the transaction that stores, NOTIFY would make
//! all commits of the server wait for each other.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deadpool_postgres::Pool;
use flwr_core::cause::chain;
use flwr_core::id::NodeId;
use flwr_core::monotonic;
use flwr_daemon::task::{self, Task};
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard, Notify};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use super::connect::Connector;
use crate::link::wake::{Topic, Wake};
use crate::store::presence::Presence;

mod line;
mod look;
mod payload;

pub(super) use line::LineError;

use line::Line;
use payload::{Heard, News};

/// Whether the text is a notification of a SuperLink. For tests of the parser.
#[doc(hidden)]
#[must_use]
pub fn reads_notification(payload: &str) -> bool {
    Heard::parse(payload).is_some()
}

/// How long another SuperLink counts as there after its last word. It gives a sign every few seconds.
const NEIGHBOUR: Duration = Duration::from_secs(60);
/// The pause before the first try to listen again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How long the end of a SuperLink waits until its last news are told.
const FAREWELL: Duration = Duration::from_secs(1);

/// Tells other SuperLinks what changed here, and hears what they changed. Ends with its owner.
#[derive(Debug)]
pub(super) struct Wakes {
    shared: Arc<Shared>,
    _tasks: Mutex<[Task<()>; 2]>,
}

/// What the tasks and their owner share.
#[derive(Debug)]
struct Shared {
    /// The name of this SuperLink among the others, different at each start.
    link: u64,
    presence: Arc<Presence>,
    hub: OnceLock<Arc<Wake>>,
    news: Mutex<News>,
    /// There is news.
    has_news: Notify,
    /// All news was told.
    is_told: Notify,
    /// The number of the last own sign of life that came back.
    returned: AtomicU64,
    has_returned: Notify,
    /// What others tell is heard.
    is_whole: AtomicBool,
    neighbours: Mutex<Neighbours>,
    /// A look is due at once.
    look_now: Notify,
    /// Nodes whose rows others have changed.
    changed: Mutex<Changed>,
    /// Rows are read and taken over by one after the other: none takes the place of a later one.
    reads: AsyncMutex<()>,
}

/// What is known of other SuperLinks.
#[derive(Debug, Default)]
struct Neighbours {
    /// Others may work with the database.
    are_possible: bool,
    /// When another was last heard, or could be heard again.
    last: Option<Instant>,
    /// Another was heard.
    #[cfg(test)]
    are_heard: bool,
}

/// Which nodes are to be read again.
#[derive(Debug, Default)]
struct Changed {
    nodes: BTreeSet<NodeId>,
    all: bool,
}

impl Changed {
    fn is_empty(&self) -> bool {
        self.nodes.is_empty() && !self.all
    }
}

/// An open line that nobody serves yet.
pub(super) struct Ear {
    connector: Connector,
    shared: Shared,
    line: Line,
}

impl Ear {
    /// Opens the line, and proves that it hears.
    pub(super) async fn open(connector: Connector) -> Result<Self, LineError> {
        let shared = Shared::new();
        let line = Line::open(&connector, &shared).await?;
        shared.is_whole.store(true, Ordering::Release);
        Ok(Self {
            connector,
            shared,
            line,
        })
    }
}

impl Wakes {
    /// Serves the line. Of nodes in this presence, what others change is looked at again.
    pub(super) fn start(ear: Ear, pool: Pool, presence: Arc<Presence>) -> Self {
        let Ear {
            connector,
            mut shared,
            line,
        } = ear;
        shared.presence = presence;
        let shared = Arc::new(shared);
        let (talking, looking) = (Arc::clone(&shared), Arc::clone(&shared));
        let tasks = [
            task::start(async move { talking.talk(connector, line).await }),
            task::start(async move { looking.look(pool).await }),
        ];
        Self {
            shared,
            _tasks: Mutex::new(tasks),
        }
    }

    /// From now on, changes of others wake who waits at this hub.
    pub(super) fn wake_at(&self, hub: &Arc<Wake>) {
        // A state has one hub: that of its link.
        let _ = self.shared.hub.set(Arc::clone(hub));
    }

    /// Tells the others to look again. Where there are no others, nothing is sent: whoever starts later
    /// looks, and has given a sign before anybody waits there.
    pub(super) fn tell(&self, topics: &[Topic]) {
        if !topics.is_empty() && self.shared.has_neighbours() {
            self.shared.news.lock().add(topics);
            self.shared.has_news.notify_one();
        }
    }

    /// Tells the others that the row of the node is another.
    pub(super) fn tell_changed(&self, node: NodeId) {
        if self.shared.has_neighbours() {
            self.shared.news.lock().add_changed(node);
            self.shared.has_news.notify_one();
        }
    }

    /// Wakes who waits here.
    pub(super) fn wake(&self, topics: &[Topic]) {
        self.shared.wake(topics);
    }

    /// Other SuperLinks may work with the database: while they cannot be heard, they are taken to be there.
    pub(super) fn expect_neighbours(&self) {
        let mut neighbours = self.shared.neighbours.lock();
        neighbours.are_possible = true;
        neighbours.last = Some(monotonic::now());
    }

    /// Whether another SuperLink was there a moment ago, or may be.
    pub(super) fn has_neighbours(&self) -> bool {
        self.shared.has_neighbours()
    }

    /// Whether another SuperLink was heard.
    #[cfg(test)]
    pub(super) fn has_heard_others(&self) -> bool {
        self.shared.neighbours.lock().are_heard
    }

    /// As if nobody was heard for a long time.
    #[cfg(test)]
    pub(super) fn forget_neighbours(&self) {
        self.shared.neighbours.lock().last = None;
    }

    /// The turn to read rows into memory.
    pub(super) async fn reads(&self) -> MutexGuard<'_, ()> {
        self.shared.reads.lock().await
    }

    /// Whether what others tell is heard, so that nobody needs to look.
    pub(super) fn is_whole(&self) -> bool {
        self.shared.is_whole.load(Ordering::Acquire)
    }

    /// Tells what is not told yet.
    pub(super) async fn close(&self) {
        let told = async {
            loop {
                let is_told = self.shared.is_told.notified();
                if self.shared.news.lock().is_empty() {
                    return;
                }
                is_told.await;
            }
        };
        if timeout(FAREWELL, told).await.is_err() {
            debug!("other SuperLinks were not told what changed last: they look by themselves");
        }
    }
}

impl Shared {
    fn new() -> Self {
        Self {
            link: rand::random(),
            // No node is known yet: whoever reads the nodes later finds what is heard until then.
            presence: Arc::default(),
            hub: OnceLock::new(),
            news: Mutex::default(),
            has_news: Notify::new(),
            is_told: Notify::new(),
            returned: AtomicU64::new(0),
            has_returned: Notify::new(),
            is_whole: AtomicBool::new(false),
            neighbours: Mutex::default(),
            look_now: Notify::new(),
            changed: Mutex::default(),
            reads: AsyncMutex::default(),
        }
    }

    /// Talks on the line, and opens another when it breaks. Never ends.
    async fn talk(&self, connector: Connector, mut line: Line) {
        loop {
            let broken = line.serve(self).await;
            self.is_whole.store(false, Ordering::Release);
            self.presence.look_at_all_again();
            // Who is only taken to be there is not missed.
            let were_there = self.neighbours.lock().are_there(false);
            if were_there {
                let error = chain(&broken);
                warn!(error, "other SuperLinks cannot be heard for now");
            }
            line = self.open_again(&connector).await;
            // Nobody knows what was told meanwhile, nor who has come.
            self.presence.look_at_all_again();
            self.neighbours.lock().can_be_heard();
            self.is_whole.store(true, Ordering::Release);
            if were_there {
                info!("other SuperLinks are heard again");
            }
            if self.has_neighbours()
                && let Some(hub) = self.hub.get()
            {
                hub.notify_all();
            }
            self.look_now.notify_one();
        }
    }

    async fn open_again(&self, connector: &Connector) -> Line {
        let mut pause = PAUSES.0;
        loop {
            match Line::open(connector, self).await {
                Ok(line) => return line,
                Err(error) => debug!(error = chain(&error), "the database could not be heard"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Takes in what somebody has told.
    fn hear(&self, payload: &str) {
        let Some(heard) = Heard::parse(payload) else {
            return debug!("somebody who is no SuperLink notifies the channel of SuperLinks");
        };
        if heard.link == self.link {
            // Whoever waits here was woken when the news came up.
            if let Some(sign) = heard.sign {
                self.returned.fetch_max(sign, Ordering::AcqRel);
                self.has_returned.notify_waiters();
            }
            return;
        }
        self.neighbours.lock().were_heard();
        self.presence.look_again(&heard.topics);
        if heard.any_node {
            self.presence.look_at_all_again();
            self.look_now.notify_one();
        }
        self.wake(&heard.topics);
        if heard.any_changed || !heard.changed.is_empty() {
            let mut changed = self.changed.lock();
            changed.all |= heard.any_changed;
            changed.nodes.extend(heard.changed);
            self.look_now.notify_one();
        }
    }

    fn wake(&self, topics: &[Topic]) {
        if let Some(hub) = self.hub.get() {
            for topic in topics {
                hub.notify(*topic);
            }
        }
    }

    /// Whether another SuperLink was there a moment ago, or may be.
    fn has_neighbours(&self) -> bool {
        let is_deaf = !self.is_whole.load(Ordering::Acquire);
        self.neighbours.lock().are_there(is_deaf)
    }
}

impl Neighbours {
    fn were_heard(&mut self) {
        self.last = Some(monotonic::now());
        #[cfg(test)]
        {
            self.are_heard = true;
        }
    }

    /// The line is whole again.
    fn can_be_heard(&mut self) {
        if self.are_possible {
            self.last = Some(monotonic::now());
        }
    }

    fn are_there(&self, is_deaf: bool) -> bool {
        let was_heard = |at: Instant| monotonic::now().duration_since(at) < NEIGHBOUR;
        self.are_possible && is_deaf || self.last.is_some_and(was_heard)
    }
}
