//! Where ServerAppIo listens, and who may start ServerApps.

use flwr_core::address::Address;
use flwr_daemon::appio::{Launchers, Place, Wanted};

use super::{ConfigError, accounts, address};
use crate::args::{Args, Isolation};

const FLAG: &str = "--serverappio-api-address";
/// Flower's port.
const PORT: u16 = 9091;

/// The address, who may start ServerApps, and what the operator should know of both.
pub(super) fn appio(args: &Args) -> Result<(Address, Launchers, Vec<String>), ConfigError> {
    let networks = args.appio_allow_from.clone();
    let launchers = Launchers::load(args.superexec_auth_secret_file.as_deref(), networks)?;
    let given = args.serverappio_api_address.as_deref();
    let given = given.map(|text| address(FLAG, text)).transpose()?;
    let wanted = Wanted {
        api: "ServerAppIo",
        flag: FLAG,
        given,
        port: PORT,
        is_own: args.isolation == Isolation::Subprocess,
        tls_flag: Some("--serverappio-tls"),
        tls: args.serverappio_tls,
        plaintext: args.allow_plaintext_appio,
        guard: guard(args),
    };
    let Place { address, warnings } = wanted.place(&launchers)?;
    Ok((address, launchers, warnings))
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
