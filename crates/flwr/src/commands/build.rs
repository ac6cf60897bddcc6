//! `flwr build`: bundle an app into a file in the current directory.

use std::path::Path;

use serde_json::json;

use crate::cli::BuildArgs;
use crate::error::{Error, Result};
use crate::project::{App, Bundle};
use crate::render::Output;

pub(super) fn build(args: &BuildArgs, output: &mut Output) -> Result<()> {
    let root = args.app.as_deref().unwrap_or(Path::new("."));
    check_directory(root)?;
    let app = App::load(root)?;
    for warning in &app.warnings {
        output.warn(warning);
    }
    let Bundle { fab, warnings } = app.bundle()?;
    for warning in &warnings {
        output.warn(warning);
    }
    let name = fab.file_name();
    std::fs::write(&name, &fab.bytes).map_err(|source| Error::Write {
        path: name.clone().into(),
        source,
    })?;
    output.success(&format!("🎊 Successfully built {name}"))?;
    let mut answer = json!({"success": true});
    super::describe(&fab, &mut answer);
    output.json(&answer)
}

/// Flower builds only from a directory whose name is a letter and then letters, digits and `-`.
fn check_directory(root: &Path) -> Result<()> {
    let absolute = root.canonicalize().ok().filter(|path| path.is_dir());
    let absolute = absolute.ok_or_else(|| Error::NotADirectory(root.into()))?;
    let name = absolute
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut letters = name.chars();
    let good = letters.next().is_some_and(char::is_alphabetic)
        && letters.all(|c| c.is_alphanumeric() || c == '-');
    if good {
        Ok(())
    } else {
        Err(Error::DirectoryName(name))
    }
}
