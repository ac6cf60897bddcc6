//! Where the page of numbers is served, what is spoken there, and who gets it.

use std::sync::Arc;

use flwr_core::address::{Address, AddressError};
use flwr_security::from_file::FromFile;
use flwr_security::private_files;
use flwr_security::tls::{ServerTls, TlsError};
use thiserror::Error;

use super::{METRICS, MetricsFlags, MetricsToken, MetricsTokenError};
use crate::appio::{AppTls, AppTlsError};
use crate::listen::{self, Limits, Listener, Security};
use crate::renew::Renewals;

const TOKEN: &str = "--metrics-token-file";
const CERTIFICATE: &str = "--metrics-ssl-certfile";
const KEY: &str = "--metrics-ssl-keyfile";
const CA: &str = "--metrics-ssl-ca-certfile";

/// Where and how the page is served.
#[derive(Debug, Clone)]
pub struct MetricsPlace {
    /// The address.
    pub address: Address,
    tls: Option<AppTls>,
    token: Option<Arc<FromFile<MetricsToken>>>,
}

/// What is wrong with the flags about the page.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// The address.
    #[error("--metrics-address")]
    Address(#[from] AddressError),
    /// The token.
    #[error("{TOKEN}")]
    Token(#[from] MetricsTokenError),
    /// A flag of the certificate is missing.
    #[error("{given} is given without {missing}: TLS at --metrics-address needs both")]
    Incomplete {
        /// A flag that is there.
        given: &'static str,
        /// A flag that is not.
        missing: &'static str,
    },
    /// A file of the certificate cannot be used.
    #[error("{flag}")]
    Tls {
        /// The flag of the file.
        flag: &'static str,
        /// What is wrong with it.
        source: TlsError,
    },
}

impl From<AppTlsError> for MetricsError {
    fn from(error: AppTlsError) -> Self {
        match error {
            AppTlsError::Incomplete { given, missing } => Self::Incomplete { given, missing },
            AppTlsError::Files { flag, source } => Self::Tls { flag, source },
        }
    }
}

impl MetricsPlace {
    /// What the flags say, and what the operator should know of it. `None`: the page is not served.
    ///
    /// # Errors
    /// If the address, the token or the certificate cannot be used.
    pub fn load(flags: &MetricsFlags) -> Result<(Option<Self>, Vec<String>), MetricsError> {
        let Some(address) = &flags.metrics_address else {
            return Ok((None, Vec::new()));
        };
        let address: Address = address.parse()?;
        let token_file = flags.metrics_token_file.as_deref();
        let token = token_file.map(FromFile::load).transpose()?.map(Arc::new);
        let tls = AppTls::load(
            (CA, flags.metrics_ssl_ca_certfile.as_deref()),
            (CERTIFICATE, flags.metrics_ssl_certfile.as_deref()),
            (KEY, flags.metrics_ssl_keyfile.as_deref()),
        )?;
        let mut warnings = Vec::new();
        warnings.extend(token_file.and_then(private_files::exposed));
        if !address.is_loopback() {
            let (is_private, asks) = (tls.is_some(), token.is_some());
            warnings.extend(exposed(&address, is_private, asks));
        }
        if let Some(tls) = &tls {
            warnings.extend(tls.tls().warnings());
        }
        let place = Self {
            address,
            tls,
            token,
        };
        Ok((Some(place), warnings))
    }

    /// Opens the port.
    ///
    /// # Errors
    /// If the port is in use, or the address is none of this machine.
    pub async fn open(&self, limits: Limits) -> Result<Listener, listen::Error> {
        Listener::bind(&self.address.to_string(), self.security(), METRICS, limits).await
    }

    /// Has the files read again when they change.
    pub fn renew(&self, renewals: &mut Renewals) {
        if let Some(tls) = &self.tls {
            let (flag, tls) = tls.renewal();
            renewals.add(flag, tls);
        }
        if let Some(token) = &self.token {
            renewals.add(TOKEN, Arc::<FromFile<MetricsToken>>::clone(token));
        }
    }

    /// What is spoken there, for the log.
    #[must_use]
    pub fn shown(&self) -> String {
        let token = self.token.as_ref().map_or("", |_| "; with a token");
        format!("{}{token}", self.security())
    }

    /// The token that the page asks for.
    pub(super) fn token(&self) -> Option<Arc<FromFile<MetricsToken>>> {
        self.token.clone()
    }

    /// The certificate, if TLS is spoken.
    #[must_use]
    pub fn tls(&self) -> Option<&ServerTls> {
        self.tls.as_ref().map(AppTls::tls)
    }

    fn security(&self) -> Security {
        match &self.tls {
            None => Security::Plaintext,
            // HTTP/1.1 alone is offered: Prometheus would choose HTTP/2, which is not served here.
            Some(tls) => Security::Tls(tls.tls().asking_anybody()),
        }
    }
}

/// What is open to others of a page that they reach.
fn exposed(address: &Address, is_private: bool, asks: bool) -> Option<String> {
    match (is_private, asks) {
        (true, true) => None,
        (false, true) => Some(format!(
            "--metrics-address {address} speaks plaintext: whoever reads the network between can take the token; {CERTIFICATE}, {KEY} and {CA} turn TLS on"
        )),
        (true, false) => Some(format!(
            "--metrics-address {address} asks for no login: whoever reaches the port can read the numbers; {TOKEN} asks for a token"
        )),
        (false, false) => Some(format!(
            "--metrics-address {address} speaks plaintext and asks for no login: whoever reaches the port can read the numbers; {CERTIFICATE}, {KEY} and {CA} turn TLS on, {TOKEN} asks for a token"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use flwr_core::cause::chain;

    use super::*;

    fn flags(address: &str) -> MetricsFlags {
        MetricsFlags {
            metrics_address: Some(address.to_owned()),
            ..MetricsFlags::default()
        }
    }

    #[test]
    fn others_are_told_of_where_they_reach_the_page() {
        let (none, warnings) = MetricsPlace::load(&MetricsFlags::default()).unwrap();
        assert!(none.is_none() && warnings.is_empty());
        let (_, warnings) = MetricsPlace::load(&flags("127.0.0.1:9095")).unwrap();
        assert_eq!(warnings, [""; 0]);
        let (_, warnings) = MetricsPlace::load(&flags("0.0.0.0:9095")).unwrap();
        assert!(warnings[0].contains("plaintext and asks for no login"));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        fs::write(&file, "0123456789abcdef\n").unwrap();
        let flags = MetricsFlags {
            metrics_token_file: Some(file),
            ..flags("0.0.0.0:9095")
        };
        let (_, warnings) = MetricsPlace::load(&flags).unwrap();
        let told = |part: &str| warnings.iter().any(|warning| warning.contains(part));
        assert!(told("can take the token"), "{warnings:?}");
        assert!(told("chmod 600"), "{warnings:?}");
    }

    #[test]
    fn a_wrong_flag_is_named() {
        let error = MetricsPlace::load(&flags("nowhere")).unwrap_err();
        assert!(chain(&error).starts_with("--metrics-address: "), "{error}");
        let flags = MetricsFlags {
            metrics_ssl_certfile: Some("server.pem".into()),
            ..flags("127.0.0.1:9095")
        };
        assert_eq!(
            MetricsPlace::load(&flags).unwrap_err().to_string(),
            "--metrics-ssl-certfile is given without --metrics-ssl-keyfile: TLS at --metrics-address needs both"
        );
    }
}
