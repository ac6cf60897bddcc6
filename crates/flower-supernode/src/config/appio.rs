//! Where ClientAppIo listens, and who may start ClientApps.

use flwr_core::address::Address;
use flwr_daemon::appio::{Launchers, Place, Wanted};

use super::{Error, PRIVATE_KEY, address};
use crate::args::{Args, Isolation};
use crate::enrolment::Enrolment;

const FLAG: &str = "--clientappio-api-address";
/// Flower's port (flwr 1.22).
const PORT: u16 = 9094;

/// The address, who may start ClientApps, and what the operator should know of both.
pub(super) fn appio(
    args: &Args,
    enrolment: &Enrolment,
) -> Result<(Address, Launchers, Vec<String>), Error> {
    let networks = args.appio_allow_from.clone();
    let launchers = Launchers::load(args.superexec_auth_secret_file.as_deref(), networks)?;
    let given = args.clientappio_api_address.as_deref();
    let given = given.map(|text| address(FLAG, text)).transpose()?;
    let guard = match enrolment {
        _ if args.auth_supernode_private_key.is_some() => Some(PRIVATE_KEY),
        Enrolment::None => None,
        Enrolment::Joined(_) | Enrolment::Joining(_) => Some("--join"),
    };
    let wanted = Wanted {
        api: "ClientAppIo",
        flag: FLAG,
        given,
        port: PORT,
        is_own: args.isolation == Isolation::Subprocess,
        tls_flag: None,
        tls: false,
        plaintext: args.allow_plaintext_appio,
        guard,
    };
    let Place { address, warnings } = wanted.place(&launchers)?;
    Ok((address, launchers, warnings))
}
