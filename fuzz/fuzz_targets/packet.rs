#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flwr_fuzz::run("packet", data));
