//! Where the database is: a URL, what of it is ours to read, and what of it may be shown.
//!
//! `postgres://USER@HOST[:PORT][,HOST…]/DATABASE?sslmode=…&sslrootcert=FILE`, as libpq has it. TLS is
//! always verified, but for addresses of this machine, or where `sslmode=disable` is written out.
//! The password comes from the file that `PGPASSFILE` names: others can read a command line.

use std::fmt;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use percent_encoding::percent_decode_str;
use thiserror::Error;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

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
        "`{shown}` has a password, which other users of this machine can read: put the password into a file for its owner only, with a line HOST:PORT:DATABASE:USER:PASSWORD, and set PGPASSFILE to its path"
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
    /// The file with the passwords cannot be used.
    #[error("the password file `{}` (PGPASSFILE) could not be read", .path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read the file with the passwords.
    #[error("others can read the password file `{}` (PGPASSFILE): run `chmod 600` on the file", .path.display())]
    OpenPasswordFile {
        /// The file.
        path: PathBuf,
    },
}

impl PostgresUrl {
    /// Whether a `--database` means PostgreSQL.
    #[must_use]
    pub fn is_meant(database: &str) -> bool {
        SCHEMES.iter().any(|scheme| database.starts_with(scheme))
    }

    /// Reads the address, and the password that belongs to it.
    ///
    /// # Errors
    /// If it is no address, or the password file cannot be used.
    pub fn parse(url: &str, passwords: Option<&Path>) -> Result<Self, PostgresUrlError> {
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
        let mut address = Self {
            config: Box::new(config),
            roots: own.roots,
        };
        if let Some(path) = passwords {
            address.find_password(path)?;
        }
        Ok(address)
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

    fn find_password(&mut self, path: &Path) -> Result<(), PostgresUrlError> {
        let failed = |source| PostgresUrlError::PasswordFile {
            path: path.to_owned(),
            source,
        };
        let metadata = fs::metadata(path).map_err(failed)?;
        if metadata.permissions().mode() & 0o077 != 0 {
            let path = path.to_owned();
            return Err(PostgresUrlError::OpenPasswordFile { path });
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let found = text.lines().find_map(|line| self.password_in(line));
        if let Some(password) = found {
            self.config.password(password);
        }
        Ok(())
    }

    /// The password of a line, if the line is for this database.
    fn password_in(&self, line: &str) -> Option<String> {
        let fields = fields(line);
        let [host, port, database, user, password] = <[String; 5]>::try_from(fields).ok()?;
        let fits = |field: &str, value: &str| field == "*" || field == value;
        let hosts = self.hosts();
        let is_host = hosts
            .iter()
            .any(|(name, number)| fits(&host, name) && fits(&port, &number.to_string()));
        let is_ours = is_host
            && fits(&database, self.config.get_dbname().unwrap_or_default())
            && fits(&user, self.config.get_user().unwrap_or_default());
        is_ours.then_some(password)
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

/// The fields of a line of a password file: `:` separates, `\` takes the next character as it is.
fn fields(line: &str) -> Vec<String> {
    if line.starts_with('#') {
        return Vec::new();
    }
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let plain = match character {
            // The password is the rest of the line.
            ':' if fields.len() < 5 => {
                fields.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            plain => plain,
        };
        if let Some(last) = fields.last_mut() {
            last.push(plain);
        }
    }
    fields
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
        PostgresUrl::parse(url, None)
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

    #[test]
    fn the_password_of_a_file_is_that_of_the_first_line_that_fits() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passwords");
        let lines = "# of the lab\n\
                     other:5432:flwr:u:no\n\
                     h:*:*:some\\:body:no\n\
                     h:5432:flwr:u:a:b\\\\c\n\
                     *:*:*:*:last\n";
        fs::write(&file, lines).unwrap();
        let find = |url| PostgresUrl::parse(url, Some(&file));
        let error = find("postgres://u@h/flwr").unwrap_err();
        assert!(matches!(error, PostgresUrlError::OpenPasswordFile { .. }));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let password = |url| {
            let address = find(url).unwrap();
            assert!(!format!("{address} {address:?}").contains("a:b"));
            let password = address.config.get_password().unwrap().to_vec();
            String::from_utf8(password).unwrap()
        };
        assert_eq!(password("postgres://u@h/flwr"), "a:b\\c");
        assert_eq!(password("postgres://u@h:5433/flwr"), "last");
        assert_eq!(password("postgres://u@a,h/flwr"), "a:b\\c");
        let absent = PostgresUrl::parse("postgres://u@h/d", Some(Path::new("/nowhere")));
        assert!(matches!(
            absent.unwrap_err(),
            PostgresUrlError::PasswordFile { .. }
        ));
    }
}
