//! The Flower apps under `tests/apps`, each test with its own copy.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::federation::Federation;

/// The beginning of the table that [`App::join`] adds.
const FEDERATIONS: &str = "\n[tool.flwr.federations]";

/// A copy of an app whose `pyproject.toml` names the federation `e2e`.
#[derive(Debug)]
pub struct App {
    /// Its folder.
    pub path: PathBuf,
}

impl App {
    /// Copies the app `name`, or the one at a path, into `folder`.
    ///
    /// # Panics
    /// If there is no such app.
    #[must_use]
    pub fn copy(name: &str, folder: &Path) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("apps")
            .join(name);
        let path = folder.join(from.file_name().unwrap());
        copy(&from, &path);
        Self { path }
    }

    /// Adds the federation to `pyproject.toml`.
    ///
    /// # Panics
    /// If that fails.
    pub fn join(&self, federation: &Federation) {
        let project = self.path.join("pyproject.toml");
        let text = fs::read_to_string(&project).unwrap() + &section(federation);
        fs::write(&project, text).unwrap();
    }

    /// Removes the federation from the `pyproject.toml` in this folder: pip's `flwr` of 1.26 and later
    /// would move the table to a file of its own.
    pub(crate) fn forget_federations(folder: &Path) {
        let project = folder.join("pyproject.toml");
        let text = fs::read_to_string(&project).unwrap_or_default();
        if let Some((own, _)) = text.split_once(FEDERATIONS) {
            fs::write(&project, own).unwrap();
        }
    }

    /// Has the app's federation reached at `control`, where somebody passes calls on.
    ///
    /// # Panics
    /// If that fails.
    pub fn point_at(&self, federation: &Federation, control: SocketAddr) {
        let project = self.path.join("pyproject.toml");
        let text = fs::read_to_string(&project).unwrap();
        let text = text.replace(&federation.control().to_string(), &control.to_string());
        fs::write(&project, text).unwrap();
    }
}

fn section(federation: &Federation) -> String {
    let trust = match federation.ca() {
        None => "insecure = true".to_owned(),
        Some(ca) => format!("root-certificates = \"{}\"", ca.display()),
    };
    format!(
        "{FEDERATIONS}\ndefault = \"e2e\"\n\n\
         [tool.flwr.federations.e2e]\naddress = \"{}\"\n{trust}\n",
        federation.control()
    )
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_name() == "__pycache__" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
