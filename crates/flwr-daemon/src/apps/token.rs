//! Tokens of app processes. A token proves for which run or message the daemon started the process.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use parking_lot::Mutex;

/// Random bytes in a token (flwr 1.22 wire: 256 hex digits).
const TOKEN_BYTES: usize = 128;

/// 128 random bytes as 256 lowercase hex digits. Compared in constant time, never shown in logs.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A new token from the system's randomness. `None` if the system has no randomness.
    #[must_use]
    pub fn random() -> Option<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).ok()?;
        Some(Self(hex::encode(bytes)))
    }

    /// The digits, for the process' command line or the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `shown` is this token. Takes the same time for every text of the right length.
    #[must_use]
    pub fn is(&self, shown: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), shown.as_bytes()).is_ok()
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The valid tokens, each with its subject.
///
/// A list that each look-up reads to its end: there are as many tokens as running apps, and the
/// time of a look-up tells nothing about them.
#[derive(Debug)]
pub struct Tokens<T>(Mutex<Vec<(Token, T)>>);

impl<T> Default for Tokens<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T: Clone> Tokens<T> {
    /// No tokens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a token for `subject`. `None` if the system has no randomness.
    pub fn issue(&self, subject: T) -> Option<Token> {
        let token = Token::random()?;
        self.0.lock().push((token.clone(), subject));
        Some(token)
    }

    /// The subject of the shown token.
    pub fn find(&self, shown: &str) -> Option<T> {
        let tokens = self.0.lock();
        let mut found = None;
        for (token, subject) in tokens.iter() {
            if token.is(shown) {
                found = Some(subject.clone());
            }
        }
        found
    }

    /// Makes the shown token invalid, and gives its subject.
    pub fn revoke(&self, shown: &str) -> Option<T> {
        let mut tokens = self.0.lock();
        let at = tokens.iter().position(|(token, _)| token.is(shown))?;
        Some(tokens.swap_remove(at).1)
    }

    /// Makes every token invalid whose subject is `over`.
    pub fn revoke_where(&self, over: impl Fn(&T) -> bool) {
        self.0.lock().retain(|(_, subject)| !over(subject));
    }

    /// Whether a token exists whose subject fits.
    pub fn any(&self, fits: impl Fn(&T) -> bool) -> bool {
        self.0.lock().iter().any(|(_, subject)| fits(subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_256_hex_digits_that_no_log_shows() {
        let token = Token::random().unwrap();
        assert_eq!(token.as_str().len(), 256);
        assert!(
            token
                .as_str()
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_ne!(token, Token::random().unwrap());
    }

    #[test]
    fn a_token_stands_for_its_subject_until_it_is_revoked() {
        let tokens = Tokens::new();
        let first = tokens.issue(1).unwrap();
        let second = tokens.issue(2).unwrap();
        assert_eq!(tokens.find(first.as_str()), Some(1));
        assert_eq!(tokens.find(second.as_str()), Some(2));
        assert_eq!(tokens.find(""), None);
        assert_eq!(tokens.find(&first.as_str().to_uppercase()), None);
        assert_eq!(tokens.revoke(first.as_str()), Some(1));
        assert_eq!(tokens.revoke(first.as_str()), None);
        assert_eq!(tokens.find(first.as_str()), None);
        assert!(tokens.any(|subject| *subject == 2));
        tokens.revoke_where(|subject| *subject == 2);
        assert_eq!(tokens.find(second.as_str()), None);
    }
}
