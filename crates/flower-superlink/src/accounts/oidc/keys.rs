//! The public keys of a provider (RFC 7517).

use std::collections::HashMap;
use std::fmt;

use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// More than any provider has; a token without a key id is tried with each.
const MOST: usize = 100;

/// The published keys that may sign tokens. Unknown and damaged ones are left out, as RFC 7517
/// (section 5) wants, and so are secrets: a key that was published is none.
#[derive(Default)]
pub struct Keys(HashMap<Option<String>, Vec<Key>>);

struct Key {
    /// The only algorithm that it is for, if that is said.
    only: Option<Algorithm>,
    key: DecodingKey,
}

impl Keys {
    /// Reads a key set.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(text)?;
        let mut keys = Self::default();
        for (id, key) in set.keys.into_iter().filter_map(read).take(MOST) {
            keys.0.entry(id).or_default().push(key);
        }
        Ok(keys)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys that may have signed a token: the one with its key id, or, where it has none, any.
    pub(super) fn candidates(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &DecodingKey> {
        let named = id.and_then(|id| self.0.get(&Some(id.to_owned())));
        let any = id.is_none().then(|| self.0.values().flatten());
        let keys = named.into_iter().flatten().chain(any.into_iter().flatten());
        keys.filter(move |key| key.is_for(algorithm))
            .map(|key| &key.key)
    }
}

impl Key {
    fn is_for(&self, algorithm: Algorithm) -> bool {
        self.key.family() == algorithm.family() && self.only.is_none_or(|only| only == algorithm)
    }
}

fn read(value: Value) -> Option<(Option<String>, Key)> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let common = &jwk.common;
    if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let only = match common.key_algorithm {
        None => None,
        Some(KeyAlgorithm::UNKNOWN_ALGORITHM) => return None,
        Some(named) => Some(Algorithm::try_from(named).ok()?),
    };
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    (key.family() != AlgorithmFamily::Hmac).then_some((jwk.common.key_id, Key { only, key }))
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.len())
    }
}
