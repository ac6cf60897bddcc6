//! Signs the requests of a SuperNode.
//!
//! A signature is over the time only, and serves for two minutes: making one costs a millisecond,
//! and a SuperLink of ours checks it once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use flwr_core::port::Result;
use flwr_core::refusal::Failure;
use flwr_core::time::Timestamp;
use flwr_security::key::PrivateKey;
use flwr_security::signature::{self, SignatureHeaders};
use flwr_wire::line::Now;
use http::HeaderMap;
use parking_lot::{Mutex, RwLock};
use time::{Duration, OffsetDateTime};

use crate::line::Proof;

/// How long a signature is used. SuperLinks take those of up to 305 s (flwr 1.22 wire), by their
/// own clock: the rest is for clocks that differ.
const SIGNATURE_LIFE: Duration = Duration::seconds(120);

/// Signs requests. Clones share the key and the signatures.
#[derive(Clone)]
pub struct Signer {
    key: Arc<RwLock<PrivateKey>>,
    now: Arc<dyn Fn() -> OffsetDateTime + Send + Sync>,
    signatures: Arc<Mutex<Signatures>>,
}

/// The signatures that were made.
#[derive(Debug)]
enum Signatures {
    /// The last, which serves for [`SIGNATURE_LIFE`].
    Reused(Option<Signed>),
    /// Those that no request has yet. Each serves for one.
    Single(VecDeque<SignatureHeaders>),
}

#[derive(Debug)]
struct Signed {
    at: OffsetDateTime,
    headers: SignatureHeaders,
}

impl Signer {
    /// Signs with this key, at the times that `now` gives.
    #[must_use]
    pub fn new(key: PrivateKey, now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self {
            key: Arc::new(RwLock::new(key)),
            now: Arc::new(now),
            signatures: Arc::new(Mutex::new(Signatures::Reused(None))),
        }
    }

    /// Gives each request a signature of its own, as flwr's SuperNodes do.
    #[must_use]
    pub fn once_each(mut self) -> Self {
        self.signatures = Arc::new(Mutex::new(Signatures::Single(VecDeque::new())));
        self
    }

    /// Makes so many signatures for requests to come, where each request has its own.
    ///
    /// # Errors
    /// If a signature cannot be made.
    pub fn prepare(&self, count: usize) -> Result<()> {
        let made: Result<Vec<_>> = (0..count).map(|_| self.sign((self.now)())).collect();
        if let Signatures::Single(prepared) = &mut *self.signatures.lock() {
            prepared.extend(made?);
        }
        Ok(())
    }

    /// How many prepared signatures no request has.
    #[must_use]
    pub fn prepared(&self) -> usize {
        match &*self.signatures.lock() {
            Signatures::Single(prepared) => prepared.len(),
            Signatures::Reused(_) => 0,
        }
    }

    /// The public half of the key: PEM text.
    #[must_use]
    pub fn public_key(&self) -> Bytes {
        Bytes::from(self.key.read().public_key().to_pem())
    }

    /// Signs with another key from now on.
    pub fn replace(&self, key: PrivateKey) {
        // Whoever makes a signature that is used again holds this lock.
        let mut signatures = self.signatures.lock();
        *self.key.write() = key;
        signatures.forget();
    }

    /// The clock that the signer looks at.
    #[must_use]
    pub fn clock(&self) -> Now {
        let now = Arc::clone(&self.now);
        Arc::new(move || Timestamp::from(now()))
    }

    /// Forgets the signatures: the SuperLink does not take one, by its clock it may be too old.
    pub fn renew(&self) {
        self.signatures.lock().forget();
    }

    fn sign(&self, now: OffsetDateTime) -> Result<SignatureHeaders> {
        let failed = |error| Failure::TryAgain(format!("could not sign a request: {error}"));
        let key = self.key.read().clone();
        signature::sign(&key, now).map_err(failed)
    }
}

impl Signatures {
    fn forget(&mut self) {
        match self {
            Self::Reused(last) => *last = None,
            Self::Single(prepared) => prepared.clear(),
        }
    }
}

impl Signed {
    /// Whether the signature may be used now. After a clock was set back it may not.
    fn is_of(&self, now: OffsetDateTime) -> bool {
        (Duration::ZERO..SIGNATURE_LIFE).contains(&(now - self.at))
    }
}

impl Signer {
    /// The signature for the next request.
    fn next(&self) -> Result<SignatureHeaders> {
        let now = (self.now)();
        let mut signatures = self.signatures.lock();
        match &mut *signatures {
            Signatures::Reused(last) => {
                let signed = match last.take().filter(|signed| signed.is_of(now)) {
                    Some(signed) => signed,
                    None => Signed {
                        at: now,
                        headers: self.sign(now)?,
                    },
                };
                Ok(last.insert(signed).headers.clone())
            }
            Signatures::Single(prepared) => {
                let prepared = prepared.pop_front();
                // Requests of one node do not wait for each other's signatures.
                drop(signatures);
                prepared.map_or_else(|| self.sign(now), Ok)
            }
        }
    }
}

impl Proof for Signer {
    fn prove(&self, headers: &mut HeaderMap) -> Result<()> {
        self.next()?.write(headers);
        Ok(())
    }

    fn prove_over_http(&self, headers: &mut HeaderMap) -> Result<()> {
        self.next()?.write_http(headers);
        Ok(())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("key", &*self.key.read())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2025-09-16 05:20:00.25 UTC);

    /// A signer, and the clock that it looks at.
    fn signer() -> (Signer, Arc<Mutex<OffsetDateTime>>) {
        let clock = Arc::new(Mutex::new(START));
        let watch = Arc::clone(&clock);
        let key = PrivateKey::generate().unwrap();
        (Signer::new(key, move || *watch.lock()), clock)
    }

    fn headers_of(signer: &Signer) -> SignatureHeaders {
        let mut headers = HeaderMap::new();
        signer.prove(&mut headers).unwrap();
        SignatureHeaders::read(&headers).unwrap()
    }

    #[test]
    fn a_signature_serves_for_two_minutes_unless_it_is_refused_or_the_clock_is_set_back() {
        let (signer, clock) = signer();
        let first = headers_of(&signer);
        *clock.lock() += Duration::seconds(119);
        assert_eq!(headers_of(&signer.clone()), first);
        *clock.lock() += Duration::SECOND;
        let second = headers_of(&signer);
        assert_ne!(second.timestamp, first.timestamp);
        *clock.lock() += Duration::SECOND;
        assert_eq!(headers_of(&signer), second);
        signer.renew();
        let third = headers_of(&signer);
        assert_ne!(third.timestamp, second.timestamp);
        *clock.lock() = START;
        assert_eq!(headers_of(&signer).timestamp, first.timestamp);
    }

    #[test]
    fn another_key_signs_from_the_next_request_on() {
        let (signer, _) = signer();
        let (first, clone) = (headers_of(&signer), signer.clone());
        let key = PrivateKey::generate().unwrap();
        signer.replace(key.clone());
        let second = headers_of(&clone);
        assert_ne!(second.signature, first.signature);
        assert_eq!(clone.public_key(), key.public_key().to_pem());
    }

    #[test]
    fn each_request_has_a_signature_of_its_own_where_that_is_asked_for() {
        let looks = Mutex::new(0);
        let now = move || {
            let mut looks = looks.lock();
            *looks += 1;
            START + Duration::milliseconds(*looks)
        };
        let signer = Signer::new(PrivateKey::generate().unwrap(), now).once_each();
        signer.prepare(2).unwrap();
        assert_eq!(signer.clone().prepared(), 2);
        let mut used: Vec<_> = (0..4).map(|_| headers_of(&signer).signature).collect();
        assert_eq!(signer.prepared(), 0);
        used.sort();
        used.dedup();
        assert_eq!(used.len(), 4);
        signer.prepare(1).unwrap();
        signer.renew();
        assert_eq!(signer.prepared(), 0);
    }
}
