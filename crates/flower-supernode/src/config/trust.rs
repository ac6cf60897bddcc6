//! Whom the node trusts, and who it is to a SuperLink that asks for certificates.

use std::path::PathBuf;

use flwr_client::channel::Trust;
use flwr_security::tls::{ClientFiles, ClientTls, Identity, Localhost};
use rustls_pki_types::ServerName;

use super::{Error, PRIVATE_KEY, PUBLIC_KEY};
use crate::args::{Args, LocalhostToo};

const CERTIFICATE: &str = "--client-certificate";
const KEY: &str = "--client-key";

/// The trust, and where it comes from.
pub(super) fn load(args: &Args) -> Result<(Trust, String), Error> {
    if args.insecure {
        refuse_tls_flags(args)?;
        return Ok((Trust::Plaintext, "none: plaintext".to_owned()));
    }
    let files = ClientFiles {
        roots: args.root_certificates.clone(),
        identity: identity(&args.client_certificate, &args.client_key)?,
        server_name: args.server_name.as_deref().map(server_name).transpose()?,
        localhost: match args.localhost_too {
            None => Localhost::Never,
            Some(LocalhostToo::Loopback) => Localhost::OnLoopback,
            Some(LocalhostToo::Anywhere) => Localhost::Anywhere,
        },
        legacy: args.ssl_allow_legacy_certificates,
        ..ClientFiles::default()
    };
    let flag = match (&files.roots, &files.identity) {
        (None, None) => "neither --root-certificates nor --insecure",
        (Some(_), None) => "--root-certificates",
        (_, Some(_)) => "--root-certificates, --client-certificate and --client-key",
    };
    let tls = ClientTls::load(files).map_err(|source| Error::Trust { flag, source })?;
    let origin = tls.roots().to_owned();
    Ok((Trust::Tls(tls), origin))
}

fn refuse_tls_flags(args: &Args) -> Result<(), Error> {
    if args.root_certificates.is_some() {
        return Err(Error::InsecureWithRoots);
    }
    let keys = [
        (PRIVATE_KEY, args.auth_supernode_private_key.is_some()),
        (PUBLIC_KEY, args.auth_supernode_public_key.is_some()),
    ];
    if let Some((flag, _)) = keys.iter().find(|(_, given)| *given) {
        return Err(Error::KeyWithoutTls(flag));
    }
    let others = [
        (CERTIFICATE, args.client_certificate.is_some()),
        (KEY, args.client_key.is_some()),
        ("--server-name", args.server_name.is_some()),
    ];
    match others.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Error::NeedsTls(flag)),
        None => Ok(()),
    }
}

fn identity(
    certificate: &Option<PathBuf>,
    key: &Option<PathBuf>,
) -> Result<Option<Identity>, Error> {
    let (given, missing) = match (certificate.clone(), key.clone()) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => return Ok(Some(Identity { certificate, key })),
        (Some(_), None) => (CERTIFICATE, KEY),
        (None, Some(_)) => (KEY, CERTIFICATE),
    };
    Err(Error::OneOfTwo { given, missing })
}

fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    let unusable = |_| Error::ServerName(name.to_owned());
    ServerName::try_from(name.to_owned()).map_err(unusable)
}
