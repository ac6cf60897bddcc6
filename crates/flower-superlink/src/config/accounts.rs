//! Who may speak Control: the flag about accounts.

use std::sync::Arc;

use flwr_daemon::clock::SystemClock;

use super::{ConfigError, Transport};
use crate::accounts::Accounts;
use crate::args::Args;

pub(super) const FLAG: &str = "--account-auth-config";

/// The accounts, if people sign in.
pub(super) fn accounts(
    args: &Args,
    transport: &Transport,
) -> Result<Option<Arc<Accounts>>, ConfigError> {
    let Some(file) = &args.account_auth_config else {
        return Ok(None);
    };
    if matches!(transport, Transport::Plaintext) {
        return Err(ConfigError::AccountsWithoutTls);
    }
    if args.serverappio_tls && args.ssl_client_ca_certfile.is_none() {
        return Err(ConfigError::RunsWithoutAccount);
    }
    let accounts = Accounts::load(file, Arc::new(SystemClock));
    Ok(Some(Arc::new(accounts.map_err(ConfigError::Accounts)?)))
}
