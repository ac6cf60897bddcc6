//! Where ClientAppIo listens and what it speaks, and who may start ClientApps.

use flwr_core::address::Address;
use flwr_daemon::appio::{AppChannel, AppTls, Launchers, Place, Wanted};
use flwr_daemon::listen::Service;

use super::{Error, PRIVATE_KEY, address};
use crate::args::{AppIo, Args, Isolation};
use crate::enrolment::Enrolment;

const FLAG: &str = "--clientappio-api-address";
const HOST_FLAG: &str = "--host";
const PORT_FLAG: &str = "--port";
/// Flower's address.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 9094;
/// The flags of the certificate.
const CERTIFICATE: &str = "--ssl-certfile";
const KEY: &str = "--ssl-keyfile";
const CA: &str = "--ssl-ca-certfile";

/// How ClientAppIo is served, and to whom.
#[derive(Debug)]
pub struct ClientAppIo {
    /// Where ClientApp processes reach the node.
    pub address: Address,
    /// The flag that sets the address.
    pub flag: &'static str,
    /// The TLS that is spoken there, if any. Processes of this machine may speak plaintext.
    pub tls: Option<AppTls>,
    /// Who may start ClientApp processes, where that is somebody else.
    pub launchers: Launchers,
    /// How the processes call that the node starts.
    pub channel: AppChannel,
}

impl ClientAppIo {
    /// The service of its port.
    #[must_use]
    pub const fn service(&self) -> Service {
        Service {
            name: "ClientAppIo",
            flag: self.flag,
        }
    }
}

/// How ClientAppIo is served, and what the operator should know of it.
pub(super) fn appio(
    args: &Args,
    enrolment: &Enrolment,
) -> Result<(ClientAppIo, Vec<String>), Error> {
    let flags = &args.appio;
    let networks = flags.appio_allow_from.clone();
    let launchers = Launchers::load(flags.superexec_auth_secret_file.as_deref(), networks)?;
    let tls = AppTls::load(
        (CA, flags.ssl_ca_certfile.as_deref()),
        (CERTIFICATE, flags.ssl_certfile.as_deref()),
        (KEY, flags.ssl_keyfile.as_deref()),
    )?;
    let (flag, given) = given(flags)?;
    let guard = match enrolment {
        _ if args.auth_supernode_private_key.is_some() => Some(PRIVATE_KEY),
        Enrolment::None => None,
        Enrolment::Joined(_) | Enrolment::Joining(_) => Some("--join"),
    };
    let is_own = args.isolation == Isolation::Subprocess;
    let wanted = Wanted {
        api: "ClientAppIo",
        flag,
        given,
        port: PORT,
        is_own,
        tls_flag: Some(CERTIFICATE),
        tls: tls.is_some(),
        plaintext: flags.allow_plaintext_appio,
        guard,
    };
    let Place {
        address,
        mut warnings,
    } = wanted.place(&launchers)?;
    warnings.extend(tls.iter().flat_map(|tls| tls.tls().warnings()));
    if flags.allow_runtime_dependency_installation && !is_own {
        warnings.push("--allow-runtime-dependency-installation is of use with --isolation subprocess only: with process, give the flag to flower-superexec".to_owned());
    }
    let clientappio = ClientAppIo {
        address,
        flag,
        tls,
        launchers,
        channel: flags.app_channel,
    };
    Ok((clientappio, warnings))
}

/// The address that was typed, in one flag or in two, and the flag.
fn given(flags: &AppIo) -> Result<(&'static str, Option<Address>), Error> {
    if let Some(text) = &flags.clientappio_api_address {
        return Ok((FLAG, Some(address(FLAG, text)?)));
    }
    let flag = match (&flags.host, flags.port) {
        (None, None) => return Ok((FLAG, None)),
        (Some(_), None) => HOST_FLAG,
        (_, Some(_)) => PORT_FLAG,
    };
    let host = flags.host.as_deref().unwrap_or(HOST);
    let port = flags.port.unwrap_or(PORT);
    Ok((flag, Some(address(HOST_FLAG, &format!("{host}:{port}"))?)))
}
