//! `pyproject.toml` of a Flower app: what the app is called, where its two halves are, its
//! default configuration, and the federations it may run on. The texts of the errors are
//! Flower's.

use toml::{Table, Value};

use crate::config::{self, ConfigError, SyntaxError, UserConfig};

mod federation;

pub use federation::{Federation, FederationError, Federations};

/// Where a document declares federations (flwr 1.22).
pub const FEDERATIONS: &str = "tool.flwr.federations";

/// What an app says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// `tool.flwr.app.publisher`
    pub publisher: String,
    /// `project.name`
    pub name: String,
    /// `project.version`
    pub version: String,
    /// `tool.flwr.app.components.serverapp`: `module:attribute`
    pub serverapp: String,
    /// `tool.flwr.app.components.clientapp`: `module:attribute`
    pub clientapp: String,
    /// `tool.flwr.app.config`, flat
    pub config: UserConfig,
}

/// A parsed and checked `pyproject.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    manifest: Manifest,
    document: Table,
}

/// Why a `pyproject.toml` is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProjectError {
    /// It is not TOML.
    #[error("pyproject.toml is not a TOML file")]
    Toml(#[source] SyntaxError),
    /// Something is missing or has the wrong type; one line for each fault.
    #[error("pyproject.toml is invalid:\n- {}", .0.join("\n- "))]
    Invalid(Vec<String>),
    /// `[tool.flwr.app.config]` has a value that cannot travel.
    #[error("[tool.flwr.app.config] of pyproject.toml is invalid")]
    Config(#[source] ConfigError),
}

impl Project {
    /// Parses and checks the text of a `pyproject.toml`. Whether the modules it names exist is
    /// for the caller to check.
    ///
    /// # Errors
    /// [`ProjectError`], with every fault that was found.
    pub fn parse(text: &str) -> Result<Self, ProjectError> {
        let document: Table = text
            .parse()
            .map_err(|error| ProjectError::Toml(SyntaxError::of(text, &error)))?;
        let manifest = Manifest::from_table(&document)?;
        Ok(Self { manifest, document })
    }

    /// What the app says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The whole document.
    #[must_use]
    pub fn document(&self) -> &Table {
        &self.document
    }

    /// The federations that it declares.
    #[must_use]
    pub fn federations(&self) -> Federations {
        let declared = section(&self.document, FEDERATIONS).cloned();
        Federations::new("pyproject.toml", declared.unwrap_or_default())
    }

    /// The document as it goes into a bundle: without the federations, which are the user's own.
    #[must_use]
    pub(crate) fn without_federations(mut self) -> Table {
        let flwr = self
            .document
            .get_mut("tool")
            .and_then(|tool| tool.get_mut("flwr"));
        if let Some(Value::Table(flwr)) = flwr {
            // Not `remove`, which may move the last key into the gap.
            flwr.retain(|key, _| key != "federations");
        }
        self.document
    }
}

impl Manifest {
    /// `<publisher>/<name>`
    #[must_use]
    pub fn fab_id(&self) -> String {
        format!("{}/{}", self.publisher, self.name)
    }

    fn from_table(document: &Table) -> Result<Self, ProjectError> {
        let mut faults = Faults(Vec::new());
        let mut name = None;
        let mut version = None;
        if let Some(project) = faults.section(document, "project") {
            name = faults.text(project, "project", "name");
            version = faults.text(project, "project", "version");
        }
        let mut publisher = None;
        let mut apps = (None, None);
        let mut config = Table::new();
        if let Some(app) = faults.section(document, "tool.flwr.app") {
            publisher = faults.text(app, "tool.flwr.app", "publisher");
            config = faults.config(app);
            if let Some(components) = faults.section(document, "tool.flwr.app.components") {
                apps.0 = faults.component(components, "serverapp");
                apps.1 = faults.component(components, "clientapp");
            }
        }
        let (Some(name), Some(version), Some(publisher), (Some(serverapp), Some(clientapp)), true) =
            (name, version, publisher, apps, faults.0.is_empty())
        else {
            return Err(ProjectError::Invalid(faults.0));
        };
        let config = config::flatten(&config).map_err(ProjectError::Config)?;
        Ok(Self {
            publisher,
            name,
            version,
            serverapp,
            clientapp,
            config,
        })
    }
}

/// The table at a dotted path.
#[must_use]
pub fn section<'a>(document: &'a Table, path: &str) -> Option<&'a Table> {
    path.split('.')
        .try_fold(document, |table, key| table.get(key)?.as_table())
}

/// Collects what is wrong, so that the user sees all of it at once.
struct Faults(Vec<String>);

impl Faults {
    fn section<'a>(&mut self, document: &'a Table, path: &str) -> Option<&'a Table> {
        let found = section(document, path);
        if found.is_none() {
            self.0.push(format!("Missing [{path}] section"));
        }
        found
    }

    fn text(&mut self, table: &Table, path: &str, key: &str) -> Option<String> {
        let fault = match table.get(key) {
            Some(Value::String(text)) => return Some(text.clone()),
            Some(_) => format!("Property \"{key}\" in [{path}] must be a string"),
            None => format!("Property \"{key}\" missing in [{path}]"),
        };
        self.0.push(fault);
        None
    }

    fn component(&mut self, components: &Table, key: &str) -> Option<String> {
        let reference = self.text(components, "tool.flwr.app.components", key)?;
        let (module, attribute) = reference.split_once(':').unwrap_or((&reference, ""));
        let missing = match (module.is_empty(), attribute.is_empty()) {
            (true, _) => "module",
            (_, true) => "attribute",
            _ => return Some(reference),
        };
        self.0.push(format!(
            "Missing {missing} in {reference}: \"{key}\" should have the form <module>:<attribute>, such as client:app"
        ));
        None
    }

    fn config(&mut self, app: &Table) -> Table {
        match app.get("config") {
            Some(Value::Table(config)) => config.clone(),
            Some(_) => {
                self.0
                    .push("Property \"config\" in [tool.flwr.app] must be a table".into());
                Table::new()
            }
            None => Table::new(),
        }
    }
}

#[cfg(test)]
mod tests;
