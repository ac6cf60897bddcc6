//! Signs the requests of a SuperNode.
//!
//! A signature is over the time only, and serves for two minutes: making one costs a millisecond,
//! and a SuperLink of ours checks it once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use flwr_security::key::PrivateKey;
use flwr_security::signature::{self, SignatureHeaders};
use parking_lot::Mutex;
use time::{Duration, OffsetDateTime};
use tonic::service::Interceptor;
use tonic::{Request, Status};

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

    /// Forgets the signatures: the SuperLink does not take one, by its clock it may be too old.
    pub fn renew(&self) {
        *self.last.lock() = None;
    }

    fn sign(&self, now: OffsetDateTime) -> Result<Signed, Status> {
        // Each over a time of its own: signatures over the same time are the same.
        let turns = (0..self.count).map(|_| signature::sign(&self.key, (self.now)()));
        let turns = turns
            .collect::<Result<_, _>>()
            .map_err(|error| Status::internal(format!("could not sign a request: {error}")))?;
        Ok(Signed { at: now, turns })
    }
}

impl Signed {
    /// Whether the signatures may be used now. After a clock was set back they may not.
    fn is_of(&self, now: OffsetDateTime) -> bool {
        (Duration::ZERO..SIGNATURE_LIFE).contains(&(now - self.at))
    }
}

impl Interceptor for Signer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let now = (self.now)();
        let mut last = self.last.lock();
        let mut signed = match last.take().filter(|signed| signed.is_of(now)) {
            Some(signed) => signed,
            None => self.sign(now)?,
        };
        if let Some(headers) = signed.turns.pop_front() {
            headers.write(request.metadata_mut().as_mut());
            signed.turns.push_back(headers);
        }
        *last = Some(signed);
        Ok(request)
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

    fn headers_of(signer: &mut Signer) -> SignatureHeaders {
        let request = signer.call(Request::new(())).unwrap();
        SignatureHeaders::read(&request.into_parts().0.into_headers()).unwrap()
    }

    #[test]
    fn a_signature_serves_for_two_minutes_unless_it_is_refused_or_the_clock_is_set_back() {
        let (mut signer, clock) = signer();
        let first = headers_of(&mut signer);
        *clock.lock() += Duration::seconds(119);
        assert_eq!(headers_of(&mut signer.clone()), first);
        *clock.lock() += Duration::SECOND;
        let second = headers_of(&mut signer);
        assert_ne!(second.timestamp, first.timestamp);
        *clock.lock() += Duration::SECOND;
        assert_eq!(headers_of(&mut signer), second);
        signer.renew();
        let third = headers_of(&mut signer);
        assert_ne!(third.timestamp, second.timestamp);
        *clock.lock() = START;
        assert_eq!(headers_of(&mut signer).timestamp, first.timestamp);
    }

    #[test]
    fn several_signatures_are_used_in_turns() {
        let looks = Mutex::new(0);
        let now = move || {
            let mut looks = looks.lock();
            *looks += 1;
            START + Duration::milliseconds(*looks)
        };
        let mut signer = Signer::new(PrivateKey::generate().unwrap(), now).in_turns(3);
        let used: Vec<_> = (0..6).map(|_| headers_of(&mut signer).signature).collect();
        assert_eq!(used[..3], used[3..]);
        assert!(used[0] != used[1] && used[1] != used[2] && used[2] != used[0]);
    }
}
