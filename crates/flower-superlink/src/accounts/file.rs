//! The file of `--account-auth-config`, JSON or TOML: which provider, and which of its accounts may
//! come in. `docs/accounts.md` tells what each key means.
//!
//! It is read again when it changes. Who may come in follows at once; what else is in it, at the
//! next start.

use std::io;
use std::path::{Path, PathBuf};

use crate::accounts::oidc::{InvalidUrl, Url};
use flwr_core::config::nearest;
use flwr_daemon::table::{self, TableError};
use flwr_security::from_file::Readable;
use flwr_security::tls::TlsError;
use serde_json::{Map, Value};
use thiserror::Error;

use super::list::{Allow, Entry, List};

const ISSUER: &str = "issuer";
const CLIENT_ID: &str = "client-id";
const CLIENT_SECRET_FILE: &str = "client-secret-file";
const AUDIENCE: &str = "audience";
const SCOPES: &str = "scopes";
const ROOTS: &str = "root-certificates";
const GROUPS_CLAIM: &str = "groups-claim";
const ALLOW: &str = "allow";
const ADMINS: &str = "admins";
const KEYS: [&str; 9] = [
    ISSUER,
    CLIENT_ID,
    CLIENT_SECRET_FILE,
    AUDIENCE,
    SCOPES,
    ROOTS,
    GROUPS_CLAIM,
    ALLOW,
    ADMINS,
];
/// The value of `allow` that lets every account in.
const ANY: &str = "any";
const KINDS: [&str; 3] = ["sub", "email", "group"];
/// `offline_access`: without it many providers give no refresh token.
const DEFAULT_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];
const DEFAULT_GROUPS_CLAIM: &str = "groups";

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountsFile {
    /// Which provider, and how it is spoken to.
    pub settings: Settings,
    /// Who may come in.
    pub list: List,
}

/// Which provider, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// As the provider itself writes it.
    pub issuer: String,
    /// This SuperLink, as the provider knows it.
    pub client_id: String,
    /// Where the client's secret is, if it has one.
    pub client_secret_file: Option<PathBuf>,
    /// For whom tokens must be.
    pub audience: Vec<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// What certificates the provider's may be signed by; the system's without it.
    pub root_certificates: Option<PathBuf>,
}

/// Why the file is not usable.
#[derive(Debug, Error)]
pub enum FileError {
    /// It holds no table.
    #[error("{path}")]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TableError,
    },
    /// A key of it.
    #[error("{path}: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// Which key, and what is wrong with it.
        problem: String,
    },
    /// The file with the secret.
    #[error("{path}: `{CLIENT_SECRET_FILE}`: {secret}")]
    Secret {
        /// The file.
        path: PathBuf,
        /// The one with the secret.
        secret: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Whom to trust.
    #[error("{path}: `{ROOTS}`")]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong with the certificates.
        source: TlsError,
    },
}

impl Readable for AccountsFile {
    type Error = FileError;

    fn from_file(path: &Path) -> Result<Self, FileError> {
        let at = || path.to_owned();
        let table = table::read(path).map_err(|source| FileError::Table { path: at(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::read(&table, folder).map_err(|problem| FileError::Content {
            path: at(),
            problem,
        })
    }
}

impl AccountsFile {
    /// Paths are taken from `folder`.
    fn read(table: &Map<String, Value>, folder: &Path) -> Result<Self, String> {
        if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(match nearest(unknown, KEYS.into_iter()) {
                Some(nearest) => format!("`{unknown}` is not known; did you mean `{nearest}`?"),
                None => format!("`{unknown}` is not known; known are {}", KEYS.join(", ")),
            });
        }
        let path = |key| Ok::<_, String>(text(table, key)?.map(|path| folder.join(path)));
        let issuer = needed(table, ISSUER)?;
        let place: Result<Url, _> = issuer.parse();
        place.map_err(|error: InvalidUrl| format!("`{ISSUER}`: {error}"))?;
        if issuer.contains('?') {
            return Err(format!("`{ISSUER}`: an issuer has no `?` in it"));
        }
        let client_id = needed(table, CLIENT_ID)?;
        let audience = match words(table, AUDIENCE)? {
            None => vec![client_id.clone()],
            Some(words) if words.is_empty() => {
                return Err(format!(
                    "`{AUDIENCE}`: nothing is in it, so that no token could be good"
                ));
            }
            Some(words) => words,
        };
        let scopes = words(table, SCOPES)?;
        let groups_claim = text(table, GROUPS_CLAIM)?;
        let client_secret_file = path(CLIENT_SECRET_FILE)?;
        let root_certificates = path(ROOTS)?;
        let allow = allow(table)?;
        let admins = entries(table, ADMINS)?.unwrap_or_default();
        if admins.is_empty() && matches!(&allow, Allow::Listed(listed) if listed.is_empty()) {
            return Err(format!(
                "`{ALLOW}`: it names nobody, so that no account could come in"
            ));
        }
        Ok(Self {
            settings: Settings {
                issuer,
                client_id,
                client_secret_file,
                audience,
                scopes: scopes.unwrap_or_else(|| DEFAULT_SCOPES.map(str::to_owned).to_vec()),
                root_certificates,
            },
            list: List {
                allow,
                admins,
                groups_claim: groups_claim.unwrap_or_else(|| DEFAULT_GROUPS_CLAIM.to_owned()),
            },
        })
    }
}

/// Nobody is let in by a line that was forgotten.
fn allow(table: &Map<String, Value>) -> Result<Allow, String> {
    match table.get(ALLOW) {
        None => Err(format!(
            "`{ALLOW}` is missing: list who may come in, such as [\"email:alice@example.org\", \"group:flower\"], or say \"{ANY}\" to let in every account of the issuer"
        )),
        Some(Value::String(word)) if word == ANY => Ok(Allow::Any),
        Some(Value::Array(_)) => Ok(Allow::Listed(entries(table, ALLOW)?.unwrap_or_default())),
        Some(_) => Err(format!("`{ALLOW}` is a list, or \"{ANY}\"")),
    }
}

fn entries(table: &Map<String, Value>, key: &str) -> Result<Option<Vec<Entry>>, String> {
    let Some(value) = table.get(key) else {
        return Ok(None);
    };
    let wrong = || format!("`{key}` is a list of texts, such as \"email:alice@example.org\"");
    let lines = value.as_array().ok_or_else(wrong)?;
    let entries = lines.iter().map(|line| {
        let line = line.as_str().ok_or_else(wrong)?;
        entry(line).map_err(|problem| format!("`{key}`: {problem}"))
    });
    entries.collect::<Result<_, _>>().map(Some)
}

fn entry(line: &str) -> Result<Entry, String> {
    let expected = "a line begins with `sub:`, `email:` or `group:`";
    let (kind, name) = line
        .split_once(':')
        .ok_or_else(|| format!("{line:?}: {expected}"))?;
    let name = name.trim();
    if name.is_empty() {
        return Err(format!("{line:?} names nobody"));
    }
    let name = name.to_owned();
    match kind.trim() {
        "sub" => Ok(Entry::Sub(name)),
        "email" => Ok(Entry::Email(name)),
        "group" => Ok(Entry::Group(name)),
        other => Err(match nearest(other, KINDS.into_iter()) {
            Some(nearest) => format!("{line:?}: did you mean `{nearest}:`?"),
            None => format!("{line:?}: {expected}"),
        }),
    }
}

fn needed(table: &Map<String, Value>, key: &str) -> Result<String, String> {
    text(table, key)?.ok_or_else(|| format!("`{key}` is missing"))
}

fn text(table: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{key}` is a text")),
    }
}

/// A list of texts, or one text with blanks between its words.
fn words(table: &Map<String, Value>, key: &str) -> Result<Option<Vec<String>>, String> {
    let wrong = || format!("`{key}` is a text, or a list of texts");
    match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.split_whitespace().map(str::to_owned).collect())),
        Some(Value::Array(values)) => {
            let words = values.iter().map(|value| value.as_str().map(str::to_owned));
            words.collect::<Option<_>>().map(Some).ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests;
