//! A federation that a command works with, and what is to be known beside it.

use std::path::PathBuf;

use flwr_core::project::Federation;

/// A federation, and what is to be known of where it is described.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) federation: Federation,
    /// What the paths of its files are relative to.
    pub(crate) base: PathBuf,
    /// Where it is described.
    pub(crate) source: String,
    /// Why it is the one.
    pub(crate) why: String,
    /// Where what is kept for it is: `.flwr` of an app, or Flower's home directory.
    pub(crate) kept: PathBuf,
}

impl Chosen {
    /// The file for the tokens of a login (flwr 1.22, for federations of an app).
    pub(crate) fn credentials(&self) -> PathBuf {
        // A name is no path.
        let name = self.federation.name.replace(['/', '\\', '\0'], "_");
        self.kept.join(".credentials").join(format!("{name}.json"))
    }
}
