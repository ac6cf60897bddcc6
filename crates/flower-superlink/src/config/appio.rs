//! Where ServerAppIo listens and what it speaks, and who may start ServerApps.

use flwr_core::address::Address;
use flwr_daemon::appio::{AppChannel, AppTls, Launchers, Place, Wanted};

use super::{ConfigError, Way, accounts, address};
use crate::args::{Args, Isolation};

const FLAG: &str = "--serverappio-api-address";
pub(super) const ADVERTISE: &str = "--serverappio-advertise";
/// Flower's port.
const PORT: u16 = 9091;

/// The flags of its own certificate.
const CERTIFICATE: &str = "--appio-ssl-certfile";
const KEY: &str = "--appio-ssl-keyfile";
const CA: &str = "--appio-ssl-ca-certfile";

/// How ServerAppIo is served, and to whom.
#[derive(Debug)]
pub struct ServerAppIo {
    /// Where ServerApp processes connect to.
    pub address: Address,
    /// Whether the TLS of the SuperLink is spoken there, and plaintext with processes of this machine.
    pub shares_tls: bool,
    /// The TLS of its own, if there is one. Processes of this machine may speak plaintext.
    pub tls: Option<AppTls>,
    /// Who may start ServerApp processes, where that is somebody else.
    pub launchers: Launchers,
    /// How the processes call that the SuperLink starts.
    pub channel: AppChannel,
}

/// How ServerAppIo is served, and what the operator should know of it.
pub(super) fn appio(args: &Args) -> Result<(ServerAppIo, Vec<String>), ConfigError> {
    let flags = &args.appio;
    let networks = flags.appio_allow_from.clone();
    let launchers = Launchers::load(flags.superexec_auth_secret_file.as_deref(), networks)?;
    let tls = AppTls::load(
        (CA, flags.appio_ssl_ca_certfile.as_deref()),
        (CERTIFICATE, flags.appio_ssl_certfile.as_deref()),
        (KEY, flags.appio_ssl_keyfile.as_deref()),
    )?;
    let given = flags.serverappio_api_address.as_deref();
    let given = given.map(|text| address(FLAG, text)).transpose()?;
    let wanted = Wanted {
        api: "ServerAppIo",
        flag: FLAG,
        given,
        port: PORT,
        is_own: args.isolation == Isolation::Subprocess,
        tls_flag: Some("--serverappio-tls, --appio-ssl-certfile"),
        tls: flags.serverappio_tls || tls.is_some(),
        plaintext: flags.allow_plaintext_appio,
        guard: guard(args),
    };
    let Place { address, warnings } = wanted.place(&launchers)?;
    let own = tls.as_ref().map(|tls| tls.tls().warnings());
    let warnings = warnings.into_iter().chain(own.unwrap_or_default());
    let serverappio = ServerAppIo {
        address,
        shares_tls: flags.serverappio_tls && tls.is_none(),
        tls,
        launchers,
        channel: channel(args),
    };
    Ok((serverappio, warnings.collect()))
}

/// ServerApps that go on at another SuperLink call over the balancer from the beginning: one of flwr 1.28 or
/// earlier shows its token once, and is known by that connection afterwards.
fn channel(args: &Args) -> AppChannel {
    match args.server.serverappio_advertise {
        Some(_) => AppChannel::Tcp,
        None => args.appio.app_channel,
    }
}

/// Where the ServerApps that the SuperLink starts reach other SuperLinks too. `way`: how its processes come by
/// their runs, if it starts them.
pub(super) fn advertised(
    args: &Args,
    serverappio: &ServerAppIo,
    way: Option<Way>,
) -> Result<Option<Address>, ConfigError> {
    let Some(given) = args.server.serverappio_advertise.as_deref() else {
        return Ok(None);
    };
    let advertised = address(ADVERTISE, given)?;
    match way {
        None => return Err(ConfigError::AdvertisedToNobody(advertised)),
        Some(Way::Tokenless) => return Err(ConfigError::AdvertisedTokenless(advertised)),
        Some(Way::Token) => {}
    }
    let tls = serverappio.tls.as_ref();
    let is_private = tls.is_some_and(|tls| tls.is_for(&advertised.host));
    match is_private || advertised.is_loopback() || args.appio.allow_plaintext_appio {
        true => Ok(Some(advertised)),
        false => Err(ConfigError::AdvertisedPlaintext(advertised)),
    }
}

/// The flag by which strangers are kept out of the federation.
fn guard(args: &Args) -> Option<&'static str> {
    let accounts = args.account_auth_config.is_some().then_some(accounts::FLAG);
    let keys = [
        (
            args.auth_list_public_keys.is_some(),
            "--auth-list-public-keys",
        ),
        (args.enable_supernode_auth, "--enable-supernode-auth"),
    ];
    let keys = keys.into_iter().find(|(is_given, _)| *is_given);
    accounts.or_else(|| keys.map(|(_, flag)| flag))
}
