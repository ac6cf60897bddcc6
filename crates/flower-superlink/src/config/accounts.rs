//! Who may speak Control: the flag about accounts.

use std::env;
use std::sync::Arc;

use flwr_client::channel::{Proxies, Traffic};
use flwr_daemon::clock::FollowingClock;

use super::{ConfigError, Transport};
use crate::accounts::Accounts;
use crate::args::Args;

pub(super) const FLAG: &str = "--account-auth-config";

/// The accounts, if people sign in, and what the operator should know of their provider.
pub(super) fn accounts(
    args: &Args,
    transport: &Transport,
    clock: &Arc<FollowingClock>,
) -> Result<(Option<Arc<Accounts>>, Vec<String>), ConfigError> {
    let variable = |name: &str| env::var(name).ok();
    let proxies = Proxies::new(args.proxy.as_ref(), Traffic::Https, variable)?;
    let Some(file) = &args.account_auth_config else {
        let idle = args.proxy.is_some().then(|| {
            "--proxy is of use with --account-auth-config only: a SuperLink makes no connections but to the login provider".to_owned()
        });
        return Ok((None, idle.into_iter().collect()));
    };
    if matches!(transport, Transport::Plaintext) {
        return Err(ConfigError::AccountsWithoutTls);
    }
    let asks =
        args.ssl_client_ca_certfile.is_some() || args.ssl_control_client_ca_certfile.is_some();
    if args.appio.serverappio_tls && !asks {
        return Err(ConfigError::RunsWithoutAccount);
    }
    let accounts = Accounts::load(file, proxies, Arc::<FollowingClock>::clone(clock));
    let accounts = accounts.map_err(ConfigError::Accounts)?;
    let told = accounts.proxy_warning().into_iter();
    let told = told.chain(accounts.secret_warning()).collect();
    Ok((Some(Arc::new(accounts)), told))
}
