//! The certificates of SuperNodes that join, and where they join.

use std::path::PathBuf;
use std::sync::Arc;

use flwr_core::address::Address;
use flwr_security::pki::{NodeAuthority, PkiError};
use flwr_security::private_files;

use super::{ConfigError, address};
use crate::args::Args;

pub(super) const CERTIFICATE: &str = "--node-ca-certfile";
const KEY: &str = "--node-ca-keyfile";
pub(super) const PORT: &str = "--join-api-address";

/// How SuperNodes join where Fleet asks for client certificates.
#[derive(Debug, Default)]
pub struct Joining {
    /// Issues their certificates. `None`: they get none.
    pub authority: Option<Arc<NodeAuthority>>,
    /// Where they join, having no certificate yet. `None`: nowhere.
    pub address: Option<Address>,
}

/// What is wrong with the flags about SuperNodes that join.
#[derive(Debug, thiserror::Error)]
pub enum JoiningError {
    /// The certificate of the CA without its key, or the key without the certificate.
    #[error(
        "{given} is given without {missing}: the CA for SuperNodes that join needs both (`flwr cert ca` makes them)"
    )]
    Half {
        /// The flag that is there.
        given: &'static str,
        /// The flag that is not.
        missing: &'static str,
    },
    /// A port where SuperNodes would get no certificate.
    #[error(
        "{PORT} needs {CERTIFICATE} and {KEY}: SuperNodes get their client certificate there, and where Fleet asks for none they join at --fleet-api-address"
    )]
    PortWithoutCa,
    /// Nobody joins.
    #[error(
        "{0} needs --enable-supernode-auth: SuperNodes join with a token only where people register them"
    )]
    NobodyJoins(&'static str),
    /// The files of the CA.
    #[error("{flag}")]
    Ca {
        /// The flag of the file at fault.
        flag: &'static str,
        /// What is wrong with the file.
        source: PkiError,
    },
}

/// The flags that were given.
pub(super) fn given(args: &Args) -> impl Iterator<Item = &'static str> {
    let joining = &args.joining;
    let flags = [
        (CERTIFICATE, joining.node_ca_certfile.is_some()),
        (KEY, joining.node_ca_keyfile.is_some()),
        (PORT, joining.join_api_address.is_some()),
    ];
    let given = flags.into_iter().filter(|(_, is_given)| *is_given);
    given.map(|(flag, _)| flag)
}

/// How SuperNodes join, and what the operator should know.
pub(super) fn joining(args: &Args) -> Result<(Joining, Vec<String>), ConfigError> {
    let flags = &args.joining;
    if let (Some(flag), false) = (given(args).next(), args.enable_supernode_auth) {
        return Err(JoiningError::NobodyJoins(flag).into());
    }
    let (certificate, key) = match (&flags.node_ca_certfile, &flags.node_ca_keyfile) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) if flags.join_api_address.is_some() => {
            return Err(JoiningError::PortWithoutCa.into());
        }
        (None, None) => return Ok((Joining::default(), Vec::new())),
        (certificate, _) => {
            let (given, missing) = match certificate {
                Some(_) => (CERTIFICATE, KEY),
                None => (KEY, CERTIFICATE),
            };
            return Err(JoiningError::Half { given, missing }.into());
        }
    };
    let authority = NodeAuthority::load(certificate, key).map_err(|source| {
        let flag = match &source {
            PkiError::PrivateKey { .. } | PkiError::NoPair { .. } => KEY,
            _ => CERTIFICATE,
        };
        JoiningError::Ca { flag, source }
    })?;
    let at = flags.join_api_address.as_deref();
    let joining = Joining {
        authority: Some(Arc::new(authority)),
        address: at.map(|given| address(PORT, given)).transpose()?,
    };
    Ok((joining, private_files::exposed(key).into_iter().collect()))
}

/// The certificate's file, which Fleet trusts.
pub(super) fn node_ca(args: &Args) -> Option<PathBuf> {
    args.joining.node_ca_certfile.clone()
}
