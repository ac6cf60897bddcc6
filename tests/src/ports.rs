//! Ports for programs that are told where to listen.

use std::net::TcpListener;
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems give to outgoing connections, so that none of those is in the way.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Held by tests that use Flower's usual ports.
pub static USUAL: Mutex<()> = Mutex::new(());

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on, and that no other test of this process gets.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free() -> u16 {
    // Test processes that run at once start at different places.
    let start = u16::try_from(process::id() % u32::from(COUNT)).unwrap_or(0);
    (0..COUNT)
        .map(|_| FIRST + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))) % COUNT)
        .find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok())
        .expect("no port is free")
}
