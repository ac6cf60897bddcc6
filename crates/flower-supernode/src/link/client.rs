//! The Fleet client: every request leaves with this node's signature.

use std::sync::Arc;

use flwr_daemon::clock::Clock;
use flwr_proto::fleet_client::FleetClient;
use flwr_security::key::PrivateKey;
use flwr_security::signature;
use time::OffsetDateTime;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Bytes of one message (flwr 1.22 wire: the peers allow 2 GiB less one).
pub(crate) const MESSAGE_BYTES: usize = i32::MAX as usize;

/// A client whose requests are signed.
pub(crate) type Fleet = FleetClient<InterceptedService<Channel, Signer>>;

/// Signs each request anew: the time is part of what is signed.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    key: PrivateKey,
    clock: Arc<dyn Clock>,
}

impl Signer {
    pub(crate) fn new(key: PrivateKey, clock: Arc<dyn Clock>) -> Self {
        Self { key, clock }
    }
}

impl Interceptor for Signer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let now = self
            .clock
            .now()
            .to_date_time()
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let headers = signature::sign(&self.key, now)
            .map_err(|error| Status::internal(format!("could not sign a request: {error}")))?;
        headers.write(request.metadata_mut());
        Ok(request)
    }
}

/// A client of the SuperLink at the other end of `channel`.
pub(crate) fn connect(channel: Channel, signer: Signer) -> Fleet {
    FleetClient::with_interceptor(channel, signer)
        .max_decoding_message_size(MESSAGE_BYTES)
        .max_encoding_message_size(MESSAGE_BYTES)
}
