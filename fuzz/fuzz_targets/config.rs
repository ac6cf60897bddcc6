#![no_main]
//! Run and node configuration, and pyproject.toml.

use flwr_core::config::{flatten, from_toml_text, parse_pairs};
use flwr_core::project::Project;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for table in [parse_pairs(&[text]), from_toml_text(text)].into_iter().flatten() {
        let _ = flatten(&table);
    }
    let _ = Project::parse(text);
});
