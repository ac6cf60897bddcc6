//! TLS of the API of app processes (`--appio-ssl-*` of flwr 1.30 and later). Processes of this machine
//! may speak plaintext there too: those of flwr 1.29 and before know no TLS.

use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use flwr_security::tls::{Identity, ServerFiles, ServerTls, TlsError};
use thiserror::Error;

use crate::apps::Program;
use crate::listen::Security;

/// A flag, and the file that was given with it.
pub type Given<'a> = (&'static str, Option<&'a Path>);

/// The TLS of the API.
#[derive(Debug, Clone)]
pub struct AppTls {
    tls: ServerTls,
    /// The file of the authority that signed the certificate. App processes are told of it.
    authorities: PathBuf,
    flag: &'static str,
}

/// Why the API cannot speak TLS.
#[derive(Debug, Error)]
pub enum AppTlsError {
    /// A flag is missing.
    #[error("{given} is given without {missing}: TLS with app processes needs both")]
    Incomplete {
        /// A flag that is there.
        given: &'static str,
        /// A flag that is not.
        missing: &'static str,
    },
    /// A file cannot be used.
    #[error("{flag}")]
    Files {
        /// The flag of the file.
        flag: &'static str,
        /// What is wrong with it.
        source: TlsError,
    },
}

impl AppTls {
    /// Reads the files of the CA, the certificate and the key. `None`: no flag was given.
    ///
    /// # Errors
    /// If a flag is missing, or a file cannot be used.
    pub fn load(ca: Given, certificate: Given, key: Given) -> Result<Option<Self>, AppTlsError> {
        let flags = [certificate, key, ca];
        let (Some(certificate_file), Some(key_file), Some(ca_file)) = (certificate.1, key.1, ca.1)
        else {
            let given = flags.iter().find(|(_, file)| file.is_some());
            let missing = flags.iter().find(|(_, file)| file.is_none());
            return match (given, missing) {
                (Some((given, _)), Some((missing, _))) => {
                    Err(AppTlsError::Incomplete { given, missing })
                }
                _ => Ok(None),
            };
        };
        let files = ServerFiles {
            ca: ca_file.to_owned(),
            identity: Identity {
                certificate: certificate_file.to_owned(),
                key: key_file.to_owned(),
            },
            clients: None,
            people: None,
            nodes: None,
            legacy: false,
            shows_authority: false,
        };
        let tls = ServerTls::load(files).map_err(|source| {
            let of_file = flags.iter().find(|(_, file)| *file == source.file());
            let flag = of_file.map_or(certificate.0, |(flag, _)| flag);
            AppTlsError::Files { flag, source }
        })?;
        Ok(Some(Self {
            tls,
            // An app process may run in another directory.
            authorities: absolute(ca_file).unwrap_or_else(|_| ca_file.to_owned()),
            flag: certificate.0,
        }))
    }

    /// What the port of the API speaks.
    #[must_use]
    pub fn security(this: Option<&Self>) -> Security {
        this.map_or(Security::Plaintext, |this| {
            Security::TlsOrLocal(this.tls.open())
        })
    }

    /// The certificate, which changes when its files do.
    #[must_use]
    pub const fn tls(&self) -> &ServerTls {
        &self.tls
    }

    /// As [`Self::tls`], for [`Renewals`](crate::renew::Renewals), with the flag of the certificate.
    #[must_use]
    pub fn renewal(&self) -> (&'static str, Arc<ServerTls>) {
        (self.flag, Arc::new(self.tls.clone()))
    }

    /// Whether the certificate is for this host.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        self.tls.is_for(host)
    }

    /// Has the processes of a program speak TLS with the API at this host. If the certificate is not
    /// for the host, the processes speak plaintext within this machine, and the operator is told.
    #[must_use]
    pub fn trusted_by(&self, program: Program, host: &str) -> (Program, Option<String>) {
        if self.tls.is_for(host) {
            return (program.trusting(self.authorities.clone()), None);
        }
        let warning = format!(
            "{}: the certificate is not for {host}, where this daemon's own app processes connect to: these speak plaintext within this machine. Make a certificate for {host} too, with `flwr cert new`, to have them speak TLS",
            self.flag
        );
        (program, Some(warning))
    }
}

#[cfg(test)]
mod tests {
    use flwr_core::cause::chain;
    use flwr_security::testing::Files;

    use super::*;
    use crate::apps::serverapp_command;

    const FLAGS: [&str; 3] = [
        "--appio-ssl-ca-certfile",
        "--appio-ssl-certfile",
        "--appio-ssl-keyfile",
    ];

    fn load(files: [Option<&Path>; 3]) -> Result<Option<AppTls>, AppTlsError> {
        let [ca, certificate, key] = files;
        AppTls::load((FLAGS[0], ca), (FLAGS[1], certificate), (FLAGS[2], key))
    }

    #[test]
    fn all_three_files_are_needed_and_a_wrong_one_is_named() {
        let files = Files::new();
        let [ca, certificate, key] =
            ["ca.crt", "server.pem", "server.key"].map(|name| files.dir().join(name));
        let all = [&ca, &certificate, &key].map(|file| Some(file.as_path()));
        assert!(load([None; 3]).unwrap().is_none());
        assert!(load(all).unwrap().is_some());
        for missing in 0..3 {
            let mut two = all;
            two[missing] = None;
            let told = load(two).unwrap_err().to_string();
            assert!(told.contains(FLAGS[missing]), "{told}");
            assert!(told.contains("is given without"), "{told}");
            let gone = files.dir().join("gone");
            let mut wrong = all;
            wrong[missing] = Some(&gone);
            let told = chain(&load(wrong).unwrap_err());
            assert!(told.starts_with(FLAGS[missing]), "{told}");
        }
    }

    #[test]
    fn processes_trust_the_certificate_where_it_is_for_their_address() {
        let files = Files::new();
        let [ca, certificate, key] =
            ["ca.crt", "server.pem", "server.key"].map(|name| files.dir().join(name));
        let tls = load([&ca, &certificate, &key].map(|file| Some(file.as_path())));
        let tls = tls.unwrap().unwrap();
        let name = tls.tls().certificate().names[0].clone();
        for (version, host, is_trusted) in [
            ((1, 30), name.as_str(), true),
            ((1, 29), name.as_str(), false),
            ((1, 30), "elsewhere.example", false),
        ] {
            let program = Program::of("/bin/false".into(), version);
            let (program, warning) = tls.trusted_by(program, host);
            assert_eq!(warning.is_some(), host != name, "{warning:?}");
            let command = serverapp_command(&program, "a:1", "abc", None, None);
            let words: Vec<_> = command
                .args
                .iter()
                .map(|word| word.to_string_lossy())
                .collect();
            let is_told = words.iter().any(|word| *word == ca.to_string_lossy());
            assert_eq!(is_told, is_trusted, "{words:?}");
            assert_eq!(
                words.contains(&"--insecure".into()),
                !is_trusted,
                "{words:?}"
            );
        }
    }
}
