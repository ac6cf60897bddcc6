//! `.info/CONTENT`: the list of an app's files with their hashes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{FabError, Files, MANIFEST};

/// The list for these files, in their order. Sizes are in bits.
pub(super) fn list(files: &[(String, Bytes)]) -> String {
    let mut list = String::new();
    for (path, bytes) in files {
        let hash = hex::encode(Sha256::digest(bytes));
        // Writing to a String cannot fail.
        let _ = writeln!(list, "{path},{hash},{}", bytes.len() * 8);
    }
    list
}

/// Checks that every line has its file and every file its line. `pyproject.toml` has a line in the
/// bundles of flwr 1.27 and later, and none in earlier ones. In the later bundles no line feed ends the
/// list.
pub(super) fn verify(list: &str, files: &Files) -> Result<(), FabError> {
    let mut listed = BTreeSet::from([MANIFEST]);
    let mut is_manifest_listed = false;
    for (index, line) in list.trim_end().lines().enumerate() {
        let (path, hash, bits) = split(line).ok_or(FabError::ContentLine(index + 1))?;
        let bytes = files
            .get(path)
            .ok_or_else(|| differs(path, "is listed but missing"))?;
        if bits != (bytes.len() * 8).to_string() {
            return Err(differs(path, "has another size than listed"));
        }
        if hash != hex::encode(Sha256::digest(bytes)) {
            return Err(differs(path, "has another hash than listed"));
        }
        let is_new = if path == MANIFEST {
            !std::mem::replace(&mut is_manifest_listed, true)
        } else {
            listed.insert(path)
        };
        if !is_new {
            return Err(differs(path, "is listed twice"));
        }
    }
    match files.keys().find(|path| !listed.contains(path.as_str())) {
        Some(path) => Err(differs(path, "is not listed")),
        None => Ok(()),
    }
}

/// Splits from the right, so that a comma in a path does no harm.
fn split(line: &str) -> Option<(&str, &str, &str)> {
    let (rest, bits) = line.rsplit_once(',')?;
    let (path, hash) = rest.rsplit_once(',')?;
    Some((path, hash, bits))
}

fn differs(path: &str, why: &'static str) -> FabError {
    FabError::Hash {
        path: path.to_owned(),
        why,
    }
}
