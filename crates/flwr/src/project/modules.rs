//! Checks that the modules of `serverapp` and `clientapp` exist. Flower imports the modules. This
//! program has no Python: it looks at the files, and refuses only names that cannot be right.

use std::path::{Path, PathBuf};

use flwr_core::project::Manifest;

use crate::error::{Error, Result};

/// Looks for the modules of both components. Gives a warning for a module that is not in the app's
/// directory but may be installed.
pub(super) fn check(root: &Path, manifest: &Manifest) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    for reference in [&manifest.serverapp, &manifest.clientapp] {
        let (module, attribute) = reference.split_once(':').unwrap_or((reference, ""));
        match find(root, module) {
            Found::File(path) => check_attribute(&path, module, attribute)?,
            Found::Nothing => {
                return Err(Error::Module(format!(
                    "Unable to load module {module}: there is no {} in {}",
                    files(module).join(" or "),
                    root.display()
                )));
            }
            Found::Elsewhere => warnings.push(format!(
                "module {module} is not part of this app; it must be installed wherever the app runs"
            )),
        }
    }
    Ok(warnings)
}

enum Found {
    File(PathBuf),
    /// The app has the top-level package, but not the module.
    Nothing,
    /// The app has no part of the module.
    Elsewhere,
}

/// The possible files of a module, by their paths in the app.
pub(super) fn files(module: &str) -> [String; 2] {
    let stem = module.replace('.', "/");
    [format!("{stem}.py"), format!("{stem}/__init__.py")]
}

fn find(root: &Path, module: &str) -> Found {
    let candidates = files(module).map(|file| root.join(file));
    if let Some(path) = candidates.into_iter().find(|path| path.is_file()) {
        return Found::File(path);
    }
    let top = root.join(module.split('.').next().unwrap_or(module));
    let here = top.is_dir() || with_py(&top).is_file();
    if here {
        Found::Nothing
    } else {
        Found::Elsewhere
    }
}

/// Appends `.py`: `a/b` becomes `a/b.py`, even if the name has a dot.
fn with_py(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".py");
    name.into()
}

/// Refuses an attribute whose name does not occur in the module.
fn check_attribute(path: &Path, module: &str, attribute: &str) -> Result<()> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let name = attribute.split('.').next().unwrap_or(attribute);
    if has_word(&text, name) || text.contains("import *") {
        return Ok(());
    }
    Err(Error::Module(format!(
        "Unable to find attribute {attribute} in module {module} ({})",
        path.display()
    )))
}

fn has_word(text: &str, word: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c: char| !in_name(c)).any(|found| found == word)
}
