//! Flags of older versions of Flower: what they are called today.

use std::path::{Path, PathBuf};

use crate::args::Args;

impl Args {
    /// The same, in the flags of today.
    pub(super) fn modern(mut self) -> Self {
        if let Some(files) = self.certificates.take() {
            [self.ssl_ca_certfile, self.ssl_certfile, self.ssl_keyfile] = files_of(files);
            // Servers of that time spoke TLS there too, or `flower-server-app` could not come.
            self.serverappio_tls = true;
        }
        if let Some(files) = self.require_client_authentication.take() {
            [
                self.auth_list_public_keys,
                self.auth_superlink_private_key,
                self.auth_superlink_public_key,
            ] = files_of(files);
        }
        self
    }
}

/// clap has counted them.
fn files_of(files: Vec<PathBuf>) -> [Option<PathBuf>; 3] {
    let mut files = files.into_iter();
    std::array::from_fn(|_| files.next())
}

/// What the operator should write today.
pub(super) fn deprecations(args: &Args) -> Vec<String> {
    let mut warnings: Vec<_> = todays_line(args).into_iter().collect();
    if args.exec_api_address.is_some() {
        warnings.push("--exec-api-address is deprecated: use --control-api-address".to_owned());
    }
    warnings
}

/// One line for the flags that have other names today.
fn todays_line(args: &Args) -> Option<String> {
    let mut old = Vec::new();
    let mut today = "flower-superlink".to_owned();
    let mut is_now = |flag: &str, file: &Path| {
        today.push_str(&format!(" {flag} {}", file.display()));
    };
    if let Some([ca, certificate, key]) = args.certificates.as_deref() {
        old.push("--certificates");
        is_now("--ssl-ca-certfile", ca);
        is_now("--ssl-certfile", certificate);
        is_now("--ssl-keyfile", key);
    }
    if let Some([list, key, _]) = args.require_client_authentication.as_deref() {
        old.push("--require-client-authentication");
        is_now("--auth-list-public-keys", list);
        is_now("--auth-superlink-private-key", key);
    }
    if old.contains(&"--certificates") {
        today.push_str(" --serverappio-tls");
    }
    let old = (!old.is_empty()).then(|| old.join(" and "))?;
    Some(format!("{old}: deprecated; today's command is `{today}`"))
}
