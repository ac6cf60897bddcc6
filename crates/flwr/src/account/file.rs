//! The file with the tokens of one federation. The keys of flwr 1.20 to 1.22 have their names and
//! their meaning. Beside them the file says for which SuperLink the tokens are.
//!
//! pip's `flwr` reads such a file. It writes a file without the SuperLink, at a login and each time
//! the SuperLink has renewed the tokens. Tokens of such a file are not sent: the user logs in again.

use std::io;
use std::path::{Path, PathBuf};

use flwr_core::port::control::Tokens;
use flwr_security::private_files::Folder;
use serde::{Deserialize, Serialize};

use super::{Audience, OIDC};
use crate::error::{Error, Result};

const CREDENTIALS: &str = ".credentials";
/// Keeps tokens out of git.
const GITIGNORE: &str = ".credentials\n";

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(rename = "auth-type", alias = "authn-type")]
    kind: String,
    #[serde(rename = "flwr-oidc-access-token")]
    access: String,
    #[serde(rename = "flwr-oidc-refresh-token")]
    refresh: String,
    #[serde(default)]
    superlink: Option<Audience>,
}

/// The place of the tokens of one federation.
#[derive(Clone, Debug)]
pub(crate) struct TokenFile {
    /// The app's directory, or Flower's home directory.
    base: PathBuf,
    /// The folders below it, which may be no links.
    folders: &'static [&'static str],
    name: String,
}

impl TokenFile {
    /// The file of a federation that an app declares. flwr 1.22 has the same file.
    pub(crate) fn in_app(root: &Path, federation: &str) -> Self {
        Self::new(root, &[".flwr", CREDENTIALS], federation)
    }

    /// The file of a federation that the user keeps in Flower's home directory.
    pub(crate) fn in_home(home: &Path, federation: &str) -> Self {
        Self::new(home, &[CREDENTIALS], federation)
    }

    fn new(base: &Path, folders: &'static [&'static str], federation: &str) -> Self {
        // A name must not become a path.
        let name = federation.replace(['/', '\\', '\0'], "_");
        Self {
            base: base.to_owned(),
            folders,
            name: format!("{name}.json"),
        }
    }

    /// The path of the file, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        let folder = self
            .folders
            .iter()
            .fold(self.base.clone(), |path, name| path.join(name));
        folder.join(&self.name)
    }

    /// The tokens, if there are some. Tokens for another SuperLink than `superlink` are an error.
    pub(super) fn read(&self, superlink: &Audience) -> Result<Option<Tokens>> {
        let content =
            Folder::open(&self.base, self.folders).and_then(|folder| folder.read(&self.name));
        let content = match content {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                let path = self.path();
                return Err(Error::TokenFile { path, source });
            }
        };
        let kept: Kept =
            serde_json::from_slice(&content).map_err(|_| Error::DamagedTokens(self.path()))?;
        let Some(audience) = kept.superlink else {
            return Err(Error::UnboundTokens(self.path()));
        };
        if !audience.includes(superlink) {
            return Err(Error::TokensOfAnother {
                path: self.path(),
                theirs: audience.address,
                wanted: superlink.address.clone(),
            });
        }
        let (access, refresh) = (kept.access, kept.refresh);
        Ok(Some(Tokens { access, refresh }))
    }

    /// Writes tokens for one SuperLink to the file, which only the user may read.
    pub(super) fn write(&self, superlink: &Audience, tokens: &Tokens) -> io::Result<()> {
        let above = self
            .folders
            .split_last()
            .map_or(self.folders, |(_, above)| above);
        match Folder::create(&self.base, above)?.write_new(".gitignore", GITIGNORE.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let Tokens { access, refresh } = tokens.clone();
        let text = serde_json::to_string_pretty(&Kept {
            kind: OIDC.to_owned(),
            access,
            refresh,
            superlink: Some(superlink.clone()),
        })?;
        Folder::create(&self.base, self.folders)?.replace(&self.name, text.as_bytes())
    }

    /// Removes the file. Tells whether there was one.
    pub(super) fn remove(&self) -> io::Result<bool> {
        let removed =
            Folder::open(&self.base, self.folders).and_then(|folder| folder.remove(&self.name));
        match removed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
