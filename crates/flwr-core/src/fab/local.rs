//! A bundle for an app that is none: a ServerApp or ClientApp in a module of some directory, as
//! Flower's oldest commands take them (`flower-client-app client:app --dir ./`).
//!
//! It holds no code of the app, only a module that imports the app from where it lies: what is
//! beside it, data files for example, is found, and a change of it needs no new bundle.

use bytes::Bytes;

use super::{Fab, FabError, build};

/// The FAB id of such a bundle: each node is expected to have an app of its own for it.
pub const LOCAL_FAB_ID: &str = "local/app";
/// The bundle's only module.
const MODULE: &str = "flower_local_app";
const PROJECT: &str = r#"[project]
name = "app"
version = "1.0.0"

[tool.flwr.app]
publisher = "local"

[tool.flwr.app.components]
serverapp = "flower_local_app:app"
clientapp = "flower_local_app:app"
"#;

/// Where an app is: `module:attribute`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRef {
    module: String,
    attribute: String,
}

/// What is no such reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no app: <module>:<attribute> is expected, such as client:app")]
pub struct AppRefError(String);

impl std::str::FromStr for AppRef {
    type Err = AppRefError;

    fn from_str(text: &str) -> Result<Self, AppRefError> {
        let dotted = |name: &str| {
            name.split('.').all(|part| {
                let mut letters = part.chars();
                let first = letters.next();
                first.is_some_and(|c| c.is_alphabetic() || c == '_')
                    && letters.all(|c| c.is_alphanumeric() || c == '_')
            })
        };
        match text.split_once(':') {
            Some((module, attribute)) if dotted(module) && dotted(attribute) => Ok(Self {
                module: module.to_owned(),
                attribute: attribute.to_owned(),
            }),
            _ => Err(AppRefError(text.to_owned())),
        }
    }
}

impl std::fmt::Display for AppRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.module, self.attribute)
    }
}

/// The bundle of an app that lies in the directory with this absolute path.
///
/// # Errors
/// None that a directory's path could cause.
pub fn of_directory(app: &AppRef, dir: &str) -> Result<Fab, FabError> {
    let AppRef { module, attribute } = app;
    let dir = quoted(dir);
    let text = format!(
        "\"\"\"Loads {module}:{attribute} from where it lies.\"\"\"\n\
         import importlib\nimport operator\nimport sys\n\n\
         DIRECTORY = {dir}\n\
         if DIRECTORY not in sys.path:\n    sys.path.insert(0, DIRECTORY)\n\
         app = operator.attrgetter(\"{attribute}\")(importlib.import_module(\"{module}\"))\n"
    );
    build(PROJECT, vec![(format!("{MODULE}.py"), Bytes::from(text))])
}

/// A text as Python reads it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                quoted.push_str(&format!("\\U{:08x}", u32::from(letter)));
            }
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_are_named_by_module_and_attribute() {
        for good in ["client:app", "my.client:App_2", "a:b.c"] {
            assert_eq!(good.parse::<AppRef>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "client",
            "client:",
            ":app",
            "a:b:c",
            "a b:c",
            "a:1",
            "a\";import os:b",
        ] {
            assert!(bad.parse::<AppRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_bundle_is_one_and_names_the_directory() {
        let app = "client:app".parse().unwrap();
        let fab = of_directory(&app, "/some \"where\"/\\n").unwrap();
        let again = Fab::open(fab.bytes.clone()).unwrap();
        assert_eq!(again.fab_id(), LOCAL_FAB_ID);
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&fab.bytes)).unwrap();
        let module = archive.by_name("flower_local_app.py").unwrap();
        let text = std::io::read_to_string(module).unwrap();
        assert!(
            text.contains("DIRECTORY = \"/some \\\"where\\\"/\\\\n\"\n"),
            "{text}"
        );
        assert!(text.contains("import_module(\"client\")"), "{text}");
        let other = of_directory(&app, "/elsewhere").unwrap();
        assert_ne!(other.hash, fab.hash);
    }
}
