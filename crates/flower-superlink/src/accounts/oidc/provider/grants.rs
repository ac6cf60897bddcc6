//! The three requests of a login: start a login (RFC 8628, section 3.1), poll its state (3.4), and
//! refresh tokens (RFC 6749, section 6).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use zeroize::Zeroizing;

use super::super::Error;
use super::super::web::{Url, Web, encoded};
use super::answers::{Begun, Tokens, json_or_no};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Who asks.
#[derive(Clone)]
pub struct Client {
    /// The id that the provider knows this client by.
    pub id: String,
    /// What proves it, if the provider gave it something.
    pub secret: Option<Zeroizing<String>>,
    /// What is asked for, with blanks between.
    pub scopes: String,
}

/// How a login stands.
#[derive(Clone, Debug)]
pub enum Poll {
    /// The user has not decided.
    Pending,
    /// The same, and the question came too early.
    SlowDown,
    /// It is done.
    Granted(Tokens),
    /// The user, or the provider, said no.
    Denied,
    /// It took too long, or was asked for before.
    Expired,
}

impl Client {
    /// RFC 6749, section 2.3.1: both parts are encoded as in a form.
    fn authorization(&self) -> Option<Zeroizing<String>> {
        let secret = self.secret.as_ref()?;
        let pair = Zeroizing::new(format!("{}:{}", encoded(&self.id), encoded(secret)));
        Some(Zeroizing::new(format!(
            "Basic {}",
            STANDARD.encode(pair.as_bytes())
        )))
    }

    /// Sends a form; a client without a secret names itself in it.
    async fn ask(
        &self,
        web: &Web,
        url: &Url,
        fields: &[(&str, &str)],
    ) -> Result<super::super::web::Answer, Error> {
        let authorization = self.authorization();
        let mut fields = fields.to_vec();
        if authorization.is_none() {
            fields.push(("client_id", &self.id));
        }
        let authorization = authorization.as_ref().map(|text| text.as_str());
        web.post(url, &fields, authorization).await
    }
}

pub(super) async fn begin(web: &Web, url: &Url, client: &Client) -> Result<Begun, Error> {
    let answer = client.ask(web, url, &[("scope", &client.scopes)]).await?;
    json_or_no(url, &answer)?.map_err(Error::Refused)
}

pub(super) async fn poll(
    web: &Web,
    url: &Url,
    client: &Client,
    device_code: &str,
) -> Result<Poll, Error> {
    let fields = [("grant_type", DEVICE_GRANT), ("device_code", device_code)];
    let answer = client.ask(web, url, &fields).await?;
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        return Ok(Poll::SlowDown);
    }
    match json_or_no(url, &answer)? {
        Ok(tokens) => Ok(Poll::Granted(tokens)),
        Err(word) => match word.as_str() {
            "authorization_pending" => Ok(Poll::Pending),
            "slow_down" => Ok(Poll::SlowDown),
            "access_denied" => Ok(Poll::Denied),
            "expired_token" | "invalid_grant" => Ok(Poll::Expired),
            _ => Err(Error::Refused(word)),
        },
    }
}

pub(super) async fn refresh(
    web: &Web,
    url: &Url,
    client: &Client,
    refresh_token: &str,
) -> Result<Tokens, Error> {
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ];
    let answer = client.ask(web, url, &fields).await?;
    json_or_no(url, &answer)?.map_err(Error::Refused)
}

/// The secret is not printed.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.id)
    }
}
