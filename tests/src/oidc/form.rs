//! What a client sends: `application/x-www-form-urlencoded`, read as a provider does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{CLIENT, SECRET};

/// What a client sent.
pub(super) struct Form {
    fields: Vec<(String, String)>,
    /// Whether the client has shown its secret.
    pub(super) has_secret: bool,
}

impl Form {
    pub(super) fn read(authorization: Option<&str>, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let fields = text.split('&').filter_map(|field| field.split_once('='));
        let fields = fields.map(|(name, value)| (name.to_owned(), decoded(value)));
        let pair = authorization
            .and_then(|text| text.strip_prefix("Basic "))
            .and_then(|text| STANDARD.decode(text).ok())
            .and_then(|pair| String::from_utf8(pair).ok());
        let has_secret = pair.is_some_and(|pair| {
            pair.split_once(':')
                .is_some_and(|(id, secret)| decoded(id) == CLIENT && decoded(secret) == SECRET)
        });
        Self {
            fields: fields.collect(),
            has_secret,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        let field = self.fields.iter().find(|(known, _)| known == name);
        field.map(|(_, value)| value.clone())
    }

    /// Whether it names no client, or another.
    pub(super) fn is_stranger(&self) -> bool {
        self.get("client_id").as_deref() != Some(CLIENT)
    }
}

/// A value of a form, as it was before it was encoded.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                let digits = String::from_utf8_lossy(&digits).into_owned();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
