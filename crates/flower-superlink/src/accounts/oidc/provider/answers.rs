//! Parses the provider's answers, within limits of size.

use std::fmt;

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::super::web::{Answer, Url};
use super::super::{Error, Keys};

/// What discovery tells.
#[derive(Debug, Deserialize)]
pub(super) struct Facts {
    pub(super) issuer: String,
    #[serde(deserialize_with = "url")]
    pub(super) jwks_uri: Url,
    #[serde(deserialize_with = "url")]
    pub(super) token_endpoint: Url,
    /// RFC 8628, section 4.
    #[serde(default, deserialize_with = "maybe_url")]
    pub(super) device_authorization_endpoint: Option<Url>,
}

/// A login that has begun (RFC 8628, section 3.2).
#[derive(Clone, Deserialize)]
pub struct Begun {
    /// What the login is asked for by.
    pub device_code: String,
    /// What the user types.
    pub user_code: String,
    /// Where.
    #[serde(alias = "verification_url")] // Google's name
    pub verification_uri: String,
    /// The same place, with the code in it.
    #[serde(default)]
    pub verification_uri_complete: Option<String>,
    /// Seconds that the login may take.
    pub expires_in: f64,
    /// Seconds between two questions.
    #[serde(default = "five")]
    pub interval: f64,
}

const fn five() -> f64 {
    5.0
}

/// What a login or a refresh gives.
#[derive(Clone, Deserialize, Serialize)]
pub struct Tokens {
    /// For resources; not always for us, and not always one that can be read.
    pub access_token: String,
    /// About the user, for us.
    #[serde(default)]
    pub id_token: Option<String>,
    /// For the next tokens.
    #[serde(default)]
    pub refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct No {
    error: String,
}

/// An answer that must be a `T`.
pub(super) fn json<T: DeserializeOwned>(url: &Url, answer: &Answer) -> Result<T, Error> {
    if answer.status != StatusCode::OK {
        return Err(Error::Status {
            url: url.clone(),
            status: answer.status,
        });
    }
    // serde's text quotes keys and kinds, and may quote a value: only where it stands is told.
    serde_json::from_slice(&answer.body).map_err(|error| Error::Answer {
        url: url.clone(),
        problem: match error.classify() {
            serde_json::error::Category::Data => "a field is missing, or is of another kind",
            _ => "it is no JSON",
        }
        .to_owned(),
    })
}

/// A key set with something in it.
pub(super) fn keys(url: &Url, answer: &Answer) -> Result<Keys, Error> {
    let _: serde::de::IgnoredAny = json(url, answer)?;
    let wrong = |problem: &str| Error::Answer {
        url: url.clone(),
        problem: problem.to_owned(),
    };
    let keys = Keys::parse(&answer.body).map_err(|_| wrong("it is no set of keys"))?;
    if keys.is_empty() {
        return Err(wrong("there is no key in it that signs tokens"));
    }
    Ok(keys)
}

/// A `T`, or what OAuth calls the reason for none.
pub(super) fn json_or_no<T: DeserializeOwned>(
    url: &Url,
    answer: &Answer,
) -> Result<Result<T, String>, Error> {
    if answer.status.is_client_error()
        && let Ok(no) = serde_json::from_slice::<No>(&answer.body)
    {
        let word = no.error.chars().filter(|c| c.is_ascii_graphic()).take(60);
        return Ok(Err(word.collect()));
    }
    json(url, answer).map(Ok)
}

fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn maybe_url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let url = text.map(|text| text.parse().map_err(serde::de::Error::custom));
    url.transpose()
}

/// Who has the code has the login: it is not printed.
impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Begun({})", self.verification_uri)
    }
}

/// Tokens are not printed.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}
