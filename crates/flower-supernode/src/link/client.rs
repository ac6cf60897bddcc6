//! The Fleet client: every request leaves with this node's signature.

use std::sync::Arc;

use flwr_client::channel::Channel;
use flwr_core::time::Timestamp;
use flwr_daemon::clock::Clock;
use flwr_proto::fleet_client::FleetClient;
use flwr_security::key::PrivateKey;
use flwr_security::signature::{self, SignatureHeaders};
use parking_lot::Mutex;
use time::OffsetDateTime;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

/// Bytes of one message (flwr 1.22 wire: the peers allow 2 GiB less one).
pub(crate) const MESSAGE_BYTES: usize = i32::MAX as usize;

/// Seconds that a signature is used. SuperLinks take those of up to 305 s (flwr 1.22 wire), by
/// their own clock: the rest is for clocks that differ.
const SIGNATURE_LIFE: f64 = 120.0;

/// A client whose requests are signed.
pub(crate) type Fleet = FleetClient<InterceptedService<Channel, Signer>>;

/// Signs requests. A signature is over the time only, and serves for two minutes: making one costs
/// a millisecond, and a SuperLink of ours checks it once.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    key: PrivateKey,
    clock: Arc<dyn Clock>,
    last: Arc<Mutex<Option<Signed>>>,
}

#[derive(Debug)]
struct Signed {
    at: Timestamp,
    headers: SignatureHeaders,
}

impl Signer {
    pub(crate) fn new(key: PrivateKey, clock: Arc<dyn Clock>) -> Self {
        Self {
            key,
            clock,
            last: Arc::default(),
        }
    }

    /// The SuperLink does not take the signature: by its clock it may be too old.
    pub(crate) fn renew(&self) {
        *self.last.lock() = None;
    }

    fn sign(&self, now: Timestamp) -> Result<Signed, Status> {
        let time = now.to_date_time().unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let headers = signature::sign(&self.key, time)
            .map_err(|error| Status::internal(format!("could not sign a request: {error}")))?;
        Ok(Signed { at: now, headers })
    }
}

impl Interceptor for Signer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let now = self.clock.now();
        let mut last = self.last.lock();
        // A clock that was set back makes a new one, too.
        let is_of_now = |signed: &Signed| (0.0..SIGNATURE_LIFE).contains(&now.since(signed.at));
        let signed = match last.take().filter(is_of_now) {
            Some(signed) => signed,
            None => self.sign(now)?,
        };
        signed.headers.write(request.metadata_mut().as_mut());
        *last = Some(signed);
        Ok(request)
    }
}

/// A client of the SuperLink at the other end of `line`.
pub(crate) fn connect(line: Channel, signer: Signer) -> Fleet {
    FleetClient::with_interceptor(line, signer)
        .max_decoding_message_size(MESSAGE_BYTES)
        .max_encoding_message_size(MESSAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flwr_daemon::clock::MockClock;

    use super::*;

    fn headers_of(signer: &mut Signer) -> SignatureHeaders {
        let request = signer.call(Request::new(())).unwrap();
        SignatureHeaders::read(&request.into_parts().0.into_headers()).unwrap()
    }

    #[test]
    fn a_signature_serves_for_two_minutes_unless_it_is_refused_or_the_clock_is_set_back() {
        let start = Timestamp::from_secs(1_758_000_000.25);
        let clock = Arc::new(MockClock::new(start));
        let mut signer = Signer::new(PrivateKey::generate().unwrap(), clock.clone());
        let first = headers_of(&mut signer);
        clock.advance(Duration::from_secs(119));
        assert_eq!(headers_of(&mut signer.clone()), first);
        clock.advance(Duration::from_secs(1));
        let second = headers_of(&mut signer);
        assert_ne!(second.timestamp, first.timestamp);
        clock.advance(Duration::from_secs(1));
        assert_eq!(headers_of(&mut signer), second);
        signer.renew();
        let third = headers_of(&mut signer);
        assert_ne!(third.timestamp, second.timestamp);
        clock.set(start);
        assert_eq!(headers_of(&mut signer).timestamp, first.timestamp);
    }
}
