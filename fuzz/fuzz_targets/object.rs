#![no_main]
//! The head of an object, as peers push it.

use flwr_core::object::Head;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Head::read(data);
});
