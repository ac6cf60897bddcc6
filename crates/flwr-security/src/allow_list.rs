//! The SuperNode keys that a SuperLink lets in: a CSV file of OpenSSH public keys, one a cell, in
//! any number of rows and columns, without a header (flwr 1.22).

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::from_file::{MAX_LIST_BYTES, Readable, read_at_most};
use crate::key::{KeyProblem, PublicKey};

/// The allowed keys.
#[derive(Debug, Clone, Default)]
pub struct AllowList(HashSet<PublicKey>);

/// Why a list is not usable.
#[derive(Debug, Error)]
pub enum AllowListError {
    /// The file cannot be read.
    #[error("{path}: cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// More than anybody has SuperNodes.
    #[error("{0}: longer than 64 MiB, which no list of SuperNode keys is: check the file")]
    TooLong(PathBuf),
    /// It is not CSV.
    #[error("{path}: not a CSV file")]
    Csv {
        /// The file.
        path: PathBuf,
        /// Where it is not.
        source: csv::Error,
    },
    /// A cell is not a key.
    #[error("{path}: row {row}, column {column}: {problem}")]
    Key {
        /// The file.
        path: PathBuf,
        /// The line in the file, counted from 1.
        row: usize,
        /// Counted from 1.
        column: usize,
        /// What it is instead.
        problem: KeyProblem,
    },
    /// There is no key in it: nobody could connect.
    #[error("{0}: it holds no key, so that no SuperNode could connect")]
    Empty(PathBuf),
}

impl Readable for AllowList {
    type Error = AllowListError;

    fn from_file(path: &Path) -> Result<Self, AllowListError> {
        let content =
            read_at_most(path, MAX_LIST_BYTES).map_err(|source| AllowListError::Read {
                path: path.to_owned(),
                source,
            })?;
        let content = content.ok_or_else(|| AllowListError::TooLong(path.to_owned()))?;
        Self::parse(&content, path)
    }
}

impl AllowList {
    /// Reads a list from the content of a file; `path` is for the error's text.
    ///
    /// # Errors
    /// If a cell holds something else, or there is none.
    pub fn parse(content: &[u8], path: &Path) -> Result<Self, AllowListError> {
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(content);
        let mut keys = HashSet::new();
        let mut cells = csv::StringRecord::new();
        while rows
            .read_record(&mut cells)
            .map_err(|source| AllowListError::Csv {
                path: path.to_owned(),
                source,
            })?
        {
            let row = lines(content, rows.position().byte());
            // Scripts leave a comma at the end of a line: an empty cell is no key, and no error.
            for (column, cell) in cells
                .iter()
                .enumerate()
                .filter(|(_, cell)| !cell.is_empty())
            {
                let key = PublicKey::from_openssh(cell).map_err(|problem| {
                    let (path, column) = (path.to_owned(), column + 1);
                    AllowListError::Key {
                        path,
                        row,
                        column,
                        problem,
                    }
                })?;
                keys.insert(key);
            }
        }
        if keys.is_empty() {
            return Err(AllowListError::Empty(path.to_owned()));
        }
        Ok(Self(keys))
    }

    /// Whether a key is on it.
    #[must_use]
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.0.contains(key)
    }

    /// How many keys are on it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is let in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The number of the line that ends before this byte.
fn lines(content: &[u8], end: u64) -> usize {
    let end = usize::try_from(end).map_or(content.len(), |end| end.min(content.len()));
    let read = content[..end].trim_ascii_end();
    1 + read.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::from_file::FromFile;
    use crate::key::PrivateKey;

    fn parse(content: &str) -> Result<AllowList, String> {
        AllowList::parse(content.as_bytes(), Path::new("keys.csv")).map_err(|e| e.to_string())
    }

    fn keys() -> [PublicKey; 3] {
        std::array::from_fn(|_| PrivateKey::generate().unwrap().public_key().clone())
    }

    #[test]
    fn keys_stand_in_rows_or_columns_with_comments_and_stray_commas() {
        let [a, b, c] = keys();
        let [x, y, z] = [&a, &b, &c].map(PublicKey::to_openssh);
        for content in [
            format!("{x},{y},{z}\n"),
            format!("{x}\n{y}\n\n{z}"),
            format!("{x} someone@somewhere, {y}\r\n\"{z} a, b\",\n"),
        ] {
            let list = parse(&content).unwrap();
            assert_eq!(list.len(), 3, "{content}");
            assert!([&a, &b, &c].into_iter().all(|key| list.contains(key)));
        }
    }

    #[test]
    fn what_is_wrong_and_where_is_told() {
        let good = keys()[0].to_openssh();
        let error = parse(&format!("{good}\n\n{good},ssh-ed25519 AAAA\n")).unwrap_err();
        assert!(
            error.starts_with("keys.csv: row 3, column 2: it is not an elliptic"),
            "{error}"
        );
        let error = parse("\n,\n").unwrap_err();
        assert!(error.starts_with("keys.csv: it holds no key"), "{error}");
    }

    #[test]
    fn a_file_beyond_all_measure_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.csv");
        // A hole: it takes no room on the disk.
        let file = fs::File::create(&path).unwrap();
        file.set_len(MAX_LIST_BYTES + 1).unwrap();
        let error = AllowList::from_file(&path).unwrap_err();
        assert!(matches!(error, AllowListError::TooLong(_)), "{error}");
        assert!(error.to_string().contains("64 MiB"), "{error}");
    }

    #[test]
    fn a_bad_new_file_leaves_the_old_list_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.csv");
        let [a, b, _] = keys();
        fs::write(&path, a.to_openssh()).unwrap();
        let list = FromFile::<AllowList>::load(&path).unwrap();
        fs::write(&path, "rubbish").unwrap();
        assert!(list.reload().is_err());
        assert!(list.now().contains(&a));
        fs::write(&path, b.to_openssh()).unwrap();
        assert_eq!(list.reload().unwrap().len(), 1);
        assert!(list.now().contains(&b) && !list.now().contains(&a));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = AllowList::parse(&content, Path::new("x"));
        }
    }
}
