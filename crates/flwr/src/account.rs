//! The user's account at a SuperLink with login. `flwr login` gets two tokens and keeps them in one
//! file per federation. The format is that of flwr 1.20 to 1.22, so a login by either command
//! serves both.
//!
//! Each call carries the tokens. A SuperLink that has refreshed the tokens sends new ones with its
//! answer, also with a refusal.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flwr_client::line::Proof;
use flwr_core::port;
use flwr_core::port::control::Tokens;
use flwr_security::private_files::create_dir;
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The headers of calls and answers (flwr 1.20 to 1.22 wire), and the keys in the file.
const ACCESS: &str = "flwr-oidc-access-token";
const REFRESH: &str = "flwr-oidc-refresh-token";
/// The only login method on the wire of flwr 1.20 to 1.22.
pub(crate) const OIDC: &str = "oidc";
/// Keeps tokens out of git.
const GITIGNORE: &str = ".credentials\n";

/// The tokens that prove the user's identity, as the file has them.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(rename = "auth-type", alias = "authn-type")]
    kind: String,
    #[serde(rename = "flwr-oidc-access-token")]
    access: String,
    #[serde(rename = "flwr-oidc-refresh-token")]
    refresh: String,
}

/// The user at one federation. Clones share the tokens.
#[derive(Clone)]
pub(crate) struct Account {
    /// The file with the tokens; `None` for SuperLinks without login.
    file: Option<PathBuf>,
    tokens: Arc<Mutex<Option<Tokens>>>,
}

impl Account {
    /// For SuperLinks without login, and for a user who is about to log in.
    pub(crate) fn nobody() -> Self {
        Self {
            file: None,
            tokens: Arc::default(),
        }
    }

    /// The user who has logged in.
    pub(crate) fn of(file: &Path) -> Result<Self> {
        let tokens = read(file)?.ok_or(Error::NotLoggedIn)?;
        Ok(Self {
            file: Some(file.to_owned()),
            tokens: Arc::new(Mutex::new(Some(tokens))),
        })
    }

    /// The id of the account: the `sub` of the access token. Only the SuperLink can tell whether the
    /// token is good; here it serves to recognise the user's own runs.
    pub(crate) fn id(&self) -> Option<String> {
        let access = self.tokens.lock().as_ref()?.access.clone();
        let claims = URL_SAFE_NO_PAD.decode(access.split('.').nth(1)?).ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
        claims.get("sub")?.as_str().map(str::to_owned)
    }
}

impl Proof for Account {
    const RENEWS: bool = true;

    fn prove(&self, headers: &mut HeaderMap) -> port::Result<()> {
        if let Some(tokens) = &*self.tokens.lock() {
            for (key, token) in [(ACCESS, &tokens.access), (REFRESH, &tokens.refresh)] {
                // Without tokens that a header can carry, the SuperLink asks for a login.
                if let Ok(mut value) = HeaderValue::from_str(token) {
                    value.set_sensitive(true);
                    headers.insert(key, value);
                }
            }
        }
        Ok(())
    }

    /// Stores the tokens that came with an answer, if any.
    fn read(&self, headers: &HeaderMap) {
        let text = |key| headers.get(key)?.to_str().ok().map(str::to_owned);
        let (Some(file), Some(access), Some(refresh)) = (&self.file, text(ACCESS), text(REFRESH))
        else {
            return;
        };
        let tokens = Tokens { access, refresh };
        // If the write fails, only the next command needs a login. This command has its answer.
        let _ = write(file, &tokens);
        *self.tokens.lock() = Some(tokens);
    }

    /// Checks whether another command has stored new tokens meanwhile.
    fn renew(&self) -> bool {
        let Some(file) = &self.file else { return false };
        let mut tokens = self.tokens.lock();
        match read(file) {
            Ok(Some(kept)) if tokens.as_ref() != Some(&kept) => {
                *tokens = Some(kept);
                true
            }
            _ => false,
        }
    }
}

/// Writes the tokens to a private file.
pub(crate) fn keep(file: &Path, tokens: &Tokens) -> Result<()> {
    write(file, tokens).map_err(|source| Error::Write {
        path: file.to_owned(),
        source,
    })
}

/// Removes the tokens. Tells whether there were any.
pub(crate) fn forget(file: &Path) -> Result<bool> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::Write {
            path: file.to_owned(),
            source,
        }),
    }
}

fn read(file: &Path) -> Result<Option<Tokens>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(Error::Read {
                path: file.to_owned(),
                source,
            });
        }
    };
    // Flower's own command lets other users read the file. If the mode cannot be changed, the
    // tokens still serve.
    let _ = fs::set_permissions(file, Permissions::from_mode(0o600));
    let damaged = |_| Error::DamagedTokens(file.to_owned());
    let Kept {
        access, refresh, ..
    } = serde_json::from_str(&text).map_err(damaged)?;
    Ok(Some(Tokens { access, refresh }))
}

fn write(file: &Path, tokens: &Tokens) -> io::Result<()> {
    let directory = file.parent().unwrap_or(file);
    create_dir(directory)?;
    let ignore = directory.with_file_name(".gitignore");
    if !ignore.exists() {
        fs::write(ignore, GITIGNORE)?;
    }
    let Tokens { access, refresh } = tokens.clone();
    let kind = OIDC.to_owned();
    let text = serde_json::to_string_pretty(&Kept {
        kind,
        access,
        refresh,
    })?;
    flwr_security::private_files::replace_with_mode(file, 0o600, text.as_bytes())
}

#[cfg(test)]
mod tests;
