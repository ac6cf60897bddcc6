//! `THIRD-PARTY.md`: the licences of all crates in the programs, by `cargo-about` with `about.toml`.

use std::path::PathBuf;

use anyhow::Result;

use super::{programs, tools, tree, work};
use crate::support::build;

/// The file's name.
pub(super) const NAME: &str = "THIRD-PARTY.md";

/// Collects the licences, and says where the file is. A licence outside the list in
/// `packaging/licences/about.toml` is an error.
pub(super) fn make() -> Result<PathBuf> {
    let file = work().join(NAME);
    let packaging = build::root().join("packaging/licences");
    let mut about = tools::about()?;
    about.args(["generate", "--fail", "--locked", "--offline"]);
    about.args(["--target", programs::TARGET, "--config"]);
    about.arg(packaging.join("about.toml"));
    // flwrd, and the older commands, have no crates that these do not have.
    about
        .arg("--workspace")
        .arg(packaging.join("third-party.hbs"));
    let text = tools::said(&mut about)?;
    tree::write(&file, text.trim_start())?;
    Ok(file)
}
