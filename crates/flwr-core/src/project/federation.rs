//! `[tool.flwr.federations.<name>]`: where a run goes and how to speak to it.

use toml::{Table, Value};

use crate::address::{Address, AddressError};
use crate::config::{self, ConfigError};

/// Settings that a federation may have, so that `--federation-config` may also add one.
const SETTINGS: [&str; 9] = [
    "address",
    "insecure",
    "root-certificates",
    "client-certificate",
    "client-key",
    "server-name",
    "ssl-allow-legacy-certificates",
    "enable-user-auth",
    "options",
];

/// One federation of a `pyproject.toml`, with overrides laid over it.
#[derive(Clone, Debug, PartialEq)]
pub struct Federation {
    /// Its name.
    pub name: String,
    /// The SuperLink's Control API. Without it the federation is a local simulation.
    pub address: Option<Address>,
    /// Whether plaintext was asked for.
    pub insecure: bool,
    /// PEM file with the certificates to trust, relative to the project's root.
    pub root_certificates: Option<String>,
    /// PEM files with one's own certificate and its key, for SuperLinks that ask for one; relative
    /// to the project's root.
    pub identity: Option<(String, String)>,
    /// The name that the SuperLink's certificate must be for, if it is not that of its address.
    pub server_name: Option<String>,
    /// Whether certificates of X.509 version 1 or without a subjectAltName are accepted.
    pub legacy_certificates: bool,
    /// Whether the SuperLink asks for a login (OpenID Connect).
    pub enable_user_auth: bool,
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
        .found.join("\n")
    )]
    Unknown {
        /// The name asked for.
        wanted: String,
        /// The names that are declared, in their order.
        found: Vec<String>,
    },
    /// A setting has another type than it needs.
    #[error(
        "Invalid type for `{key}` of federation `{federation}` in `pyproject.toml`: expected {expected}"
    )]
    Type {
        /// The federation.
        federation: String,
        /// The setting.
        key: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The address is not `HOST:PORT`.
    #[error("`address` of federation `{federation}` in `pyproject.toml` is not usable")]
    Address {
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
        "`{given}` of federation `{federation}` in `pyproject.toml` is given without `{missing}`: both are needed"
    )]
    OneOfTwo {
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

/// Picks a federation by name, or the default, and lays the overrides over it.
pub(super) fn choose(
    declared: Option<&Table>,
    name: Option<&str>,
    overrides: &Table,
) -> Result<Federation, FederationError> {
    let empty = Table::new();
    let declared = declared.unwrap_or(&empty);
    let name = match (name, declared.get("default")) {
        (Some(name), _) => name,
        (None, Some(Value::String(name))) => name,
        _ => return Err(FederationError::NoDefault),
    };
    match declared.get(name) {
        Some(Value::Table(table)) if name != "default" => {
            let table = overridden(table, overrides).map_err(FederationError::Override)?;
            Federation::from_table(name, table)
        }
        _ => Err(FederationError::Unknown {
            wanted: name.into(),
            found: names(declared),
        }),
    }
}

fn names(declared: &Table) -> Vec<String> {
    declared
        .keys()
        .filter(|key| *key != "default")
        .cloned()
        .collect()
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
    fn from_table(name: &str, mut table: Table) -> Result<Self, FederationError> {
        let federation = Self {
            address: address(name, &mut table)?,
            insecure: flag(name, &mut table, "insecure")?,
            // An empty path counts as none, as Flower reads it.
            root_certificates: text(name, &mut table, "root-certificates")?
                .filter(|path| !path.is_empty()),
            identity: identity(name, &mut table)?,
            server_name: text(name, &mut table, "server-name")?,
            legacy_certificates: flag(name, &mut table, "ssl-allow-legacy-certificates")?,
            enable_user_auth: flag(name, &mut table, "enable-user-auth")?,
            options: match table.remove("options") {
                None => Table::new(),
                Some(Value::Table(options)) => options,
                Some(_) => return Err(wrong(name, "options", "a table")),
            },
            name: name.into(),
        };
        if federation.insecure && federation.root_certificates.is_some() {
            return Err(FederationError::InsecureWithCertificates(federation.name));
        }
        Ok(federation)
    }
}

fn address(name: &str, table: &mut Table) -> Result<Option<Address>, FederationError> {
    let parse = |text: String| {
        text.parse().map_err(|source| FederationError::Address {
            federation: name.into(),
            source,
        })
    };
    text(name, table, "address")?.map(parse).transpose()
}

fn identity(name: &str, table: &mut Table) -> Result<Option<(String, String)>, FederationError> {
    const CERTIFICATE: &str = "client-certificate";
    const KEY: &str = "client-key";
    let certificate = text(name, table, CERTIFICATE)?;
    let key = text(name, table, KEY)?;
    let (given, missing) = match (certificate, key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => return Ok(Some((certificate, key))),
        (Some(_), None) => (CERTIFICATE, KEY),
        (None, Some(_)) => (KEY, CERTIFICATE),
    };
    Err(FederationError::OneOfTwo {
        federation: name.into(),
        given,
        missing,
    })
}

fn text(name: &str, table: &mut Table, key: &str) -> Result<Option<String>, FederationError> {
    match table.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(name, key, "a string")),
    }
}

fn flag(name: &str, table: &mut Table, key: &str) -> Result<bool, FederationError> {
    match table.remove(key) {
        None => Ok(false),
        Some(Value::Boolean(flag)) => Ok(flag),
        Some(_) => Err(wrong(name, key, "a boolean, `true` or `false`")),
    }
}

fn wrong(federation: &str, key: &str, expected: &'static str) -> FederationError {
    FederationError::Type {
        federation: federation.into(),
        key: key.into(),
        expected,
    }
}
