//! The client certificates that a SuperLink lets in, of all that its client CA has signed: a text
//! file with a line for each, and comments after `#`. A line is a subject as
//! `flwr cert inspect` shows it (`O=Hospital, CN=node-1`), a Common Name (`CN=node-1`), or one of
//! the names in the subjectAltName (`node-1.example.org`, `10.0.0.5`, `spiffe://…`).

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::from_file::{MAX_LIST_BYTES, Readable, read_at_most};
use crate::tls::Certificate;

/// The allowed certificates.
#[derive(Debug, Clone, Default)]
pub struct ClientList(HashSet<String>);

/// Why a list is not usable.
#[derive(Debug, Error)]
pub enum ClientListError {
    /// The file cannot be read.
    #[error("{path}: cannot be read as text")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// More than anybody has SuperNodes.
    #[error("{0}: longer than 64 MiB, which no list of clients is: check the file")]
    TooLong(PathBuf),
    /// It names nobody.
    #[error("{0}: it names nobody, so that no client could connect")]
    Empty(PathBuf),
}

impl Readable for ClientList {
    type Error = ClientListError;

    fn from_file(path: &Path) -> Result<Self, ClientListError> {
        let unreadable = |source| ClientListError::Read {
            path: path.to_owned(),
            source,
        };
        let content = read_at_most(path, MAX_LIST_BYTES).map_err(unreadable)?;
        let content = content.ok_or_else(|| ClientListError::TooLong(path.to_owned()))?;
        let text = io::read_to_string(content.as_slice()).map_err(unreadable)?;
        let list = Self::parse(&text);
        if list.0.is_empty() {
            return Err(ClientListError::Empty(path.to_owned()));
        }
        Ok(list)
    }
}

impl ClientList {
    fn parse(text: &str) -> Self {
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim());
        Self(lines.filter(|line| !line.is_empty()).map(plain).collect())
    }

    /// Whether this certificate is on it.
    #[must_use]
    pub fn allows(&self, certificate: &Certificate) -> bool {
        let common_name = certificate.common_name.iter();
        let in_subject = common_name.map(|name| format!("CN={name}"));
        let alternative = certificate.names.iter().chain(&certificate.other_names);
        in_subject
            .chain(alternative.cloned())
            .chain([certificate.subject.clone()])
            .any(|name| self.0.contains(&plain(&name)))
    }

    /// How many lines it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is let in; a list from a file is never so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// OpenSSL writes subjects with blanks around `=`, others do not.
fn plain(name: &str) -> String {
    let attributes = name.split(',').map(|attribute| {
        let sides: Vec<_> = attribute.split('=').map(str::trim).collect();
        sides.join("=")
    });
    attributes.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn certificate() -> Certificate {
        Certificate {
            subject: "O=Hospital, CN=node-1".to_owned(),
            names: vec!["node-1.example.org".to_owned(), "10.0.0.5".to_owned()],
            other_names: vec!["spiffe://example.org/node-1".to_owned()],
            common_name: Some("node-1".to_owned()),
            issued: None,
            is_node: false,
            is_v3: true,
            not_before: OffsetDateTime::UNIX_EPOCH,
            not_after: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_certificate_is_known_by_each_of_its_names() {
        for line in [
            "O=Hospital, CN=node-1",
            "O = Hospital,CN = node-1   # as openssl has it",
            "CN=node-1",
            "node-1.example.org",
            "# nodes\n\n10.0.0.5",
            "spiffe://example.org/node-1",
        ] {
            assert!(ClientList::parse(line).allows(&certificate()), "{line}");
        }
        for line in [
            "",
            "node-1",
            "CN=node-2",
            "O=Hospital",
            "example.org",
            "CN=node-1, O=Hospital",
        ] {
            assert!(!ClientList::parse(line).allows(&certificate()), "{line}");
        }
    }

    #[test]
    fn a_list_of_nobody_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clients.txt");
        std::fs::write(&path, "# nobody yet\n").unwrap();
        let error = ClientList::from_file(&path).unwrap_err();
        assert!(error.to_string().contains("names nobody"), "{error}");
    }

    #[test]
    fn a_list_beyond_all_measure_is_refused_and_not_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clients.txt");
        std::fs::write(&path, "CN=node-1\n").unwrap();
        // A hole behind the line: it takes no room on the disk.
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(MAX_LIST_BYTES + 1).unwrap();
        let error = ClientList::from_file(&path).unwrap_err();
        assert!(matches!(error, ClientListError::TooLong(_)), "{error}");
        assert!(error.to_string().contains("64 MiB"), "{error}");
    }
}
