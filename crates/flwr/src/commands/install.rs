//! `flwr install`: unpacks a bundle to the directory in which app processes look for apps.

use std::fs;
use std::path::{Path, PathBuf};

use flwr_core::fab::Fab;
use flwr_security::whole_dir::{self, Found};
use serde_json::json;

use crate::cli::InstallArgs;
use crate::error::{Error, Result};
use crate::federation::Surroundings;
use crate::render::Output;

pub(super) fn install(args: &InstallArgs, output: &mut Output) -> Result<()> {
    let bytes = fs::read(&args.source).map_err(|source| Error::Read {
        path: args.source.clone(),
        source,
    })?;
    let (fab, files) = Fab::unpack(bytes.into()).map_err(Error::Fab)?;
    check_name(&args.source, &fab)?;
    let home = match &args.flwr_dir {
        Some(directory) => directory.clone(),
        None => Surroundings::of_process().home.ok_or(Error::NoHome)?,
    };
    let directory = home.join("apps").join(fab.directory_name());
    let files: Vec<_> = files.into_iter().collect();
    let found = whole_dir::ensure(&directory, &files).map_err(|source| Error::Write {
        path: directory.clone(),
        source,
    })?;
    match found {
        // Its name has the hash: what is there is the same.
        Found::Directory { mended, .. } if mended.is_empty() => output.say(&format!(
            "It is installed in {} already.",
            directory.display()
        ))?,
        Found::Nothing | Found::Directory { .. } => output.success(&format!(
            "🎊 Successfully installed {} to {}.",
            fab.manifest().name,
            directory.display()
        ))?,
    }
    output.json(&json!({
        "success": true,
        "fab-id": fab.fab_id(),
        "fab-version": fab.manifest().version,
        "fab-hash": fab.short_hash(),
        "directory": directory,
    }))
}

/// A bundle has the name that `flwr build` gave it (flwr 1.22): one that was changed tells that
/// something is mixed up.
fn check_name(path: &Path, fab: &Fab) -> Result<()> {
    let name = path.file_name().unwrap_or_default();
    if name == fab.file_name().as_str() {
        return Ok(());
    }
    Err(Error::BundleName {
        given: PathBuf::from(name),
        right: fab.file_name(),
    })
}
