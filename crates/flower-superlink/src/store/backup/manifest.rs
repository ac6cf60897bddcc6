//! `backup.json`: what counts in the folder of a backup.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The newest format, which this program writes.
pub(super) const FORMAT: u32 = 1;

/// What counts in the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// The version of the program.
    pub(super) made_by: String,
    pub(super) made_at: String,
    /// The name of the state.
    pub(super) state: String,
    /// The version of the database's schema.
    pub(super) schema: i64,
    /// Counts the backups of this folder. The name of the database file has the number.
    pub(super) number: u64,
    /// The SHA-256 of the database file.
    pub(super) database_sha256: String,
    /// Objects and FABs that the SuperLink had lost when the backup was made.
    pub(super) missing: Vec<String>,
}

/// The file: what counts, and its hash.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    backup: Manifest,
    sha256: String,
}

/// A format, whatever else stands in the file.
#[derive(Debug, Deserialize)]
struct Unknown {
    backup: Head,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Head {
    format: u32,
    made_by: String,
}

/// Why a file is not used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A newer program made it: the format, and the version of the program.
    Newer(u32, String),
    /// It is not as it was written.
    Damaged,
}

impl Manifest {
    /// The name of the database file.
    pub(super) fn database(&self) -> String {
        database_name(self.number)
    }

    pub(super) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let sealed = Sealed {
            backup: self.clone(),
            sha256: self.hash()?,
        };
        serde_json::to_vec_pretty(&sealed)
    }

    pub(super) fn from_json(json: &[u8]) -> Result<Self, Unreadable> {
        match serde_json::from_slice::<Unknown>(json) {
            Ok(Unknown { backup }) if backup.format > FORMAT => {
                return Err(Unreadable::Newer(backup.format, backup.made_by));
            }
            _ => {}
        }
        let sealed: Sealed = serde_json::from_slice(json).map_err(|_| Unreadable::Damaged)?;
        let hash = sealed.backup.hash().map_err(|_| Unreadable::Damaged)?;
        match hash == sealed.sha256 {
            true => Ok(sealed.backup),
            false => Err(Unreadable::Damaged),
        }
    }

    /// Of the fields in their order, so that spaces do not count.
    fn hash(&self) -> serde_json::Result<String> {
        let digest = Sha256::digest(serde_json::to_vec(self)?);
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

pub(super) fn database_name(number: u64) -> String {
    format!("state-{number}.db")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            made_by: "0.1.0".to_owned(),
            made_at: "2026-11-26T12:00:00Z".to_owned(),
            state: "ab".repeat(16),
            schema: 11,
            number: 3,
            database_sha256: "cd".repeat(32),
            missing: vec!["ef".repeat(32)],
        }
    }

    #[test]
    fn each_changed_letter_that_counts_is_found() {
        let json = manifest().to_json().unwrap();
        assert_eq!(Manifest::from_json(&json), Ok(manifest()));
        for place in 0..json.len() {
            let mut changed = json.clone();
            changed[place] ^= 1;
            // Between the values there are spaces.
            if !json[place].is_ascii_whitespace() {
                assert!(Manifest::from_json(&changed).is_err(), "byte {place}");
            }
        }
    }

    #[test]
    fn a_newer_format_is_told_with_the_version_that_made_it() {
        let newer = Manifest {
            format: FORMAT + 1,
            made_by: "9.0.0".to_owned(),
            ..manifest()
        };
        let found = Manifest::from_json(&newer.to_json().unwrap());
        let expected = Unreadable::Newer(FORMAT + 1, "9.0.0".to_owned());
        assert_eq!(found, Err(expected));
    }
}
