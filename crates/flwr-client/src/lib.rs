//! How our programs call a SuperLink: channels that say why they do not connect, signed requests,
//! retries, refusals read once, and the transfer of objects. Knows no daemon.

pub mod channel;

#[cfg(test)]
mod testing;
