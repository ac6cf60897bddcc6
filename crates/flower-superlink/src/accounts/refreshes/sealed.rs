//! What a provider gave for a token, closed for all but those who have that token: it stands in a database
//! for a minute, where other SuperLinks find it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};

use crate::accounts::oidc::Tokens;

/// Keeps this use of a token apart from others.
const USE: &[u8] = b"flower-superlink: what a refresh token gave";
/// Bytes of a nonce. They stand before what is sealed.
const NONCE: usize = 12;

/// The key that whoever has the old token can make.
fn key(old: &str) -> Result<RandomizedNonceKey, Unspecified> {
    let secret = Salt::new(HKDF_SHA256, &[]).extract(old.as_bytes());
    let mut key = [0; 32];
    secret.expand(&[USE], &AES_256_GCM)?.fill(&mut key)?;
    RandomizedNonceKey::new(&AES_256_GCM, &key)
}

/// Seals what the provider gave for the old token.
pub(super) fn seal(old: &str, given: &Tokens) -> Option<Vec<u8>> {
    let mut text = serde_json::to_vec(given).ok()?;
    let key = key(old).ok()?;
    let nonce = key.seal_in_place_append_tag(Aad::empty(), &mut text).ok()?;
    let mut sealed = nonce.as_ref().to_vec();
    sealed.extend(text);
    Some(sealed)
}

/// What was sealed for the old token. `None`: the bytes are of something else.
pub(super) fn open(old: &str, sealed: &[u8]) -> Option<Tokens> {
    let (nonce, text) = sealed.split_at_checked(NONCE)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut text = text.to_vec();
    let given = key(old)
        .ok()?
        .open_in_place(nonce, Aad::empty(), &mut text)
        .ok()?;
    serde_json::from_slice(given).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens {
            access_token: "access".to_owned(),
            id_token: None,
            refresh_token: Some("new".to_owned()),
        }
    }

    #[test]
    fn who_has_the_old_token_reads_what_it_gave() {
        let sealed = seal("old", &tokens()).unwrap();
        let opened = open("old", &sealed).unwrap();
        assert_eq!(opened.refresh_token.as_deref(), Some("new"));
        assert_eq!(opened.access_token, "access");
        let other = seal("old", &tokens()).unwrap();
        assert_ne!(sealed, other, "a nonce is used once");
    }

    #[test]
    fn nobody_else_reads_or_changes_it() {
        let mut sealed = seal("old", &tokens()).unwrap();
        assert!(!sealed.windows(3).any(|bytes| bytes == b"new"));
        assert!(open("other", &sealed).is_none());
        assert!(open("old", &sealed[..11]).is_none());
        assert!(open("old", &[]).is_none());
        if let Some(last) = sealed.last_mut() {
            *last ^= 1;
        }
        assert!(open("old", &sealed).is_none());
    }
}
