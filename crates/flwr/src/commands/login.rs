//! `flwr login` and `flwr logout`, for SuperLinks with accounts.
//!
//! The SuperLink asks the OpenID provider for a login link. The user opens the link in a browser.
//! Meanwhile `flwr` polls the SuperLink for the tokens.

use std::time::Duration;

use flwr_core::monotonic;
use tokio::time::{Instant, sleep};
use tonic::Code;

use crate::account::{self, OIDC, Tokens};
use crate::cli::{LoginArgs, LogoutArgs};
use crate::connect::{LOGIN, SuperLink};
use crate::error::{Error, Result};
use crate::render::{Output, printable};

/// The minimum polling interval, also if the SuperLink asks for a shorter one.
const SHORTEST: u64 = 1;

pub(super) async fn login(args: &LoginArgs, output: &mut Output) -> Result<()> {
    let chosen = super::federation_of(&args.target, output)?;
    let federation = &chosen.federation;
    if !federation.enable_user_auth {
        return Err(Error::LoginNotAsked(federation.name.clone()));
    }
    let mut superlink = SuperLink::connect(&chosen, LOGIN)?;
    let details = match superlink.login_details().await {
        Err(status) if status.code() == Code::Unimplemented => return Err(Error::NoAccounts),
        details => details?,
    };
    if details.auth_type != OIDC {
        return Err(Error::UnknownLogin(printable(&details.auth_type)));
    }
    output.say(&format!(
        "Please login with your user credentials here: {}",
        printable(&details.verification_uri_complete)
    ))?;
    let seconds = |given: i64| u64::try_from(given).unwrap_or(0);
    let pause = Duration::from_secs(seconds(details.interval).max(SHORTEST));
    let deadline = monotonic::now() + Duration::from_secs(seconds(details.expires_in));
    let busy = output.busy("Waiting for the login");
    let tokens = wait(&mut superlink, &details.device_code, pause, deadline).await;
    busy.finish_and_clear();
    account::keep(&chosen.credentials(), &tokens?)?;
    output.success("✅ Login successful.")
}

/// Polls until there are tokens.
async fn wait(
    superlink: &mut SuperLink,
    device_code: &str,
    pause: Duration,
    deadline: Instant,
) -> Result<Tokens> {
    while monotonic::now() < deadline {
        sleep(pause).await;
        let answer = superlink.auth_tokens(device_code.to_owned()).await?;
        if !answer.access_token.is_empty() && !answer.refresh_token.is_empty() {
            return Ok(Tokens::new(answer.access_token, answer.refresh_token));
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
