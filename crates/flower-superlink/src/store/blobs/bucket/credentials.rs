//! Who we are for a bucket, from a file.

use std::path::Path;

use flwr_security::private_files::is_exposed;

use super::{BucketError, read};

/// Who we are for the bucket. It has no `Debug`: nothing of it may be shown.
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: String,
}

impl Credentials {
    /// Reads the lines `NAME = VALUE` of a file for its owner only; what AWS's tools write has a line
    /// `[default]` before them.
    pub(super) fn read(path: &Path) -> Result<Self, BucketError> {
        const FLAG: &str = "--storage-credentials-file";
        let text = read(FLAG, path)?;
        if is_exposed(path) {
            return Err(BucketError::OpenCredentials(path.to_owned()));
        }
        let mut is_ours = true;
        let (mut id, mut secret) = (None, None);
        for line in text.lines().map(str::trim) {
            if let Some(section) = line.strip_prefix('[') {
                is_ours = section.trim_end_matches(']').trim() == "default";
            }
            let Some((name, value)) = line.split_once('=').filter(|_| is_ours) else {
                continue;
            };
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            match name.trim() {
                "aws_access_key_id" => id = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => return Err(BucketError::Expiring(path.to_owned())),
                _ => {}
            }
        }
        let missing = |what| BucketError::NoCredentials {
            path: path.to_owned(),
            what,
        };
        Ok(Self {
            id: id.ok_or_else(|| missing("aws_access_key_id"))?,
            secret: secret.ok_or_else(|| missing("aws_secret_access_key"))?,
        })
    }
}
