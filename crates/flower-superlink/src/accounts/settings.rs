//! Builds the OpenID provider client from the accounts file.

use std::fs;
use std::io;
use std::path::Path;

use crate::accounts::oidc::{Client, Provider, Rules};
use flwr_client::channel::Proxies;
use flwr_security::tls::{ClientFiles, ClientTls};
use zeroize::Zeroizing;

use super::file::{FileError, Settings};

impl Settings {
    /// Builds the client. No request goes to the provider yet. `file` is the accounts file, for errors,
    /// and `proxies` are the ways to the provider.
    ///
    /// # Errors
    /// If a file that they name cannot be used.
    pub fn provider(&self, file: &Path, proxies: Proxies) -> Result<Provider, FileError> {
        let roots = self.root_certificates.clone();
        let trust = ClientTls::load(ClientFiles {
            roots,
            ..ClientFiles::default()
        });
        let trust = trust.map_err(|source| FileError::Roots {
            path: file.to_owned(),
            source,
        })?;
        let client = Client {
            id: self.client_id.clone(),
            secret: self.secret(file)?,
            scopes: self.scopes.join(" "),
        };
        let rules = Rules {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
        };
        Ok(Provider::new(client, rules, trust, proxies))
    }

    fn secret(&self, file: &Path) -> Result<Option<Zeroizing<String>>, FileError> {
        let Some(path) = &self.client_secret_file else {
            return Ok(None);
        };
        let unreadable = |source| FileError::Secret {
            path: file.to_owned(),
            secret: path.clone(),
            source,
        };
        let text = Zeroizing::new(fs::read_to_string(path).map_err(unreadable)?);
        let secret = text.trim();
        if secret.is_empty() {
            return Err(unreadable(io::Error::other("there is nothing in it")));
        }
        Ok(Some(Zeroizing::new(secret.to_owned())))
    }
}
