//! Finds a missing Python module in an app's output. Flower's last lines then complain about the
//! form of an object reference; the name of the module stands far above.

use std::fmt;

/// Before the name in Python's error.
const MISSING: &str = "ModuleNotFoundError: No module named '";
/// Before the name in Flower's error: the module that the app's `pyproject.toml` names.
const APPS_OWN: &str = "Unable to load module ";

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

    /// The last missing module that an app's output names.
    #[must_use]
    pub fn in_output(output: &str) -> Option<Self> {
        let (_, rest) = output.rsplit_once(MISSING)?;
        let name = rest.split_once('\'')?.0;
        let own = output.rsplit_once(APPS_OWN);
        let own = own.and_then(|(_, rest)| rest.split(|c: char| !is_of_name(c)).next());
        let is_module = !name.is_empty() && name.chars().all(is_of_name);
        is_module.then(|| Self {
            name: name.to_owned(),
            is_own: own.is_some_and(|own| package(own) == package(name)),
        })
    }
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
