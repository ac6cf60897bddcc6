//! Signs the requests of a SuperNode.
//!
//! A signature is over the time only, and serves for two minutes: making one costs a millisecond,
//! and a SuperLink of ours checks it once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use flwr_core::port::Result;
use flwr_core::refusal::Failure;
use flwr_core::time::Timestamp;
use flwr_security::key::PrivateKey;
use flwr_security::signature::{self, SignatureHeaders};
use flwr_wire::line::Now;
use http::HeaderMap;
use parking_lot::Mutex;
use time::{Duration, OffsetDateTime};

use crate::line::Proof;

/// How long a signature is used. SuperLinks take those of up to 305 s (flwr 1.22 wire), by their
/// own clock: the rest is for clocks that differ.
const SIGNATURE_LIFE: Duration = Duration::seconds(120);

/// Signs requests. Clones share the signatures.
#[derive(Clone)]
pub struct Signer {
    key: PrivateKey,
    now: Arc<dyn Fn() -> OffsetDateTime + Send + Sync>,
    /// Signatures that are made together and used in turns.
    count: usize,
    last: Arc<Mutex<Option<Signed>>>,
}

#[derive(Debug)]
struct Signed {
    at: OffsetDateTime,
    turns: VecDeque<SignatureHeaders>,
}

impl Signer {
    /// Signs with this key, at the times that `now` gives.
    #[must_use]
    pub fn new(key: PrivateKey, now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self {
            key,
            now: Arc::new(now),
            count: 1,
            last: Arc::default(),
        }
    }

    /// Uses so many signatures in turns. A SuperLink of ours remembers a key's last signature: with
    /// several it has to check each, as it has to for pip's SuperNodes.
    #[must_use]
    pub fn in_turns(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// The clock that the signer looks at.
    #[must_use]
    pub fn clock(&self) -> Now {
        let now = Arc::clone(&self.now);
        Arc::new(move || Timestamp::from(now()))
    }

    /// Forgets the signatures: the SuperLink does not take one, by its clock it may be too old.
    pub fn renew(&self) {
        *self.last.lock() = None;
    }

    fn sign(&self, now: OffsetDateTime) -> Result<Signed> {
        // Each over a time of its own: signatures over the same time are the same.
        let turns = (0..self.count).map(|_| signature::sign(&self.key, (self.now)()));
        let turns = turns.collect::<std::result::Result<_, _>>();
        let failed = |error| Failure::TryAgain(format!("could not sign a request: {error}"));
        Ok(Signed {
            at: now,
            turns: turns.map_err(failed)?,
        })
    }
}

impl Signed {
    /// Whether the signatures may be used now. After a clock was set back they may not.
    fn is_of(&self, now: OffsetDateTime) -> bool {
        (Duration::ZERO..SIGNATURE_LIFE).contains(&(now - self.at))
    }
}

impl Proof for Signer {
    fn prove(&self, headers: &mut HeaderMap) -> Result<()> {
        let now = (self.now)();
        let mut last = self.last.lock();
        let mut signed = match last.take().filter(|signed| signed.is_of(now)) {
            Some(signed) => signed,
            None => self.sign(now)?,
        };
        if let Some(signature) = signed.turns.pop_front() {
            signature.write(headers);
            signed.turns.push_back(signature);
        }
        *last = Some(signed);
        Ok(())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("key", &self.key)
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
    fn several_signatures_are_used_in_turns() {
        let looks = Mutex::new(0);
        let now = move || {
            let mut looks = looks.lock();
            *looks += 1;
            START + Duration::milliseconds(*looks)
        };
        let signer = Signer::new(PrivateKey::generate().unwrap(), now).in_turns(3);
        let used: Vec<_> = (0..6).map(|_| headers_of(&signer).signature).collect();
        assert_eq!(used[..3], used[3..]);
        assert!(used[0] != used[1] && used[1] != used[2] && used[2] != used[0]);
    }
}
