//! `THIRD-PARTY.md`: the licences of all crates of this workspace, by `cargo-about` with `about.toml`, and of
//! what else is linked into the programs.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::{programs, tools, tree, work};
use crate::support::build;

/// The file's name.
pub(super) const NAME: &str = "THIRD-PARTY.md";

/// Collects the licences, and says where the file is. A licence outside the list in
/// `packaging/licences/about.toml` is an error. cargo-about compares the texts of all crates for
/// minutes, so its answer is kept for as long as crates and list are the same.
pub(super) fn make() -> Result<PathBuf> {
    let packaging = build::root().join("packaging/licences");
    let (list, template) = (
        packaging.join("about.toml"),
        packaging.join("third-party.hbs"),
    );
    let (besides, lesser) = (packaging.join("besides.md"), packaging.join("LGPL-2.1.txt"));
    let mut all = Sha256::new();
    let lock = build::root().join("Cargo.lock");
    for file in [&lock, &list, &template, &besides, &lesser] {
        all.update(fs::read(file)?);
    }
    let hash: String = all.finalize()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let kept = build::target()
        .join("tools")
        .join(format!("licences-{hash}.md"));
    if !kept.is_file() {
        let mut about = tools::about()?;
        about.args(["generate", "--fail", "--locked", "--offline"]);
        about.args(["--target", programs::TARGET, "--workspace", "--config"]);
        about.arg(&list).arg(&template);
        let text = build::said(&mut about)?;
        let (besides, lesser) = (fs::read_to_string(besides)?, fs::read_to_string(lesser)?);
        let text = format!("{}\n{besides}\n```text\n{lesser}```\n", text.trim());
        let beside = kept.with_extension("new");
        tree::write(&beside, &text)?;
        fs::rename(&beside, &kept)?;
    }
    let file = work().join(NAME);
    tree::add(&kept, &file, 0o644)?;
    Ok(file)
}
