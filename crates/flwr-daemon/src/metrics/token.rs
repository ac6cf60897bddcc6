//! The token of whoever reads the page of numbers.

use std::error::Error as StdError;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use flwr_security::from_file::{FromFile, Readable};
use http::header::{AUTHORIZATION, HeaderMap};
use thiserror::Error;

use crate::renew::Renewable;

/// Characters of a token that nobody guesses: 16 bytes from `openssl rand -base64 16` have 24.
const SHORTEST: usize = 16;
/// Bytes of the file. A header of a request has no more.
const LONGEST: u64 = 4096;

/// The token that the page asks for.
pub struct MetricsToken(String);

/// Why a token is not usable.
#[derive(Debug, Error)]
pub enum MetricsTokenError {
    /// The file cannot be read.
    #[error("{path}: cannot be read as text")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It has no token in one line.
    #[error(
        "{0}: the token must be one line of {SHORTEST} to {LONGEST} letters, digits and signs, without spaces: `openssl rand -base64 32` makes one"
    )]
    Form(PathBuf),
}

impl fmt::Debug for MetricsToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsToken")
    }
}

impl Readable for MetricsToken {
    type Error = MetricsTokenError;

    fn from_file(path: &Path) -> Result<Self, MetricsTokenError> {
        let wrong = || MetricsTokenError::Form(path.to_owned());
        let unreadable = |source| MetricsTokenError::Read {
            path: path.to_owned(),
            source,
        };
        let length = fs::metadata(path).map_err(unreadable)?.len();
        if length > LONGEST {
            return Err(wrong());
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let token = text.trim();
        let is_token = token.len() >= SHORTEST && token.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then(|| Self(token.to_owned())).ok_or_else(wrong)
    }
}

impl MetricsToken {
    /// Whether a request with these headers shows the token.
    #[must_use]
    pub fn is_shown(&self, headers: &HeaderMap) -> bool {
        let header = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        let token = header.and_then(|value| {
            let (scheme, token) = value.split_at_checked("Bearer ".len())?;
            scheme
                .eq_ignore_ascii_case(b"Bearer ")
                .then(|| token.trim_ascii())
        });
        token.is_some_and(|token| verify_slices_are_equal(token, self.0.as_bytes()).is_ok())
    }
}

impl Renewable for FromFile<MetricsToken> {
    fn paths(&self) -> Vec<PathBuf> {
        vec![self.path().to_owned()]
    }

    fn renew(&self) -> Result<String, Box<dyn StdError + Send + Sync>> {
        self.reload()?;
        Ok("the token".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_one_line_that_nobody_guesses() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for (text, is_token) in [
            ("0123456789abcdef", true),
            ("  0123456789abcdef\n", true),
            ("short", false),
            ("0123456789abcdef two", false),
            ("0123456789abcdef\n0123456789abcdef", false),
            ("0123456789abcdefä", false),
            ("", false),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(MetricsToken::from_file(&path).is_ok(), is_token, "{text:?}");
        }
        fs::write(&path, "a".repeat(5000)).unwrap();
        let error = MetricsToken::from_file(&path).unwrap_err();
        assert!(error.to_string().contains("openssl rand"), "{error}");
        let nowhere = MetricsToken::from_file(&dir.path().join("nowhere"));
        assert!(matches!(nowhere, Err(MetricsTokenError::Read { .. })));
    }

    #[test]
    fn the_token_alone_is_let_in() {
        let token = MetricsToken("0123456789abcdef".to_owned());
        for (header, is_shown) in [
            (Some("Bearer 0123456789abcdef"), true),
            (Some("bearer 0123456789abcdef"), true),
            (Some("Bearer 0123456789abcdeg"), false),
            (Some("Bearer 0123456789abcde"), false),
            (Some("Basic 0123456789abcdef"), false),
            (Some("Bearer"), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(AUTHORIZATION, HeaderValue::from_static(header));
            }
            assert_eq!(token.is_shown(&headers), is_shown, "{header:?}");
        }
    }
}
