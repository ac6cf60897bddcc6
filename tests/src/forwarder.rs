//! A TCP forwarder before a SuperLink. Its connections can fall silent: they stay open and carry
//! nothing any more, as when a NAT has lost them. It can cut them, and be a bad line by itself.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// How often a connection is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes of a packet.
const PACKET: usize = 1400;
/// A bad line loses one packet in so many.
const LOST: usize = 40;
/// How long a lost packet holds up those after it, until it was sent again.
const SENT_AGAIN: Duration = Duration::from_millis(200);
/// A bad line breaks the first connection after so many packets, the second after twice as many,
/// and so on.
const BREAKS: usize = 60;

/// A listening forwarder. Its threads end with the test's process.
#[derive(Debug)]
pub struct Forwarder {
    address: SocketAddr,
    /// Connections with a lower number carry nothing.
    living: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

/// How a line carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Good,
    Bad,
}

impl Forwarder {
    /// Listens on a free port, and forwards to `upstream`, which need not be there yet.
    ///
    /// # Panics
    /// If it cannot listen.
    #[must_use]
    pub fn listen(upstream: impl Fn() -> SocketAddr + Send + 'static) -> Self {
        Self::forward(Line::Good, upstream)
    }

    /// The same over a bad line: packets are late since others were lost, and connections break.
    ///
    /// # Panics
    /// If it cannot listen.
    #[must_use]
    pub fn over_a_bad_line(upstream: impl Fn() -> SocketAddr + Send + 'static) -> Self {
        Self::forward(Line::Bad, upstream)
    }

    fn forward(line: Line, upstream: impl Fn() -> SocketAddr + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let forwarder = Self {
            address: listener.local_addr().unwrap(),
            living: Arc::default(),
            accepted: Arc::default(),
            open: Arc::default(),
        };
        let (living, accepted) = (
            Arc::clone(&forwarder.living),
            Arc::clone(&forwarder.accepted),
        );
        let open = Arc::clone(&forwarder.open);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Held until the connection stands in the list: `cut` ends it, or it goes where
                // `upstream` points after the cut.
                let mut open = open.lock().unwrap();
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                if let Ok(server) = TcpStream::connect(upstream()) {
                    carry(&client, &server, number, &living, line);
                    carry(&server, &client, number, &living, line);
                    open.extend([client, server]);
                }
            }
        });
        forwarder
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there have been.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Ends the connections of now, and waits for the next.
    ///
    /// # Panics
    /// If nobody connects anew.
    #[track_caller]
    pub fn cut(&self) {
        let before = self.end_all();
        let deadline = Instant::now() + PATIENCE;
        while self.accepted() == before {
            assert!(Instant::now() < deadline, "nobody connects anew");
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Ends the connections of now, and says how many there have been.
    fn end_all(&self) -> usize {
        let mut open = self.open.lock().unwrap();
        for stream in open.drain(..) {
            // Fails only if it has ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.accepted()
    }

    /// The connections of now carry nothing any more; later ones do.
    pub fn fall_silent(&self) {
        self.living.store(self.accepted(), Ordering::SeqCst);
    }
}

/// Carries bytes one way, in a thread. What arrives on a silent connection is read and dropped.
fn carry(from: &TcpStream, to: &TcpStream, number: usize, living: &Arc<AtomicUsize>, line: Line) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let living = Arc::clone(living);
    thread::spawn(move || {
        let mut chunk = [0; PACKET];
        let mut packets = 0;
        let is_silent = || number < living.load(Ordering::SeqCst);
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            if !is_silent() && to.write_all(&chunk[..count]).is_err() {
                break;
            }
            packets += 1;
            if line == Line::Bad && packets % LOST == 0 {
                thread::sleep(SENT_AGAIN);
            }
            if line == Line::Bad && packets == BREAKS * (number + 1) {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
            }
        }
        if !is_silent() {
            let _ = to.shutdown(Shutdown::Write);
        }
    });
}
