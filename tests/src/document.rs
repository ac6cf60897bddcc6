//! Documents whose command lines tests type: a line that changes in the document changes in the
//! test, and a line that is gone fails the test.

use std::fs;
use std::path::{Path, PathBuf};

/// A document of the workspace.
#[derive(Debug)]
pub struct Document {
    path: PathBuf,
    /// The contents of its fenced blocks.
    blocks: Vec<String>,
}

impl Document {
    /// Reads a document by its path in the workspace.
    ///
    /// # Panics
    /// If there is no such document.
    #[must_use]
    pub fn read(path: &str) -> Self {
        let path = workspace().join(path);
        let text = fs::read_to_string(&path).unwrap();
        // Every other part is between two fences; its first line names the language.
        let fenced = text.split("```").skip(1).step_by(2);
        let blocks = fenced.filter_map(|block| Some(block.split_once('\n')?.1.to_owned()));
        let blocks = blocks.collect();
        Self { path, blocks }
    }

    /// The one block that has this text.
    ///
    /// # Panics
    /// If no block has the text, or more than one.
    #[must_use]
    #[track_caller]
    pub fn block(&self, text: &str) -> &str {
        let mut found = self.blocks.iter().filter(|block| block.contains(text));
        match (found.next(), found.next()) {
            (Some(block), None) => block,
            (None, _) => panic!("{}: no block has {text:?}", self.path.display()),
            _ => panic!("{}: two blocks have {text:?}", self.path.display()),
        }
    }

    /// The command lines of that block, each on one line.
    ///
    /// # Panics
    /// As [`Self::block`].
    #[must_use]
    #[track_caller]
    pub fn lines(&self, text: &str) -> Vec<String> {
        let block = self.block(text).replace("\\\n", " ");
        let lines = block.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    }

    /// The lines of that block that are typed at a prompt, without the prompt.
    ///
    /// # Panics
    /// As [`Self::block`].
    #[must_use]
    #[track_caller]
    pub fn typed(&self, text: &str) -> Vec<String> {
        let lines = self.block(text).lines();
        let typed = lines.filter_map(|line| line.strip_prefix("$ "));
        typed.map(str::to_owned).collect()
    }
}

/// The text of a document, by its path in the workspace.
///
/// # Panics
/// If there is no such document.
#[must_use]
pub fn text(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap()
}

/// Copies a folder of the workspace, without what its scripts made there before.
///
/// # Panics
/// If there is no such folder.
pub fn copy(from: &str, to: &Path) {
    copy_folder(&workspace().join(from), to);
}

fn copy_folder(from: &Path, to: &Path) {
    const MADE: [&str; 5] = ["certificates", "keys", "datasets", "__pycache__", ".flwr"];
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if MADE.iter().any(|made| entry.file_name() == *made) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
