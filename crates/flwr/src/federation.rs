//! Finds the federation that a command uses. Four places may describe a federation: the app's
//! `pyproject.toml`, `config.toml` in Flower's home directory, the environment, and the running
//! local federation of `flwr up`.
//!
//! Precedence: flags, the environment, the default of `pyproject.toml`, the default of
//! `config.toml`, the local federation.

use std::env;
use std::path::PathBuf;

use flwr_core::home::flwr_home;
use flwr_core::project::{FederationError, Federations};
use toml::{Table, Value};

use crate::cli::Target;
use crate::error::{Error, Result};
use crate::local::{self, Local};
use crate::project::{App, overrides};
use crate::resolved::{Logins, ResolvedFederation};

mod home;

pub(crate) use home::Home;

/// The variable that names the federation, unless a flag does.
pub(crate) const FEDERATION: &str = "FLWR_FEDERATION";
/// The variable with a SuperLink's address. It makes a federation if no name is given.
pub(crate) const ADDRESS: &str = "FLWR_SUPERLINK_ADDRESS";
/// The variable with the root certificates for that address.
pub(crate) const ROOT_CERTIFICATES: &str = "FLWR_ROOT_CERTIFICATES";
/// The addresses of Flower's SuperGrid, as flwr 1.26 to 1.36 and later releases write them.
const SUPERGRID: [&str; 2] = ["supergrid.flower.ai", "api.flower.ai"];
/// The name of the federation that the environment describes.
const ENVIRONMENT: &str = "environment";

/// The sources of federations besides the app and the command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// Flower's home directory, if there can be one.
    pub(crate) home: Option<PathBuf>,
    /// [`FEDERATION`]
    pub(crate) federation: Option<String>,
    /// [`ADDRESS`]
    pub(crate) address: Option<String>,
    /// [`ROOT_CERTIFICATES`]
    pub(crate) root_certificates: Option<String>,
}

impl Surroundings {
    /// The environment of this process.
    pub(crate) fn of_process() -> Self {
        let text = |name| env::var(name).ok().filter(|text| !text.is_empty());
        Self {
            home: flwr_home(|name| env::var_os(name)),
            federation: text(FEDERATION),
            address: text(ADDRESS),
            root_certificates: text(ROOT_CERTIFICATES),
        }
    }

    /// The federation that the environment describes.
    fn described(&self) -> Result<Option<Source>> {
        let text = |text: &String| Value::String(text.clone());
        let Some(address) = &self.address else {
            return match self.root_certificates {
                Some(_) => Err(Error::OneWithoutOther {
                    given: ROOT_CERTIFICATES,
                    missing: ADDRESS,
                }),
                None => Ok(None),
            };
        };
        let mut table = Table::from_iter([("address".to_owned(), text(address))]);
        if let Some(file) = &self.root_certificates {
            table.insert("root-certificates".to_owned(), text(file));
        }
        let declared = Table::from_iter([(ENVIRONMENT.to_owned(), Value::Table(table))]);
        Ok(Some(Source {
            federations: Federations::new(ADDRESS, declared),
            base: PathBuf::new(),
            logins: Logins::Home(self.home.clone().unwrap_or_default()),
            told: format!("the environment ({ADDRESS})"),
        }))
    }

    /// The user's `config.toml`, with its home directory.
    pub(crate) fn home_file(&self) -> Result<Home> {
        Home::read(self.home.as_deref().ok_or(Error::NoHome)?)
    }

    /// All sources of federations: the app first, the user's file second.
    pub(crate) fn sources(&self, app: Option<&App>) -> Result<Vec<Source>> {
        let project = app.map(|app| Source {
            federations: app.project().federations(),
            base: app.root().to_owned(),
            logins: Logins::App(app.root().to_owned()),
            told: app.root().join("pyproject.toml").display().to_string(),
        });
        let home = match &self.home {
            Some(home) => Home::read(home)?.source(),
            None => None,
        };
        Ok(project.into_iter().chain(home).collect())
    }

    /// Resolves the federation, with overrides applied.
    pub(crate) fn choose(&self, app: Option<&App>, target: &Target) -> Result<ResolvedFederation> {
        let mut chosen = self.find(app, target)?;
        if let Some(proxy) = &target.proxy {
            chosen.federation.proxy = Some(proxy.clone());
        }
        Ok(chosen)
    }

    fn find(&self, app: Option<&App>, target: &Target) -> Result<ResolvedFederation> {
        let overrides = overrides("--federation-config", &target.federation_config)?;
        let sources = self.sources(app)?;
        let typed = target.federation.clone();
        let typed = typed.map(|name| (name, "it was named on the command line".to_owned()));
        let named = typed.or_else(|| {
            let name = self.federation.clone()?;
            Some((name, format!("{FEDERATION} names it")))
        });
        if named.is_none()
            && let Some(source) = self.described()?
        {
            return source.get(ENVIRONMENT, &overrides, "no other was named".to_owned());
        }
        let default = || {
            sources.iter().find_map(|source| {
                let name = source.federations.default_name()?.to_owned();
                Some((name, format!("it is the default of {}", source.told)))
            })
        };
        let Some((name, why)) = named.or_else(default) else {
            return match self.local_one(&overrides, "no other was named".to_owned()) {
                Err(Error::LocalDown | Error::NoHome) => {
                    Err(Error::Federation(FederationError::NoDefault))
                }
                other => other,
            };
        };
        match sources.iter().find(|source| source.declares(&name)) {
            Some(source) if source.means_local(&name) => self.local_one(&overrides, why),
            Some(source) if source.means_supergrid(&name, &overrides) => {
                Err(Error::SuperGrid(name))
            }
            Some(source) => source.get(&name, &overrides, why),
            None if name == local::NAME => self.local_one(&overrides, why),
            None => Err(self.unknown(name, &sources)),
        }
    }

    /// The error for an unknown name, with similar names, each once.
    fn unknown(&self, wanted: String, sources: &[Source]) -> Error {
        let mut found: Vec<String> = Vec::new();
        let local = self.local().ok().map(|_| local::NAME.to_owned());
        for name in sources.iter().flat_map(Source::names).chain(local) {
            if !found.contains(&name) {
                found.push(name);
            }
        }
        Error::Federation(FederationError::Unknown { wanted, found })
    }

    /// The folder of the local federation; `None` without a home directory.
    pub(crate) fn local(&self) -> Result<Local> {
        let home = self.home.as_deref().ok_or(Error::NoHome)?;
        Ok(Local::at(home))
    }

    fn local_one(&self, overrides: &Table, why: String) -> Result<ResolvedFederation> {
        let description = self.local()?.description()?.ok_or(Error::LocalDown)?;
        local::chosen(&description, overrides, why)
    }
}

/// One source of federations.
pub(crate) struct Source {
    pub(crate) federations: Federations,
    base: PathBuf,
    logins: Logins,
    /// The name of the source, for the user.
    pub(crate) told: String,
}

impl Source {
    fn declares(&self, name: &str) -> bool {
        self.federations.table(name).is_some()
    }

    fn names(&self) -> Vec<String> {
        self.federations.names().map(str::to_owned).collect()
    }

    /// Whether the local federation of `flwr up` is meant: where the `flwr` of pip would start a
    /// SuperLink for simulations by itself. flwr 1.27 and later writes such addresses into
    /// `config.toml`. flwr 1.26 writes a connection `local` that has the options of a simulation.
    pub(crate) fn means_local(&self, name: &str) -> bool {
        let Some(table) = self.federations.table(name) else {
            return false;
        };
        match table.get("address").and_then(Value::as_str) {
            Some(address) => matches!(address, ":local:" | ":local-in-memory:"),
            None => name == local::NAME && table.contains_key("options"),
        }
    }

    /// Whether Flower's SuperGrid is meant. flwr 1.26 and later writes its address into
    /// `config.toml`, without a port.
    pub(crate) fn means_supergrid(&self, name: &str, overrides: &Table) -> bool {
        let table = self.federations.table(name);
        let address = overrides
            .get("address")
            .or_else(|| table?.get("address"))
            .and_then(Value::as_str);
        address.is_some_and(|address| SUPERGRID.contains(&address))
    }

    pub(crate) fn get(
        &self,
        name: &str,
        overrides: &Table,
        why: String,
    ) -> Result<ResolvedFederation> {
        let federation = self.federations.get(name, overrides);
        Ok(ResolvedFederation {
            federation: federation.map_err(Error::Federation)?,
            base: self.base.clone(),
            logins: self.logins.clone(),
            source: self.told.clone(),
            why,
        })
    }
}

#[cfg(test)]
mod tests;
