//! The Fleet client: each request leaves with the node's signature.

use flwr_proto::fleet_client::FleetClient;
use tonic::service::interceptor::InterceptedService;

use crate::channel::Channel;
use crate::signer::Signer;
use flwr_proto::MAX_MESSAGE_BYTES;

/// A client whose requests are signed.
pub type Fleet = FleetClient<InterceptedService<Channel, Signer>>;

/// A client of the SuperLink at the other end of `line`.
#[must_use]
pub fn fleet(line: Channel, signer: Signer) -> Fleet {
    FleetClient::with_interceptor(line, signer)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}
