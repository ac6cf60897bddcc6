#![no_main]
//! The headers that prove who calls.

use bytes::Bytes;
use flwr_security::signature::{SignatureHeaders, Verifier};
use libfuzzer_sys::fuzz_target;
use time::macros::datetime;

fuzz_target!(|parts: (Vec<u8>, String, Vec<u8>)| {
    let (public_key, timestamp, signature) = parts;
    let headers = SignatureHeaders {
        public_key: Bytes::from(public_key),
        timestamp,
        signature: Bytes::from(signature),
    };
    let now = datetime!(2025-09-16 06:13:20 UTC);
    assert!(Verifier::new(None).verify(&headers, now).is_err());
});
