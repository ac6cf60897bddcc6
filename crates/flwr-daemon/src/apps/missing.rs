//! Finds a missing Python module in an app's output. Flower's last lines then complain about the
//! form of an object reference (to flwr 1.32); the name of the module stands far above.

use std::fmt;

/// Before the name in Python's error.
const MISSING: &str = "ModuleNotFoundError: No module named '";
/// Before the name in Flower's error: the module that the app's `pyproject.toml` names.
const APPS_OWN: &str = "Unable to load module ";
/// The ends of the last lines of a traceback that name files, where Flower itself has imported the
/// module that the app's `pyproject.toml` names (flwr 1.33 and later).
const FLOWERS_IMPORT: [&str; 2] = [", in load_app", ", in import_module"];

/// A module that was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingModule {
    name: String,
    /// Whether the module belongs to the app itself.
    is_own: bool,
}

impl MissingModule {
    /// Whether this line names a missing module, for [`Self::in_output`].
    pub(super) fn is_told_by(line: &str) -> bool {
        line.contains(MISSING) || line.contains(APPS_OWN)
    }

    /// Whether this line of a traceback names a file.
    pub(super) fn is_frame(line: &str) -> bool {
        line.trim_start().starts_with("File \"") && !line.contains("\"<frozen ")
    }

    /// The last missing module that an app's output names.
    #[must_use]
    pub fn in_output(output: &str) -> Option<Self> {
        let (before, rest) = output.rsplit_once(MISSING)?;
        let name = rest.split_once('\'')?.0;
        let own = output.rsplit_once(APPS_OWN);
        let own = own.and_then(|(_, rest)| rest.split(|c: char| !is_of_name(c)).next());
        let is_module = !name.is_empty() && name.chars().all(is_of_name);
        is_module.then(|| Self {
            name: name.to_owned(),
            is_own: own.is_some_and(|own| package(own) == package(name)) || is_flowers(before),
        })
    }
}

/// Whether a traceback ends in Flower's own import of an app.
fn is_flowers(traceback: &str) -> bool {
    let frames = traceback
        .lines()
        .rev()
        .filter(|line| MissingModule::is_frame(line));
    let ends = frames.zip(FLOWERS_IMPORT.iter().rev());
    ends.filter(|(frame, end)| frame.trim_end().ends_with(**end))
        .count()
        == FLOWERS_IMPORT.len()
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.')
}

fn package(module: &str) -> &str {
    module
        .split_once('.')
        .map_or(module, |(package, _)| package)
}

/// What is missing, and what to do.
impl fmt::Display for MissingModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, is_own } = self;
        if *is_own {
            return write!(
                f,
                "No module named '{name}': the app's bundle lacks it; see `components` in the app's pyproject.toml"
            );
        }
        write!(
            f,
            "No module named '{name}': install the app's packages where the app runs, with `pip install -e .` in the app's folder"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(output: &str) -> String {
        MissingModule::in_output(output).map_or_else(String::new, |module| module.to_string())
    }

    #[test]
    fn a_module_of_a_package_is_installed() {
        let output = "Traceback\n  import torch.nn\nModuleNotFoundError: No module named 'torch'\n\
            flwr.LoadServerAppError: Unable to load module app.server\n\nThe object reference string";
        let text = found(output);
        assert!(text.starts_with("No module named 'torch': "), "{text}");
        assert!(text.contains("`pip install -e .`"), "{text}");
    }

    #[test]
    fn a_module_of_the_app_is_not() {
        for name in ["app", "app.server"] {
            let output = format!(
                "ModuleNotFoundError: No module named '{name}'\nUnable to load module app.server.\n"
            );
            let text = found(&output);
            assert!(text.contains("the app's bundle lacks it"), "{text}");
            assert!(!text.contains("pip"), "{text}");
        }
    }

    #[test]
    fn an_import_by_flower_itself_is_of_a_module_of_the_app() {
        let flowers = "  File \"/v/flwr/supercore/object_ref.py\", line 158, in load_app\n    module = importlib.import_module(module_str)\n  \
            File \"/usr/lib/python3.11/importlib/__init__.py\", line 126, in import_module\n    return _bootstrap._gcd_import(name)\n";
        let frozen =
            "  File \"<frozen importlib._bootstrap>\", line 1140, in _find_and_load_unlocked\n";
        let missing = "ModuleNotFoundError: No module named 'app'\n";
        let text = found(&format!("{flowers}{frozen}{missing}"));
        assert!(text.contains("the app's bundle lacks it"), "{text}");
        let apps = "  File \"/home/apps/a/app/client.py\", line 3, in <module>\n    import torch\n";
        for frames in [
            format!("{flowers}{frozen}{apps}"),
            format!("{apps}{frozen}"),
            String::new(),
        ] {
            let text = found(&format!("{frames}{missing}"));
            assert!(text.contains("`pip install -e .`"), "{text}");
        }
    }

    #[test]
    fn the_last_one_counts_and_other_output_has_none() {
        let line = |name| format!("ModuleNotFoundError: No module named '{name}'\n");
        assert!(found(&(line("a") + &line("b"))).starts_with("No module named 'b'"));
        for other in [
            "",
            "Traceback",
            "ModuleNotFoundError: No module named '",
            &line("a b;c"),
        ] {
            assert_eq!(found(other), "");
        }
    }
}
