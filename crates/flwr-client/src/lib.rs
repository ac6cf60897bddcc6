//! How our programs call a SuperLink: channels that say why they do not connect, lines that
//! generations send through, signed requests, retries, refusals read once, and the transfer of
//! objects. Knows no daemon.

#![cfg_attr(
    test,
    expect(
        clippy::disallowed_methods,
        reason = "tests start peers that end with the test, and wait with deadlines"
    )
)]

pub mod channel;
pub mod find;
pub mod fleet;
pub mod joined;
pub mod joining;
pub mod line;
pub mod refused;
pub mod retry;
pub mod signer;
pub mod transfer;
