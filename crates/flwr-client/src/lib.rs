//! How our programs call a SuperLink: channels that say why they do not connect, signed requests,
//! retries, refusals read once, and the transfer of objects. Knows no daemon.

pub mod channel;
pub mod fleet;
pub mod refused;
pub mod retry;
pub mod signer;
pub mod transfer;

/// Bytes of one message (flwr 1.20 to 1.22: the peers allow 2 GiB less one).
pub const MESSAGE_BYTES: usize = i32::MAX as usize;

#[cfg(test)]
mod testing;
