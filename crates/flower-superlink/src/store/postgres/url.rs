//! Where the database is: a URL, what of it is ours to read, and what of it may be shown.
//!
//! `postgres://USER@HOST[:PORT][,HOST…]/DATABASE?sslmode=…&sslrootcert=FILE`, as libpq has it. TLS is
//! always verified, but for addresses of this machine, or where `sslmode=disable` is written out.
//! The password comes from a file: others can read a command line.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use thiserror::Error;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

mod password;

pub use password::{PasswordError, PasswordSource};

use password::Login;

/// What the URL of a PostgreSQL database begins with.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
/// The port of a host that has no other.
const PORT: u16 = 5432;

/// Where a PostgreSQL database is.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    config: Box<Config>,
    roots: Option<PathBuf>,
}

/// Why `--database` is not the address of a PostgreSQL database.
#[derive(Debug, Error)]
pub enum PostgresUrlError {
    /// It is no URL that PostgreSQL's clients read.
    #[error("`{shown}` is not an address of PostgreSQL: write postgres://USER@HOST/DATABASE")]
    Malformed {
        /// The address without its password.
        shown: String,
        /// What is wrong.
        source: tokio_postgres::Error,
    },
    /// A part is missing.
    #[error("`{shown}` names no {what}: write postgres://USER@HOST/DATABASE")]
    Incomplete {
        /// The address without its password.
        shown: String,
        /// What is missing.
        what: &'static str,
    },
    /// Everybody on the machine could read the password.
    #[error(
        "`{shown}` has a password, which other users of this machine can read: put the password into a file for its owner only, and name the file with --database-password-file"
    )]
    Password {
        /// The address without its password.
        shown: String,
    },
    /// `sslmode` has a value that is not known, or one that verifies nothing.
    #[error(
        "sslmode={found} of `{shown}`: use verify-full, or disable, which sends everything in the clear"
    )]
    SslMode {
        /// The address without its password.
        shown: String,
        /// The value.
        found: String,
    },
}

impl PostgresUrl {
    /// Whether a `--database` means PostgreSQL.
    #[must_use]
    pub fn is_meant(database: &str) -> bool {
        SCHEMES.iter().any(|scheme| database.starts_with(scheme))
    }

    /// Reads the address.
    ///
    /// # Errors
    /// If it is no address, or holds a password.
    pub fn parse(url: &str) -> Result<Self, PostgresUrlError> {
        let shown = shown(url);
        let (plain, own) = split(url);
        let parsed: Result<Config, _> = plain.parse();
        let mut config = parsed.map_err(|source| PostgresUrlError::Malformed {
            shown: shown.clone(),
            source,
        })?;
        if config.get_password().is_some() {
            return Err(PostgresUrlError::Password { shown });
        }
        let parts = [
            ("host", config.get_hosts().is_empty()),
            ("user", config.get_user().is_none()),
            ("database", config.get_dbname().is_none()),
        ];
        if let Some((what, _)) = parts.into_iter().find(|(_, is_missing)| *is_missing) {
            return Err(PostgresUrlError::Incomplete { shown, what });
        }
        config.ssl_mode(match own.ssl_mode.as_deref() {
            None if config.get_hosts().iter().all(is_here) => SslMode::Disable,
            None | Some("verify-full") => SslMode::Require,
            Some("disable") => SslMode::Disable,
            Some(other) => {
                let found = other.to_owned();
                return Err(PostgresUrlError::SslMode { shown, found });
            }
        });
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self {
            config: Box::new(config),
            roots: own.roots,
        })
    }

    /// The same address, with the password from a file.
    ///
    /// # Errors
    /// If the file cannot be used.
    pub fn with_password(mut self, source: &PasswordSource) -> Result<Self, PasswordError> {
        let login = Login {
            hosts: self.hosts(),
            database: self.config.get_dbname().unwrap_or_default(),
            user: self.config.get_user().unwrap_or_default(),
        };
        if let Some(password) = source.find(&login)? {
            self.config.password(password.as_bytes());
        }
        Ok(self)
    }

    /// How to connect.
    pub(super) fn config(&self) -> Config {
        Config::clone(&self.config)
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }

    /// The file with the certificates that are trusted; `None`: those of the system.
    pub(super) fn roots(&self) -> Option<&Path> {
        self.roots.as_deref()
    }

    /// Each host with its port.
    fn hosts(&self) -> Vec<(String, u16)> {
        let ports = self.config.get_ports();
        let port = |number| ports.get(number).or(ports.first()).copied().unwrap_or(PORT);
        let hosts = self.config.get_hosts().iter().enumerate();
        hosts
            .map(|(number, host)| (name(host), port(number)))
            .collect()
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.hosts();
        let hosts: Vec<_> = hosts
            .iter()
            .map(|(host, port)| format!("{host}:{port}"))
            .collect();
        let database = self.config.get_dbname().unwrap_or_default();
        write!(
            f,
            "PostgreSQL database {database} at {}",
            hosts.join(" or ")
        )
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

/// What libpq's clients know of a URL and tokio-postgres does not.
#[derive(Debug, Default)]
struct Own {
    ssl_mode: Option<String>,
    roots: Option<PathBuf>,
}

/// Takes our own parameters out of a URL.
fn split(url: &str) -> (String, Own) {
    let mut own = Own::default();
    let Some((before, parameters)) = url.split_once('?') else {
        return (url.to_owned(), own);
    };
    let mut rest = Vec::new();
    for parameter in parameters.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        match name {
            "sslmode" => own.ssl_mode = Some(value),
            "sslrootcert" => own.roots = Some(value.into()),
            _ => rest.push(parameter),
        }
    }
    match rest.is_empty() {
        true => (before.to_owned(), own),
        false => (format!("{before}?{}", rest.join("&")), own),
    }
}

/// A URL without a password.
fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split('?').next().unwrap_or_default();
    let rest = match rest.rsplit_once('@') {
        Some((user, place)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{user}@{place}")
        }
        None => rest.to_owned(),
    };
    format!("{scheme}://{rest}")
}

fn name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(dir) => dir.display().to_string(),
    }
}

/// Whether what is sent to the host stays on this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let ip: Option<IpAddr> = name.trim_matches(['[', ']']).parse().ok();
            name == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<PostgresUrl, PostgresUrlError> {
        PostgresUrl::parse(url)
    }

    #[test]
    fn an_address_of_this_machine_needs_no_tls_and_others_do() {
        for (url, is_encrypted) in [
            ("postgres://flwr@localhost/flwr", false),
            ("postgresql://flwr@127.0.0.1:5433/flwr", false),
            ("postgres://flwr@%2Fvar%2Frun%2Fpostgresql/flwr", false),
            ("postgres://flwr@localhost/flwr?sslmode=verify-full", true),
            ("postgres://flwr@db.example.org/flwr", true),
            ("postgres://flwr@localhost,db.example.org/flwr", true),
            ("postgres://flwr@db.example.org/flwr?sslmode=disable", false),
        ] {
            assert_eq!(parse(url).unwrap().is_encrypted(), is_encrypted, "{url}");
        }
        for mode in ["prefer", "require", "verify-ca", "allow", ""] {
            let error = parse(&format!("postgres://u@h/d?sslmode={mode}")).unwrap_err();
            assert!(matches!(error, PostgresUrlError::SslMode { .. }), "{mode}");
        }
        let with_roots = parse("postgres://u@h/d?sslrootcert=%2Fetc%2Fca.crt&connect_timeout=3");
        assert_eq!(with_roots.unwrap().roots(), Some(Path::new("/etc/ca.crt")));
    }

    #[test]
    fn an_address_is_whole_and_holds_no_password() {
        for (url, what) in [
            ("postgres:///flwr?user=u", "host"),
            ("postgres://h/flwr", "user"),
            ("postgres://u@h", "database"),
        ] {
            let error = parse(url).unwrap_err().to_string();
            assert!(error.contains(&format!("names no {what}")), "{error}");
        }
        for url in ["postgres://u:s3cret@h/d", "postgres://u:s3c%40ret@h/d?x=y"] {
            let error = parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3c"), "{error:?}");
        }
        assert!(matches!(
            parse("postgres://u@h/d?password=s3cret").unwrap_err(),
            PostgresUrlError::Password { .. }
        ));
    }
}
