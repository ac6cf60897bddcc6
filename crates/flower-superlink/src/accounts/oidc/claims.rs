//! The claims of a token: the account of its holder.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What a verified token says of its holder.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Claims {
    /// Who issued it. A text on purpose: lists of issuers are no issuer.
    pub(super) iss: String,
    /// The account. It never changes hands.
    pub sub: String,
    /// The end, in Unix seconds.
    pub(super) exp: f64,
    /// The beginning, if that is not now.
    pub(super) nbf: Option<f64>,
    /// All the rest, of whatever kind the provider makes it.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Claims {
    /// A name for people and logs; it may change, and may be anybody's.
    #[must_use]
    pub fn name(&self) -> &str {
        let names = ["preferred_username", "email"];
        let mut names = names.iter().filter_map(|name| self.text(name));
        names.next().unwrap_or(&self.sub)
    }

    /// The e-mail address, if the provider has verified it.
    #[must_use]
    pub fn verified_email(&self) -> Option<&str> {
        let verified = match self.rest.get("email_verified")? {
            Value::Bool(verified) => *verified,
            // As Amazon Cognito has it.
            Value::String(word) => word == "true",
            _ => false,
        };
        self.text("email").filter(|_| verified)
    }

    /// The words of a claim that is a list of them, such as `groups`.
    pub fn words<'a>(&'a self, claim: &str) -> impl Iterator<Item = &'a str> {
        let list = self.rest.get(claim).and_then(Value::as_array);
        let one = self.text(claim);
        let list = list.into_iter().flatten().filter_map(Value::as_str);
        list.chain(one)
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.rest
            .get(claim)?
            .as_str()
            .filter(|text| !text.is_empty())
    }

    /// The end, in whole Unix seconds.
    #[must_use]
    pub const fn expires_at(&self) -> f64 {
        self.exp
    }
}
