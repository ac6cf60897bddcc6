//! A TCP proxy between SuperNodes and their SuperLink, which loses and delays what it carries. Before several
//! SuperLinks it is a balancer: connections go to each in turn, and past a SuperLink that refuses them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::line::{Cut, Line};

/// How long a cut that waits for bytes waits.
const NO_TRAFFIC: Duration = Duration::from_secs(2);
/// How much is carried at a time: small, so that cuts hit the middle of things.
const CHUNK: usize = 8 << 10;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the SuperLink.
    Up,
    /// To the SuperNode.
    Down,
}

/// A listening proxy. It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    runtime: Runtime,
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    upstream: Mutex<Upstream>,
    /// The ways that are stalled.
    stalled: watch::Sender<Vec<Way>>,
    lines: Mutex<Vec<Weak<Line>>>,
}

/// Where connections go.
#[derive(Debug, Default)]
struct Upstream {
    all: Vec<SocketAddr>,
    /// Gets none for now.
    left_out: Option<SocketAddr>,
    turn: usize,
}

impl Upstream {
    /// Where the next connection goes, and then where it goes if that refuses it.
    fn next(&mut self) -> Vec<SocketAddr> {
        let is_in = |address: &SocketAddr| Some(*address) != self.left_out;
        let mut next: Vec<_> = self.all.iter().copied().filter(is_in).collect();
        if !next.is_empty() {
            let first = self.turn % next.len();
            next.rotate_left(first);
            self.turn += 1;
        }
        next
    }
}

impl Proxy {
    /// Listens; what comes before it knows where to forward to is hung up on.
    pub(crate) fn listen() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream: Mutex::default(),
            stalled: watch::Sender::new(Vec::new()),
            lines: Mutex::new(Vec::new()),
        });
        runtime.spawn(accept(listener, Arc::clone(&shared)));
        Self {
            runtime,
            address,
            shared,
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections go to this address, too.
    pub(crate) fn forward_to(&self, upstream: SocketAddr) {
        self.shared.upstream.lock().unwrap().all.push(upstream);
    }

    /// Connections to this address end, and new ones go elsewhere until nobody is left out.
    pub(crate) fn leave_out(&self, upstream: Option<SocketAddr>) {
        self.shared.upstream.lock().unwrap().left_out = upstream;
        let lines = self.lines().into_iter();
        for line in lines.filter(|line| upstream.is_some() && line.to() == upstream) {
            let (reset, after) = (true, 0);
            self.cut(&line, Cut { reset, after });
        }
    }

    /// The connections that there are.
    pub(crate) fn lines(&self) -> Vec<Arc<Line>> {
        let mut lines = self.shared.lines.lock().unwrap();
        lines.retain(|line| line.strong_count() > 0);
        lines.iter().filter_map(Weak::upgrade).collect()
    }

    /// Cuts one connection and waits until it is: if nothing is carried that the cut waits for,
    /// it comes nevertheless.
    pub(crate) fn cut(&self, line: &Line, cut: Cut) {
        line.order(cut);
        self.runtime.block_on(async {
            if tokio::time::timeout(NO_TRAFFIC, line.gone()).await.is_err() {
                line.order(Cut { after: 0, ..cut });
                line.gone().await;
            }
        });
    }

    /// Forwards nothing in these ways, until what this gives is dropped.
    pub(crate) fn stall(&self, ways: &[Way]) -> Stall {
        self.shared.stalled.send_replace(ways.to_vec());
        Stall(Arc::clone(&self.shared))
    }
}

/// A stall that lasts.
#[derive(Debug)]
pub(crate) struct Stall(Arc<Shared>);

impl Drop for Stall {
    fn drop(&mut self) {
        self.0.stalled.send_replace(Vec::new());
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let upstream = shared.upstream.lock().unwrap().next();
        let line = Arc::new(Line::default());
        shared.lines.lock().unwrap().push(Arc::downgrade(&line));
        let stalled = shared.stalled.subscribe();
        tokio::spawn(async move {
            // Where no SuperLink is there, the client is hung up on, as it would be.
            if let Some(server) = connect(&upstream).await {
                if let Ok(address) = server.peer_addr() {
                    line.goes_to(address);
                }
                carry(client, server, &line, &stalled).await;
            }
            line.end();
        });
    }
}

/// A connection to the first of these that takes it.
async fn connect(upstream: &[SocketAddr]) -> Option<TcpStream> {
    for address in upstream {
        if let Ok(server) = TcpStream::connect(address).await {
            return Some(server);
        }
    }
    None
}

/// Carries bytes both ways until both sides are done, or the line is cut.
async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    line: &Line,
    stalled: &watch::Receiver<Vec<Way>>,
) {
    let cut = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = pump(from_client, to_server, Way::Up, line, stalled.clone());
        let down = pump(from_server, to_client, Way::Down, line, stalled.clone());
        tokio::select! {
            cut = line.due() => Some(cut),
            _ = async { tokio::join!(up, down) } => None,
        }
    };
    if cut.is_some_and(|cut| cut.reset) {
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}

async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    way: Way,
    line: &Line,
    mut stalled: watch::Receiver<Vec<Way>>,
) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        if stalled.wait_for(|ways| !ways.contains(&way)).await.is_err() {
            return;
        }
        let may = line.take(count);
        if to.write_all(&chunk[..may]).await.is_err() {
            return;
        }
        if may < count {
            // The cut comes here, in the middle of something.
            line.now();
            std::future::pending::<()>().await;
        }
    }
    let _ = to.shutdown().await;
}

#[test]
fn connections_go_to_each_in_turn_and_past_who_refuses_them() {
    use std::io::{Read, Write};
    use std::net;

    let bind = || net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listeners = [bind(), bind(), bind()];
    let [one, refusing, two] = listeners.each_ref().map(|it| it.local_addr().unwrap());
    let [first, gone, second] = listeners;
    drop(gone);
    let proxy = Proxy::listen();
    for address in [one, refusing, two] {
        proxy.forward_to(address);
    }
    let ask = || net::TcpStream::connect(proxy.address()).unwrap();
    let (mut for_first, mut for_second) = (ask(), ask());
    let answer = |listener: &net::TcpListener, asker: &mut net::TcpStream| {
        drop(listener.accept().unwrap());
        assert_eq!(asker.read(&mut [0]).unwrap_or_default(), 0);
    };
    answer(&first, &mut for_first);
    answer(&second, &mut for_second);
    // The turn of the second.
    answer(&second, &mut ask());
    let mut open = ask();
    let (mut at_first, _) = first.accept().unwrap();
    open.write_all(b"a").unwrap();
    at_first.read_exact(&mut [0]).unwrap();
    proxy.leave_out(Some(one));
    assert!(matches!(open.read(&mut [0]), Ok(0) | Err(_)));
    let mut asked = ask();
    answer(&second, &mut asked);
}
