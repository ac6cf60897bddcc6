//! Who is at the other end of a connection.

use std::any::Any;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;

use crate::joining::Exported;
use crate::tls::Certificate;

/// Runs for which one connection may speak. An app speaks for one; a forwarder may carry the
/// connections of a few.
const MAX_RUNS: usize = 16;

/// Who is at the other end of a connection: every request that came over it has this among its
/// extensions.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Our end of the connection.
    pub local: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Whether the connection may carry the calls of others. A proxy on this machine makes strangers
    /// look like processes of this machine, so the address proves nothing.
    pub may_be_forwarded: bool,
    /// The certificate it has shown, which was checked, if it was asked for one.
    pub certificate: Option<Arc<Certificate>>,
    /// What both ends of the connection know and nobody else, for proofs that hold on this connection
    /// only. `None`: the connection is plaintext, or older than TLS 1.3.
    pub binding: Option<Binding>,
    /// Whether a caller over the connection was admitted.
    pub standing: Standing,
    /// What was proven over the connection.
    pub proven: Arc<Proven>,
    /// The process that was started with its end of the connection, if the connection is the native
    /// channel of an app. The addresses say nothing then.
    pub process: Option<Arc<Process>>,
}

/// A process of this machine, distinct from every other one that has or had its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The process id.
    pub pid: u32,
    /// The start time, as the system tells it.
    pub started: String,
}

impl Peer {
    /// A client at this address, which speaks plaintext and has shown nothing. `local` is our end.
    #[must_use]
    pub fn plaintext(address: SocketAddr, local: SocketAddr) -> Self {
        Self {
            address,
            local,
            tls: false,
            may_be_forwarded: false,
            certificate: None,
            binding: None,
            standing: Standing::default(),
            proven: Arc::default(),
            process: None,
        }
    }
}

/// The keying material of one TLS 1.3 connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Binding(pub Exported);

/// The material is not printed.
impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Binding")
    }
}

/// The certificates that a client has shown, its own first. Requests over HTTP/1.1 have this among their
/// extensions, where the client has shown a certificate: services on a common port check it again, each
/// by its own CA.
#[derive(Clone, Debug)]
pub struct Chain(pub Arc<[CertificateDer<'static>]>);

/// Whether a caller over a connection was admitted. All requests of the connection share this.
#[derive(Clone, Default)]
pub struct Standing(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    /// Nobody was, and nothing counts that.
    #[default]
    Uncounted,
    /// Nobody was. What counts such connections is dropped with this.
    Stranger(#[expect(dead_code, reason = "what counts is dropped")] Box<dyn Any + Send>),
    /// Somebody was.
    Admitted,
}

/// The address by which limits count whoever is there. Of IPv6 that is the network of 64 bits: anybody
/// has all addresses of such a network.
#[must_use]
pub fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

impl Standing {
    /// Of a connection without an admitted caller, which counts as such until `place` is dropped.
    #[must_use]
    pub fn stranger(place: impl Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(State::Stranger(Box::new(place)))))
    }

    /// A caller was admitted: the connection does not count among those of strangers any more.
    pub fn admit(&self) {
        let earlier = std::mem::replace(&mut *self.0.lock(), State::Admitted);
        drop(earlier);
    }

    /// Whether a caller was admitted.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        matches!(*self.0.lock(), State::Admitted)
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.is_admitted() {
            true => "admitted",
            false => "stranger",
        })
    }
}

/// What the caller at the other end of one connection has proven. App processes of flwr 1.20 to 1.28
/// show their token in a few calls only; the connection answers for the others.
#[derive(Debug, Default)]
pub struct Proven {
    /// Each run with what proved the right to it, oldest first.
    runs: Mutex<Vec<(RunId, ObjectId)>>,
    /// When an admitted call came last, on a clock of the daemon's.
    used: AtomicU64,
}

impl Proven {
    /// The caller has proven its right to speak for a run. `by` names the proof.
    pub fn add(&self, run: RunId, by: ObjectId) {
        let mut runs = self.runs.lock();
        runs.retain(|(known, _)| *known != run);
        if runs.len() == MAX_RUNS {
            runs.remove(0);
        }
        runs.push((run, by));
    }

    /// The proof of the right to speak for this run.
    #[must_use]
    pub fn of(&self, run: RunId) -> Option<ObjectId> {
        let runs = self.runs.lock();
        let found = runs.iter().find(|(known, _)| *known == run);
        found.map(|(_, by)| *by)
    }

    /// The run for which this proves the right to speak. `None`: it was not shown here.
    #[must_use]
    pub fn run_by(&self, proof: ObjectId) -> Option<RunId> {
        let runs = self.runs.lock();
        let found = runs.iter().find(|(_, by)| *by == proof);
        found.map(|(run, _)| *run)
    }

    /// An admitted call came at this moment.
    pub fn touch(&self, moment: u64) {
        self.used.store(moment, Ordering::Relaxed);
    }

    /// When an admitted call came last.
    #[must_use]
    pub fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let counted = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("192.0.2.7"), "192.0.2.7");
        assert_eq!(counted("::ffff:192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn an_admitted_connection_leaves_its_place_among_strangers() {
        let place = Arc::new(());
        let standing = Standing::stranger(Arc::clone(&place));
        let of_a_request = standing.clone();
        assert!(!standing.is_admitted());
        assert_eq!(Arc::strong_count(&place), 2);
        of_a_request.admit();
        assert!(standing.is_admitted());
        assert_eq!(Arc::strong_count(&place), 1);
    }

    #[test]
    fn a_connection_answers_for_the_runs_that_were_proven_over_it() {
        let proven = Proven::default();
        let (first, second) = (ObjectId::of(b"first"), ObjectId::of(b"second"));
        assert_eq!(proven.of(RunId(7)), None);
        proven.add(RunId(7), first);
        proven.add(RunId(7), second);
        assert_eq!(proven.of(RunId(7)), Some(second));
        assert_eq!(proven.of(RunId(8)), None);
    }

    #[test]
    fn a_connection_remembers_a_few_runs_only() {
        let proven = Proven::default();
        let by = ObjectId::of(b"proof");
        for run in 0..=MAX_RUNS as u64 {
            proven.add(RunId(run), by);
        }
        assert_eq!(proven.of(RunId(0)), None);
        assert_eq!(proven.of(RunId(1)), Some(by));
        assert_eq!(proven.of(RunId(MAX_RUNS as u64)), Some(by));
    }
}
