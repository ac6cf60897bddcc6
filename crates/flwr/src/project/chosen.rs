//! Selects the files of a bundle for apps that say themselves which files go into it: by `fab-include`
//! and `fab-exclude` under `[tool.flwr.app]`. The selection is that of flwr 1.28 and later, which know
//! these keys. Apps without them are bundled as flwr 1.22 does.
//!
//! All patterns match paths in the app. Links are left out. Other than Flower, an app that has only
//! `fab-exclude` may have a `.gitignore`.

use std::io;
use std::path::{Path, PathBuf};

use flwr_core::project::{Project, section};
use toml::{Table, Value};

use super::gitignore::Rules;
use super::select::Selection;
use crate::error::{Error, Result};
use crate::text;

const INCLUDE: &str = "fab-include";
const EXCLUDE: &str = "fab-exclude";
/// Directories above a file, at most.
const MAX_DEPTH: usize = 10;

/// Files that `fab-include` and `fab-exclude` choose among.
const CANDIDATES: [&str; 11] = [
    "**/*.py",
    "**/*.toml",
    "**/*.md",
    "**/*.yaml",
    "**/*.yml",
    "**/*.json",
    "**/*.jsonl",
    "/.gitignore",
    "**/.editorconfig",
    "/LICENSE",
    "/LICENSE.md",
];
/// Files that are no candidates.
const NO_CANDIDATES: [&str; 2] = [".flwr/**", "**/__pycache__/**"];
/// Files that a bundle may have.
const ALLOWED: [&str; 8] = [
    "**/*.py",
    "**/*.toml",
    "**/*.md",
    "**/*.yaml",
    "**/*.yml",
    "**/*.json",
    "**/*.jsonl",
    "/LICENSE",
];
/// Files that no bundle has.
const NEVER: [&str; 18] = [
    ".flwr/**",
    "**/__pycache__/**",
    "pyproject.toml",
    "**/*_test.py",
    "**/test_*.py",
    "build/**",
    "eggs/**",
    ".eggs/**",
    "lib/**",
    "lib64/**",
    "parts/**",
    "*.egg",
    ".venv/**",
    "env/**",
    "venv/**",
    "ENV/**",
    "env.bak/**",
    "venv.bak/**",
];

/// Why an app's choice of files makes no bundle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChoiceError {
    #[error("`{0}` under [tool.flwr.app] must be a list of patterns that is not empty")]
    Patterns(&'static str),
    #[error("the pattern {pattern:?} of `{key}` matches no file: correct it, or take it out")]
    NoFile { key: &'static str, pattern: String },
    #[error(
        "{0} is chosen by `fab-include`, and no bundle may have such a file: narrow the pattern"
    )]
    Never(String),
    #[error("{0} lies below more than 10 directories, and no bundle may have such a file")]
    TooDeep(String),
}

impl From<ChoiceError> for Error {
    fn from(error: ChoiceError) -> Self {
        Self::Choice(error)
    }
}

/// The patterns of an app.
pub(super) struct Choice {
    include: Option<Vec<String>>,
    exclude: Option<Vec<String>>,
}

impl Choice {
    /// The patterns of a project. `None`: it has none, and is bundled as ever.
    pub(super) fn of(project: &Project) -> Result<Option<Self>> {
        let Some(app) = section(project.document(), "tool.flwr.app") else {
            return Ok(None);
        };
        let choice = Self {
            include: patterns(app, INCLUDE)?,
            exclude: patterns(app, EXCLUDE)?,
        };
        let is_made = choice.include.is_some() || choice.exclude.is_some();
        Ok(is_made.then_some(choice))
    }

    /// Selects the files of an app's directory.
    pub(super) fn select(&self, root: &Path) -> Result<Selection> {
        let root = root.canonicalize().map_err(read_error(root))?;
        let ignored = text::read_if_there(&root.join(".gitignore"))?.unwrap_or_default();
        let (candidates, none) = (Rules::of(CANDIDATES), Rules::of(NO_CANDIDATES));
        let ignores = Rules::of(ignored.lines());
        let mut names = Vec::new();
        files_below(&root, "", &mut names)?;
        names.retain(|name| candidates.pick(name) && !none.pick(name) && !ignores.pick(name));
        if let Some(deep) = names.iter().find(|name| depth(name) > MAX_DEPTH) {
            return Err(ChoiceError::TooDeep(deep.clone()).into());
        }
        let files = self.chosen(names)?.into_iter();
        Ok(Selection {
            files: files.map(|name| (name.clone(), root.join(name))).collect(),
            rules: Rules::new(&ignored),
            root,
            left_out: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// The files of the bundle, of these candidates.
    fn chosen(&self, mut names: Vec<String>) -> Result<Vec<String>> {
        for (key, patterns) in [(INCLUDE, &self.include), (EXCLUDE, &self.exclude)] {
            let mut patterns = patterns.iter().flatten();
            let matches_none = |pattern: &&String| {
                let rules = Rules::of([pattern.as_str()]);
                !names.iter().any(|name| rules.pick(name))
            };
            if let Some(pattern) = patterns.find(matches_none) {
                let pattern = pattern.clone();
                return Err(ChoiceError::NoFile { key, pattern }.into());
            }
        }
        let rules = |patterns: &Vec<String>| Rules::of(patterns.iter().map(String::as_str));
        if let Some(include) = self.include.as_ref().map(rules) {
            names.retain(|name| include.pick(name));
        }
        if let Some(exclude) = self.exclude.as_ref().map(rules) {
            names.retain(|name| !exclude.pick(name));
        }
        let allowed = Rules::of(ALLOWED);
        let foreign = |name: &&String| self.include.is_some() && !allowed.pick(name);
        if let Some(file) = names.iter().find(foreign) {
            return Err(ChoiceError::Never(file.clone()).into());
        }
        let never = Rules::of(NEVER);
        names.retain(|name| allowed.pick(name) && !never.pick(name));
        Ok(names)
    }
}

/// A list of patterns. An empty one is refused, as Flower does: it would mean no file.
fn patterns(app: &Table, key: &'static str) -> Result<Option<Vec<String>>> {
    let Some(value) = app.get(key) else {
        return Ok(None);
    };
    let texts = value.as_array().map(|values| {
        let texts = values.iter().map(Value::as_str);
        texts.map(|text| text.map(str::to_owned)).collect()
    });
    match texts {
        Some(Some(patterns)) if !Vec::is_empty(&patterns) => Ok(Some(patterns)),
        _ => Err(ChoiceError::Patterns(key).into()),
    }
}

fn depth(name: &str) -> usize {
    name.matches('/').count()
}

/// Adds the paths of all files below a directory, but for links.
fn files_below(directory: &Path, prefix: &str, names: &mut Vec<String>) -> Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        // As Flower: what may not be listed is left out.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(read_error(directory)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(read_error(directory))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(read_error(&path))?;
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| Error::FileName(path.clone()))?;
        let name = format!("{prefix}{name}");
        if kind.is_dir() {
            files_below(&path, &format!("{name}/"), names)?;
        } else if kind.is_file() {
            names.push(name);
        }
    }
    Ok(())
}

fn read_error(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = PathBuf::from(path);
    move |source| Error::Read { path, source }
}

#[cfg(test)]
mod tests;
