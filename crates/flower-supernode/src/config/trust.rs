//! Whom the node trusts, and who it is to a SuperLink that asks for certificates.

use std::path::PathBuf;

use flwr_client::channel::Trust;
use flwr_client::joined::Joined;
use flwr_security::tls::{ClientFiles, ClientTls, Identity, Localhost};
use rustls_pki_types::ServerName;

use super::{Error, PRIVATE_KEY, PUBLIC_KEY};
use crate::args::{Args, LocalhostToo};
use crate::enrolment::Enrolment;

const CERTIFICATE: &str = "--client-certificate";
const KEY: &str = "--client-key";

/// The trust, and where it comes from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(super) trust: Trust,
    pub(super) origin: String,
    /// The authorities are those that the node remembers.
    pub(super) is_remembered: bool,
    /// So is the client certificate.
    pub(super) is_certified: bool,
}

/// Loads the trust.
pub(crate) fn load(args: &Args, enrolment: &Enrolment) -> Result<Loaded, Error> {
    if args.insecure {
        refuse_tls_flags(args)?;
        return Ok(Loaded {
            trust: Trust::Plaintext,
            origin: "none: plaintext".to_owned(),
            is_remembered: false,
            is_certified: false,
        });
    }
    let server_name = name_of(args)?;
    let joined = enrolment.joined();
    let remembered = joined.filter(|_| args.root_certificates.is_none());
    let remembered = remembered.map(Joined::authorities_file);
    let is_remembered = remembered.is_some();
    let given = identity(&args.client_certificate, &args.client_key)?;
    // The certificate is for the remembered key: a SuperLink takes no other key with it.
    let own_key = args.auth_supernode_private_key.is_some();
    let issued = joined.filter(|_| given.is_none() && !own_key);
    let issued = issued.map(|joined| Identity {
        certificate: joined.certificate_file(),
        key: joined.key_file(),
    });
    let issued = issued.filter(|issued| issued.certificate.exists());
    let is_certified = issued.is_some();
    let pin = enrolment.token().map(|token| token.pin);
    let files = ClientFiles {
        roots: args.root_certificates.clone().or(remembered),
        pin: pin.filter(|_| args.root_certificates.is_none()),
        identity: given.or(issued),
        server_name,
        localhost: match args.localhost_too {
            None => Localhost::Never,
            Some(LocalhostToo::Loopback) => Localhost::OnLoopback,
            Some(LocalhostToo::Anywhere) => Localhost::Anywhere,
        },
        legacy: args.ssl_allow_legacy_certificates,
    };
    let flag = match (&files.roots, &files.identity) {
        _ if is_remembered || is_certified => "what the node remembers of its enrolment (--join)",
        (None, None) => "neither --root-certificates nor --insecure",
        (Some(_), None) => "--root-certificates",
        (_, Some(_)) => "--root-certificates, --client-certificate and --client-key",
    };
    let tls = ClientTls::load(files).map_err(|source| Error::Trust { flag, source })?;
    let origin = tls.roots().to_owned();
    Ok(Loaded {
        trust: Trust::Tls(tls),
        origin,
        is_remembered,
        is_certified,
    })
}

/// The name that the SuperLink's certificate must be for, if it is not that of its address.
pub(crate) fn name_of(args: &Args) -> Result<Option<ServerName<'static>>, Error> {
    args.server_name.as_deref().map(server_name).transpose()
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
