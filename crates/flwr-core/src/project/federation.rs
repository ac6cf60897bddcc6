//! `[tool.flwr.federations.<name>]`: where a run goes and how to speak to it; in an app's
//! `pyproject.toml`, and in files with the same tables.

use toml::{Table, Value};

use crate::address::{Address, AddressError};
use crate::config::{self, ConfigError};
use crate::proxy::ProxySetting;

/// Settings that a federation may have, so that `--federation-config` may also add one.
const SETTINGS: [&str; 12] = [
    "address",
    "insecure",
    "root-certificates",
    "client-certificate",
    "client-key",
    "server-name",
    "proxy",
    "ssl-allow-legacy-certificates",
    "enable-user-auth",
    "enable-account-auth",
    "federation",
    "options",
];

/// The federations that a file declares, by name, and the default one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Federations {
    /// The file, as errors name it.
    file: String,
    declared: Table,
}

/// One federation, with overrides laid over it.
#[derive(Clone, Debug, PartialEq)]
pub struct Federation {
    /// Its name.
    pub name: String,
    /// The SuperLink's Control API. Without it the federation is a local simulation.
    pub address: Option<Address>,
    /// Whether plaintext was asked for.
    pub insecure: bool,
    /// PEM file with the certificates to trust, relative to the directory of the file that
    /// declares the federation.
    pub root_certificates: Option<String>,
    /// PEM files with one's own certificate and its key, for SuperLinks that x
    pub identity: Option<(String, String)>,
    /// The name that the SuperLink's certificate must be for, if it is not that of its address.
    pub server_name: Option<String>,
    /// The proxy to connect through, or none; if absent, the environment says.
    pub proxy: Option<ProxySetting>,
    /// Whether certificates of X.509 version 1 or without a subjectAltName are accepted.
    pub legacy_certificates: bool,
    /// Whether the SuperLink asks for a login (OpenID Connect).
    pub enable_user_auth: bool,
    /// The id of the federation at the SuperLink in which runs are to be; its default one if absent.
    pub federation: Option<String>,
    /// Settings of a simulation.
    pub options: Table,
}

/// Why no federation can be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FederationError {
    /// Neither named nor a default.
    #[error(
        "No federation name was provided and the project's `pyproject.toml` doesn't declare a default \
         federation (with a Control API address or an `options.num-supernodes` value)."
    )]
    NoDefault,
    /// The name is not declared.
    #[error(
        "There is no `{wanted}` federation declared in the `pyproject.toml`.\n The following federations were found:\n\n{}",
        listed(.found)
    )]
    Unknown {
        /// The name asked for.
        wanted: String,
        /// The names that are declared, in their order.
        found: Vec<String>,
    },
    /// A setting has another type than it needs.
    #[error(
        "Invalid type for `{key}` of federation `{federation}` in `{file}`: expected {expected}"
    )]
    Type {
        /// The file that declares it.
        file: String,
        /// The federation.
        federation: String,
        /// The setting.
        key: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The address is not `HOST:PORT`.
    #[error("`address` of federation `{federation}` in `{file}` is not usable")]
    Address {
        /// The file that declares it.
        file: String,
        /// The federation.
        federation: String,
        /// What is wrong with it.
        source: AddressError,
    },
    /// `insecure = true` beside certificates: one of the two is a mistake.
    #[error(
        "`root-certificates` were provided but the `insecure` parameter is set to `true` in federation \
         `{0}`. Remove one of the two."
    )]
    InsecureWithCertificates(String),
    /// One of the two files of a client certificate.
    #[error(
        "`{given}` of federation `{federation}` in `{file}` is given without `{missing}`: both are needed"
    )]
    OneOfTwo {
        /// The file that declares it.
        file: String,
        /// The federation.
        federation: String,
        /// The setting that is there.
        given: &'static str,
        /// The setting that is not.
        missing: &'static str,
    },
    /// An override of a setting that the federation does not have.
    #[error("the federation configuration cannot be overridden")]
    Override(#[source] ConfigError),
}

impl Federations {
    /// Those of a table like `[tool.flwr.federations]`: a table for each name, and `default`, the
    /// name of one. `file` is how errors name where it comes from.
    #[must_use]
    pub fn new(file: impl Into<String>, declared: Table) -> Self {
        Self {
            file: file.into(),
            declared,
        }
    }

    /// The names that are declared, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.declared.keys().map(String::as_str);
        names.filter(|name| self.table(name).is_some())
    }

    /// The name of the default one, declared or not.
    #[must_use]
    pub fn default_name(&self) -> Option<&str> {
        self.declared.get("default").and_then(Value::as_str)
    }

    /// The settings of a federation, as they stand in the file; `None` where there are none.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        // That key is taken.
        let declared = Some(name).filter(|name| *name != "default");
        self.declared.get(declared?)?.as_table()
    }

    /// The federation of that name, with the overrides laid over it.
    ///
    /// # Errors
    /// [`FederationError`] when it is not declared, or its settings have the wrong types.
    pub fn get(&self, name: &str, overrides: &Table) -> Result<Federation, FederationError> {
        let Some(table) = self.table(name) else {
            return Err(FederationError::Unknown {
                wanted: name.into(),
                found: self.names().map(str::to_owned).collect(),
            });
        };
        let table = overridden(table, overrides).map_err(FederationError::Override)?;
        let place = Place {
            file: &self.file,
            name,
        };
        Federation::from_table(&place, table)
    }
}

/// The names of federations, one in each line.
fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "(none)".to_owned();
    }
    names.join("\n")
}

/// Where a setting stands, for errors.
struct Place<'a> {
    file: &'a str,
    name: &'a str,
}

fn overridden(table: &Table, overrides: &Table) -> Result<Table, ConfigError> {
    let mut fused = table.clone();
    for (key, value) in overrides {
        let known = || SETTINGS.into_iter().chain(table.keys().map(String::as_str));
        if !known().any(|setting| setting == key) {
            return Err(config::unknown_key(key, known()));
        }
        fused.insert(key.clone(), value.clone());
    }
    Ok(fused)
}

impl Federation {
    fn from_table(place: &Place<'_>, mut table: Table) -> Result<Self, FederationError> {
        let federation = Self {
            address: address(place, &mut table)?,
            insecure: flag(place, &mut table, "insecure")?,
            // An empty path counts as none, as Flower reads it.
            root_certificates: text(place, &mut table, "root-certificates")?
                .filter(|path| !path.is_empty()),
            identity: identity(place, &mut table)?,
            server_name: text(place, &mut table, "server-name")?,
            proxy: text(place, &mut table, "proxy")?.map(|text| {
                ProxySetting::new(text, format!("`proxy` of federation `{}`", place.name))
            }),
            legacy_certificates: flag(place, &mut table, "ssl-allow-legacy-certificates")?,
            // The second name is that of flwr 1.23 and later.
            enable_user_auth: flag(place, &mut table, "enable-user-auth")?
                || flag(place, &mut table, "enable-account-auth")?,
            // flwr 1.24 and later. An empty id counts as none.
            federation: text(place, &mut table, "federation")?.filter(|id| !id.is_empty()),
            options: match table.remove("options") {
                None => Table::new(),
                Some(Value::Table(options)) => options,
                Some(_) => return Err(wrong(place, "options", "a table")),
            },
            name: place.name.into(),
        };
        if federation.insecure && federation.root_certificates.is_some() {
            return Err(FederationError::InsecureWithCertificates(federation.name));
        }
        Ok(federation)
    }
}

fn address(place: &Place<'_>, table: &mut Table) -> Result<Option<Address>, FederationError> {
    let parse = |text: String| {
        Address::from_target(&text).map_err(|source| FederationError::Address {
            file: place.file.into(),
            federation: place.name.into(),
            source,
        })
    };
    text(place, table, "address")?.map(parse).transpose()
}

fn identity(
    place: &Place<'_>,
    table: &mut Table,
) -> Result<Option<(String, String)>, FederationError> {
    const CERTIFICATE: &str = "client-certificate";
    const KEY: &str = "client-key";
    let certificate = text(place, table, CERTIFICATE)?;
    let key = text(place, table, KEY)?;
    let (given, missing) = match (certificate, key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => return Ok(Some((certificate, key))),
        (Some(_), None) => (CERTIFICATE, KEY),
        (None, Some(_)) => (KEY, CERTIFICATE),
    };
    Err(FederationError::OneOfTwo {
        file: place.file.into(),
        federation: place.name.into(),
        given,
        missing,
    })
}

fn text(
    place: &Place<'_>,
    table: &mut Table,
    key: &str,
) -> Result<Option<String>, FederationError> {
    match table.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(place, key, "a string")),
    }
}

fn flag(place: &Place<'_>, table: &mut Table, key: &str) -> Result<bool, FederationError> {
    match table.remove(key) {
        None => Ok(false),
        Some(Value::Boolean(flag)) => Ok(flag),
        Some(_) => Err(wrong(place, key, "a boolean, `true` or `false`")),
    }
}

fn wrong(place: &Place<'_>, key: &str, expected: &'static str) -> FederationError {
    FederationError::Type {
        file: place.file.into(),
        federation: place.name.into(),
        key: key.into(),
        expected,
    }
}
