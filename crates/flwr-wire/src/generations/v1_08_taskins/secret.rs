//! Authentication of SuperNodes of flwr 1.9 to 1.14. A SuperNode and the SuperLink derive a shared
//! secret from their EC keys (ECDH, then HKDF with SHA-256). Each request carries an HMAC by it.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::{hkdf, hmac};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use parking_lot::Mutex;

use flwr_security::allow_list::AllowList;
use flwr_security::key::{PrivateKey, PublicKey};

/// The header with a public key: of the node in requests, of the SuperLink in the first answer.
pub const PUBLIC_KEY_HEADER: &str = "public-key";
/// The header with the HMAC of a request.
pub const TOKEN_HEADER: &str = "auth-token";

/// URL-safe and padded, as Python's `urlsafe_b64encode` (flwr 1.12 wire); read without padding too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What two keys have agreed on.
pub(super) struct SharedSecret(hmac::Key);

impl SharedSecret {
    /// The secret between a key of ours and one of theirs; `None` if they are of two curves.
    #[must_use]
    pub(super) fn between(ours: &PrivateKey, theirs: &PublicKey) -> Option<Self> {
        let agreed = ours.agree(theirs)?;
        let mut key = [0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
            .extract(&agreed)
            .expand(&[], hkdf::HKDF_SHA256)
            .and_then(|expanded| expanded.fill(&mut key))
            .ok()?;
        // The text is the key, not the bytes that it stands for.
        let text = BASE64.encode(key);
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())))
    }

    /// Whether the token is the HMAC of this request.
    #[must_use]
    pub(super) fn verifies(&self, request: &[u8], token: &[u8]) -> bool {
        hmac::verify(&self.0, request, token).is_ok()
    }
}

/// The secrets between the SuperLink's key and those on a list, each made once: it takes a
/// multiplication on the curve, which anybody who knows a key on the list could ask for with each
/// request.
#[derive(Debug, Default)]
pub(super) struct Secrets(Mutex<HashMap<PublicKey, Arc<SharedSecret>>>);

impl Secrets {
    /// The secret with a key that is on the list; `None` if it is of another curve than ours.
    pub(super) fn between(
        &self,
        ours: &PrivateKey,
        theirs: &PublicKey,
        allowed: &AllowList,
    ) -> Option<Arc<SharedSecret>> {
        if let Some(made) = self.0.lock().get(theirs) {
            return Some(Arc::clone(made));
        }
        let secret = Arc::new(SharedSecret::between(ours, theirs)?);
        let mut made = self.0.lock();
        made.insert(theirs.clone(), Arc::clone(&secret));
        if made.len() > allowed.len() {
            made.retain(|key, _| allowed.contains(key));
        }
        Some(secret)
    }
}

/// A public key as it travels.
#[must_use]
pub fn public_key_text(key: &PublicKey) -> String {
    BASE64.encode(key.to_pem())
}

/// The public key of a request; `None` if there is none, or it is damaged.
#[must_use]
pub(super) fn public_key(headers: &HeaderMap) -> Option<PublicKey> {
    PublicKey::from_pem(&decoded(headers, PUBLIC_KEY_HEADER)?).ok()
}

/// The HMAC of a request.
#[must_use]
pub(super) fn token(headers: &HeaderMap) -> Option<Vec<u8>> {
    decoded(headers, TOKEN_HEADER)
}

fn decoded(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    BASE64.decode(headers.get(name)?.as_bytes()).ok()
}

impl std::fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use p384::pkcs8::EncodePrivateKey;

    use super::*;

    /// The keys with the numbers 0x1111… and 0x2222…, of 32 bytes each, on P-384: what flwr 1.12.0
    /// and 1.8.0 made of them (`compute_hmac`, `generate_shared_key`).
    fn key(byte: u8) -> PrivateKey {
        let mut scalar = [0; 48];
        scalar[16..].fill(byte);
        let secret = p384::SecretKey::from_slice(&scalar).unwrap();
        let pem = secret.to_pkcs8_pem(Default::default()).unwrap();
        PrivateKey::parse(&pem).unwrap()
    }

    const NODE_HEADER: &str = "LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0KTUhZd0VBWUhLb1pJemowQ0FRWUZLNEVFQUNJRFlnQUUyY1psK29OTGxMWWhoUzhieFFqN0p2blZ5ODNkN0k5QwpjRnVWWU1aZWg4Mi9rOElyaTJsT0R5ZERHTFdqM1ZaamRwS05wcmg3dWFTMy8wcEYzQVBnVXJtcHZLYmRFSGVNCmdtNC9aRGZ0WVd2OGhzSlcwdklrNm5EamhTYzJCT1MzCi0tLS0tRU5EIFBVQkxJQyBLRVktLS0tLQo=";
    const TOKENS: [(&str, &str); 6] = [
        (
            "0a0a089582a6efc79e849111",
            "ekYKvrgzaJI2e7FIWrXjkUpzXJ6AftS6Q86KV8kOoGU=",
        ),
        (
            "0a0a089582a6efc79e849111110000000000003e40",
            "DbXAUup3PJvz3IaZiruUiqX3RcnhhCSVe7gAuxKs5Tc=",
        ),
        (
            "0a0a089582a6efc79e8491111007",
            "AQFdOenfDHR-6JHdDWQr4bZ25AN-n0GYQRGWOYQFk-k=",
        ),
        (
            "0a0a089582a6efc79e84911112026162",
            "U2XWlsxaC_xrcHx5ORpkFzfdKpwtBTLDcL4D7wpkpYE=",
        ),
        (
            "0a0a08aa84ccde8fbd88a222",
            "tL9lXMMJNYV8p3CXecDecAWokxzmBBzvUVC8pBG-W2w=",
        ),
        ("0a020809", "lCeX93s3uwgSXBjRQXEqbIRa7HGnedP7W0lO5P7QLa0="),
    ];

    #[test]
    fn both_sides_have_the_secret_of_flwr() {
        let (node, superlink) = (key(0x11), key(0x22));
        let sides = [
            SharedSecret::between(&superlink, node.public_key()).unwrap(),
            SharedSecret::between(&node, superlink.public_key()).unwrap(),
        ];
        for (request, token) in TOKENS {
            let request = hex::decode(request).unwrap();
            let token = BASE64.decode(token).unwrap();
            for side in &sides {
                assert!(side.verifies(&request, &token));
                assert!(!side.verifies(&request[1..], &token));
                assert!(!side.verifies(&request, &token[1..]));
            }
        }
    }

    #[test]
    fn keys_travel_as_flwr_has_them() {
        let node = key(0x11);
        assert_eq!(public_key_text(node.public_key()), NODE_HEADER);
        let mut headers = HeaderMap::new();
        assert!(public_key(&headers).is_none());
        headers.insert(PUBLIC_KEY_HEADER, NODE_HEADER.parse().unwrap());
        assert_eq!(public_key(&headers).as_ref(), Some(node.public_key()));
        headers.insert(PUBLIC_KEY_HEADER, "rubbish".parse().unwrap());
        assert!(public_key(&headers).is_none());
    }

    #[test]
    fn keys_of_two_curves_agree_on_nothing() {
        let p256 = include_str!("../../../../flwr-security/testdata/p256");
        let p256 = PrivateKey::parse(p256).unwrap();
        assert!(SharedSecret::between(&p256, key(0x11).public_key()).is_none());
        assert!(SharedSecret::between(&p256, p256.public_key()).is_some());
    }

    #[test]
    fn a_secret_is_made_once_and_goes_with_its_key() {
        let list = |key: &PrivateKey| {
            let line = key.public_key().to_openssh();
            AllowList::parse(line.as_bytes(), "keys.csv".as_ref()).unwrap()
        };
        let (secrets, ours) = (Secrets::default(), key(0x22));
        let between =
            |theirs: &PrivateKey| secrets.between(&ours, theirs.public_key(), &list(theirs));
        let (one, other) = (key(0x11), key(0x33));
        let made = between(&one).unwrap();
        let again = between(&one).unwrap();
        assert!(Arc::ptr_eq(&made, &again));
        assert!(between(&other).is_some());
        let kept = secrets.0.lock();
        assert!(kept.contains_key(other.public_key()) && !kept.contains_key(one.public_key()));
    }
}
