//! A TCP forwarder before a SuperLink, whose connections can fall silent: they stay open, and
//! carry nothing any more, as when a NAT has lost them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A listening forwarder. Its threads end with the test's process.
#[derive(Debug)]
pub struct Forwarder {
    address: SocketAddr,
    /// Connections with a lower number carry nothing.
    living: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
}

impl Forwarder {
    /// Listens on a free port, and forwards to `upstream`, which need not be there yet.
    ///
    /// # Panics
    /// If it cannot listen.
    #[must_use]
    pub fn listen(upstream: impl Fn() -> SocketAddr + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let forwarder = Self {
            address: listener.local_addr().unwrap(),
            living: Arc::default(),
            accepted: Arc::default(),
        };
        let (living, accepted) = (
            Arc::clone(&forwarder.living),
            Arc::clone(&forwarder.accepted),
        );
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                if let Ok(server) = TcpStream::connect(upstream()) {
                    carry(&client, &server, number, &living);
                    carry(&server, &client, number, &living);
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

    /// The connections of now carry nothing any more; later ones do.
    pub fn fall_silent(&self) {
        self.living.store(self.accepted(), Ordering::SeqCst);
    }
}

/// Carries bytes one way, in a thread. What arrives on a silent connection is read and dropped.
fn carry(from: &TcpStream, to: &TcpStream, number: usize, living: &Arc<AtomicUsize>) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let living = Arc::clone(living);
    thread::spawn(move || {
        let mut chunk = [0; 8 << 10];
        let is_silent = || number < living.load(Ordering::SeqCst);
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            if !is_silent() && to.write_all(&chunk[..count]).is_err() {
                break;
            }
        }
        if !is_silent() {
            let _ = to.shutdown(Shutdown::Write);
        }
    });
}
