//! Stands between a state and its server, and cuts a connection at the COMMIT.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

/// The name of a server's socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";
/// What a client sends to commit: a simple query.
const COMMIT: &[u8] = b"COMMIT\0";

/// What a client sends to listen: a simple query.
const LISTEN: &[u8] = b"LISTEN ";

/// When a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The server never sees the COMMIT.
    BeforeCommit,
    /// The server has committed, and its answer is lost.
    AfterCommit,
}

#[derive(Debug, Default)]
struct Plan {
    next: Option<Moment>,
    cuts: usize,
    /// After the next cut nobody gets through.
    is_last: bool,
    is_closed: bool,
    /// Nobody begins to listen.
    is_deaf: bool,
}

impl Plan {
    fn cut(&mut self) {
        self.cuts += 1;
        self.is_closed = self.is_last;
    }
}

pub(super) struct Proxy {
    dir: TempDir,
    plan: Arc<Mutex<Plan>>,
    _task: JoinSet<()>,
}

impl Proxy {
    pub(super) fn start(server: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        let (plan, server) = (Arc::<Mutex<Plan>>::default(), server.join(SOCKET));
        let mut task = JoinSet::new();
        let shared = Arc::clone(&plan);
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                if shared.lock().is_closed {
                    continue;
                }
                let server = UnixStream::connect(&server).await.unwrap();
                connections.spawn(relay(client, server, Arc::clone(&shared)));
            }
        });
        Self {
            dir,
            plan,
            _task: task,
        }
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Cuts the connection at the next COMMIT of a transaction that writes.
    pub(super) fn cut_once(&self, moment: Moment) {
        self.plan.lock().next = Some(moment);
    }

    /// The same, and nobody gets through until the proxy is opened.
    pub(super) fn cut_and_close(&self, moment: Moment) {
        let mut plan = self.plan.lock();
        (plan.next, plan.is_last) = (Some(moment), true);
    }

    /// Nobody begins to listen any more, until the proxy is opened.
    pub(super) fn deafen(&self) {
        self.plan.lock().is_deaf = true;
    }

    /// Lets everybody through again.
    pub(super) fn open(&self) {
        let mut plan = self.plan.lock();
        (plan.is_last, plan.is_closed, plan.is_deaf) = (false, false, false);
    }

    /// How often a connection was cut.
    pub(super) fn cuts(&self) -> usize {
        self.plan.lock().cuts
    }
}

async fn relay(mut client: UnixStream, mut server: UnixStream, plan: Arc<Mutex<Plan>>) {
    let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let (from_client, read) = tokio::select! {
            read = client.read(&mut asked) => (true, read),
            read = server.read(&mut answered) => (false, read),
        };
        let Ok(length @ 1..) = read else {
            return;
        };
        if !from_client {
            if client.write_all(&answered[..length]).await.is_err() {
                return;
            }
            continue;
        }
        let sent = &asked[..length];
        let says = |what: &[u8]| sent.windows(what.len()).any(|part| part == what);
        if says(LISTEN) && plan.lock().is_deaf {
            return;
        }
        let is_commit = says(COMMIT);
        let cut = match is_commit {
            true => plan.lock().next.take(),
            false => None,
        };
        if cut == Some(Moment::BeforeCommit) {
            plan.lock().cut();
            return;
        }
        if server.write_all(sent).await.is_err() {
            return;
        }
        if cut == Some(Moment::AfterCommit) {
            // Its answer: the server has committed.
            let _ = server.read(&mut answered).await;
            plan.lock().cut();
            return;
        }
    }
}
