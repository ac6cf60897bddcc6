//! Where the password of a database is read from: a file that holds nothing else
//! (`--database-password-file`), or a password file of libpq (`PGPASSFILE`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flwr_security::private_files::is_exposed;
use thiserror::Error;
use zeroize::Zeroizing;

/// The file with the password. Nobody but its owner may read the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// The first line is the password.
    File(PathBuf),
    /// Each line is `HOST:PORT:DATABASE:USER:PASSWORD`. The first line that fits counts.
    Table(PathBuf),
}

/// Why a password file cannot be used.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// The system does not let us read the file, or the file is no text.
    #[error("the password file `{}` ({name}) could not be read", .path.display())]
    Unreadable {
        /// The flag or the variable that names the file.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read the file.
    #[error(
        "others can read the password file `{}` ({name}): run `chmod 600` on the file", .path.display()
    )]
    Exposed {
        /// The flag or the variable that names the file.
        name: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The file has no password.
    #[error(
        "the password file `{}` ({name}) is empty: write the password into its first line", .path.display()
    )]
    Empty {
        /// The flag or the variable that names the file.
        name: &'static str,
        /// The file.
        path: PathBuf,
    },
}

/// What a line of a table must fit.
#[derive(Debug)]
pub(super) struct Login<'a> {
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

impl PasswordSource {
    const fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "--database-password-file",
            Self::Table(_) => "PGPASSFILE",
        }
    }

    /// The password for the login. A table may have none.
    pub(super) fn find(
        &self,
        login: &Login<'_>,
    ) -> Result<Option<Zeroizing<String>>, PasswordError> {
        let name = self.name();
        match self {
            Self::File(path) => {
                let text = read(name, path)?;
                let line = text.lines().next().unwrap_or_default();
                if line.is_empty() {
                    let path = path.clone();
                    return Err(PasswordError::Empty { name, path });
                }
                Ok(Some(line.to_owned().into()))
            }
            Self::Table(path) => {
                let text = read(name, path)?;
                Ok(text.lines().find_map(|line| login.password_in(line)))
            }
        }
    }
}

fn read(name: &'static str, path: &Path) -> Result<Zeroizing<String>, PasswordError> {
    let path = path.to_owned();
    let text = match fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(source) => return Err(PasswordError::Unreadable { name, path, source }),
    };
    match is_exposed(&path) {
        true => Err(PasswordError::Exposed { name, path }),
        false => Ok(text),
    }
}

impl Login<'_> {
    /// The password of a line, if the line fits.
    fn password_in(&self, line: &str) -> Option<Zeroizing<String>> {
        let [host, port, database, user, password] = <[String; 5]>::try_from(fields(line)).ok()?;
        let fits = |field: &str, value: &str| field == "*" || field == value;
        let is_host = self
            .hosts
            .iter()
            .any(|(name, number)| fits(&host, name) && fits(&port, &number.to_string()));
        let is_ours = is_host && fits(&database, self.database) && fits(&user, self.user);
        is_ours.then(|| password.into())
    }
}

/// The fields of a line of a table: `:` separates, `\` takes the next character as it is.
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::PostgresUrl;
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        (dir, path)
    }

    fn password(url: &str, source: &PasswordSource) -> Result<String, PasswordError> {
        let address = PostgresUrl::parse(url).unwrap().with_password(source)?;
        assert!(!format!("{address} {address:?}").contains("a:b"));
        let password = address.config().get_password().unwrap_or_default().to_vec();
        Ok(String::from_utf8(password).unwrap())
    }

    #[test]
    fn the_password_of_a_table_is_that_of_the_first_line_that_fits() {
        let lines = "# of the lab\n\
                     other:5432:flwr:u:no\n\
                     h:*:*:some\\:body:no\n\
                     h:5432:flwr:u:a:b\\\\c\n\
                     x:*:*:*:last\n";
        let (_dir, path) = file(lines);
        let table = PasswordSource::Table(path);
        assert_eq!(password("postgres://u@h/flwr", &table).unwrap(), "a:b\\c");
        assert_eq!(
            password("postgres://u@x:5433/flwr", &table).unwrap(),
            "last"
        );
        assert_eq!(password("postgres://u@a,h/flwr", &table).unwrap(), "a:b\\c");
        assert_eq!(password("postgres://u@nowhere/flwr", &table).unwrap(), "");
    }

    #[test]
    fn the_first_line_of_a_password_file_is_the_password() {
        let (_dir, path) = file("a:b\\c \nnot this\n");
        let found = password("postgres://u@h/flwr", &PasswordSource::File(path));
        assert_eq!(found.unwrap(), "a:b\\c ");
        let (_dir, path) = file("\n");
        let empty = password("postgres://u@h/flwr", &PasswordSource::File(path)).unwrap_err();
        assert!(empty.to_string().contains("is empty"), "{empty}");
    }

    #[test]
    fn a_password_file_that_others_can_read_or_nobody_is_refused() {
        type Source = fn(PathBuf) -> PasswordSource;
        let sources: [Source; 2] = [PasswordSource::File, PasswordSource::Table];
        for source in sources {
            let (_dir, path) = file("s3cret");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let exposed = password("postgres://u@h/d", &source(path)).unwrap_err();
            assert!(matches!(exposed, PasswordError::Exposed { .. }));
            assert!(!format!("{exposed} {exposed:?}").contains("s3cret"));
            let absent = password("postgres://u@h/d", &source("/nowhere".into())).unwrap_err();
            assert!(matches!(absent, PasswordError::Unreadable { .. }));
        }
    }
}
