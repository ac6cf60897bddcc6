//! `flwr login` and `flwr logout`, for SuperLinks with accounts.
//!
//! The SuperLink asks the OpenID provider for a login link. The user opens the link in a browser.
//! Meanwhile `flwr` polls the SuperLink for the tokens.

use std::time::Duration;

use flwr_core::monotonic;
use flwr_core::port::SignIn;
use flwr_core::port::control::Tokens;
use tokio::time::{Instant, sleep};

use crate::account::{self, OIDC};
use crate::cli::{LoginArgs, LogoutArgs};
use crate::connect::{LOGIN, SuperLink};
use crate::error::{Error, Result};
use crate::render::{Output, printable};

/// What a SuperLink of flwr 1.26 and later without accounts answers.
const NO_LOGIN: &str = "noop";
/// The longest wait for a login, also if the SuperLink allows more.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The minimum polling interval, also if the SuperLink asks for a shorter one.
const SHORTEST: Duration = Duration::from_secs(1);

pub(super) async fn login(args: &LoginArgs, output: &mut Output) -> Result<()> {
    let chosen = super::federation_of(&args.target, output)?;
    let federation = &chosen.federation;
    // Connections of flwr 1.26 and later do not say whether their SuperLink has accounts.
    let may_ask = federation.enable_user_auth || chosen.may_have_login();
    if !may_ask {
        return Err(Error::LoginNotAsked(federation.name.clone()));
    }
    let superlink = SuperLink::connect(&chosen, LOGIN)?;
    let login = match superlink.control.login().await {
        Err(failure) if super::is_not_offered(&failure) => return Err(Error::NoAccounts),
        login => login?,
    };
    if login.auth_type == NO_LOGIN {
        return Err(Error::NoAccounts);
    }
    if login.auth_type != OIDC {
        return Err(Error::UnknownLogin(printable(&login.auth_type)));
    }
    output.say(&format!(
        "Please login with your user credentials here: {}",
        printable(&login.place)
    ))?;
    let pause = login.interval.max(SHORTEST);
    let deadline = monotonic::now() + login.expires_in.min(LONGEST);
    let busy = output.busy("Waiting for the login");
    let tokens = wait(&superlink.control, &login.device_code, pause, deadline).await;
    busy.finish_and_clear();
    superlink.keep(&tokens?)?;
    output.success("✅ Login successful.")
}

/// Polls until there are tokens.
async fn wait(
    superlink: &impl SignIn,
    device_code: &str,
    pause: Duration,
    deadline: Instant,
) -> Result<Tokens> {
    while monotonic::now() < deadline {
        sleep(pause).await;
        if let Some(tokens) = superlink.tokens(device_code).await? {
            return Ok(tokens);
        }
    }
    Err(Error::LoginTimeout)
}

pub(super) fn logout(args: &LogoutArgs, output: &mut Output) -> Result<()> {
    let chosen = super::federation_of(&args.target, output)?;
    let name = &chosen.federation.name;
    if account::forget(&chosen.credentials())? {
        output.success(&format!("Logged out of federation `{name}`."))?;
        output.note(
            "The session at the provider of the accounts goes on; end it there if you want to.",
        );
        Ok(())
    } else {
        output.say(&format!("Nobody was logged in to federation `{name}`."))
    }
}
