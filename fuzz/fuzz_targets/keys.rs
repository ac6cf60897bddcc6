#![no_main]
//! Key files, and the list of allowed keys.

use std::path::Path;

use flwr_security::allow_list::AllowList;
use flwr_security::key::{PrivateKey, PublicKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = AllowList::parse(data, Path::new("keys.csv"));
    let _ = PublicKey::from_pem(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = PublicKey::from_openssh(text);
        let _ = PrivateKey::parse(text);
    }
});
