#![no_main]
//! A FAB, as `flwr run` sends it and SuperNodes fetch it.

use bytes::Bytes;
use flwr_core::fab::Fab;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Fab::open(Bytes::copy_from_slice(data));
});
