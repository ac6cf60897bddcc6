//! The shared secret of `flower-superexec` (flwr 1.29 and later), which proves that it may start the
//! processes of apps.
//!
//! Four headers prove that the caller holds the secret, now: the time in Unix seconds, a nonce, the
//! SHA-256 of the body, and an HMAC-SHA256 over the method, the time, the nonce and that hash. The
//! key of the HMAC is made from the secret.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use http::HeaderMap;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use thiserror::Error;

const TIME_HEADER: &str = "flwr-superexec-ts";
const NONCE_HEADER: &str = "flwr-superexec-nonce";
const BODY_HEADER: &str = "flwr-superexec-body-sha256";
const SIGNATURE_HEADER: &str = "flwr-superexec-signature";

/// What the key is made for (flwr 1.29 to 1.42 wire).
const PURPOSE: &[u8] = b"superexec-auth-v1";
/// Seconds that the caller's clock may be ahead of ours (flwr 1.42 wire).
const MAX_AHEAD: f64 = 5.0;
/// Seconds after which a call is too old (flwr 1.42 wire).
const MAX_AGE: f64 = 305.0;
/// Hexadecimal digits of a nonce.
const NONCE_DIGITS: usize = 32;
/// Nonces that are remembered. Only holders of the secret can add one; a superexec calls once a
/// second.
const MAX_NONCES: usize = 65_536;
/// Bytes of a secret, at the least. A short one can be guessed from a call that was overheard.
const MIN_SECRET: usize = 16;

/// Why a secret cannot be used.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The secret is too short.
    #[error(
        "{} holds {length} bytes: a secret of {MIN_SECRET} or more is needed, such as `openssl rand -hex 32` makes",
        path.display()
    )]
    Short {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        length: usize,
    },
}

/// The four headers of a call. `None` where one is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuperexecHeaders {
    time: String,
    nonce: String,
    body: String,
    signature: String,
}

impl SuperexecHeaders {
    /// Takes the headers from a call.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let text = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
        Some(Self {
            time: text(TIME_HEADER)?,
            nonce: text(NONCE_HEADER)?,
            body: text(BODY_HEADER)?,
            signature: text(SIGNATURE_HEADER)?,
        })
    }

    fn signed(&self, method: &str) -> String {
        let Self {
            time, nonce, body, ..
        } = self;
        format!("method={method}\nts={time}\nnonce={nonce}\nbody_sha256={body}")
    }
}

/// Checks the calls of those who hold the secret. Each call counts once.
pub struct SuperexecSecret {
    key: hmac::Key,
    nonces: Mutex<Nonces>,
}

#[derive(Default)]
struct Nonces {
    seen: HashSet<String>,
    /// With the time of each, in the order of their arrival.
    order: VecDeque<(f64, String)>,
}

impl SuperexecSecret {
    /// The secret in a file. All its bytes count, a line's end too.
    ///
    /// # Errors
    /// If the file cannot be read, or the secret is too short.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let read = std::fs::read(path);
        let secret = read.map_err(|source| SecretError::Read {
            path: path.to_owned(),
            source,
        })?;
        if secret.len() < MIN_SECRET {
            return Err(SecretError::Short {
                path: path.to_owned(),
                length: secret.len(),
            });
        }
        Ok(Self::of(&secret))
    }

    fn of(secret: &[u8]) -> Self {
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), PURPOSE);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
            nonces: Mutex::default(),
        }
    }

    /// Checks a call of `method`, a path, with these headers and this body.
    ///
    /// # Errors
    /// The first reason not to let the caller in.
    pub fn verify(
        &self,
        headers: &SuperexecHeaders,
        method: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let wrong = |why| Refusal::LauncherNotProven(why);
        if headers.nonce.len() != NONCE_DIGITS || headers.body != hex::encode(Sha256::digest(body))
        {
            return Err(wrong("its headers are not those of its body"));
        }
        let signature = hex::decode(&headers.signature).unwrap_or_default();
        hmac::verify(&self.key, headers.signed(method).as_bytes(), &signature)
            .map_err(|_| wrong("its secret is another"))?;
        let made: u64 = headers.time.parse().map_err(|_| wrong("it has no time"))?;
        // Seconds of our century are exact in a float.
        let age = now.as_secs() - made as f64;
        if !(-MAX_AHEAD..=MAX_AGE).contains(&age) {
            return Err(wrong("its time is not of now: set the clocks"));
        }
        if !self.nonces.lock().take(&headers.nonce, now.as_secs()) {
            return Err(wrong("it came before"));
        }
        Ok(())
    }
}

impl Nonces {
    /// Whether the nonce is new. It counts as seen for as long as its call could come again.
    fn take(&mut self, nonce: &str, now: f64) -> bool {
        let over = |seen: &f64| now - seen > MAX_AHEAD + MAX_AGE;
        while let Some((at, _)) = self.order.front()
            && (over(at) || self.order.len() >= MAX_NONCES)
        {
            if let Some((_, nonce)) = self.order.pop_front() {
                self.seen.remove(&nonce);
            }
        }
        if !self.seen.insert(nonce.to_owned()) {
            return false;
        }
        self.order.push_back((now, nonce.to_owned()));
        true
    }
}

/// The secret is not shown.
impl fmt::Debug for SuperexecSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SuperexecSecret")
    }
}

/// Signs a call as a superexec does, for tests.
#[cfg(any(test, feature = "testing"))]
#[must_use]
pub fn sign(secret: &[u8], method: &str, body: &[u8], time: u64, nonce: &str) -> HeaderMap {
    let mut headers = SuperexecHeaders {
        time: time.to_string(),
        nonce: nonce.to_owned(),
        body: hex::encode(Sha256::digest(body)),
        signature: String::new(),
    };
    let key = SuperexecSecret::of(secret).key;
    headers.signature = hex::encode(hmac::sign(&key, headers.signed(method).as_bytes()));
    let pairs = [
        (TIME_HEADER, headers.time),
        (NONCE_HEADER, headers.nonce),
        (BODY_HEADER, headers.body),
        (SIGNATURE_HEADER, headers.signature),
    ];
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        if let Ok(value) = value.parse() {
            map.insert(name, value);
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"my-master-secret";
    const METHOD: &str = "/flwr.proto.Runtime/AcquireTask";
    const NONCE: &str = "00112233445566778899aabbccddeeff";
    const TIME: u64 = 1_750_000_000;
    const NOW: Timestamp = Timestamp::from_secs(1_750_000_000.0);
    /// `AcquireTask` for "flwr-serverapp".
    const BODY: &[u8] = b"\x0a\x0eflwr-serverapp";

    fn headers(body: &[u8], time: u64, nonce: &str) -> SuperexecHeaders {
        SuperexecHeaders::read(&sign(SECRET, METHOD, body, time, nonce)).unwrap()
    }

    #[test]
    fn a_call_is_signed_as_flwr_1_42_signs_it() {
        let headers = headers(BODY, TIME, NONCE);
        let signature = "1924943a065955e4d4c9867f81c011bf5a2479159920a657ad31ceba27a955ed";
        assert_eq!(headers.signature, signature);
        let secret = SuperexecSecret::of(SECRET);
        assert_eq!(secret.verify(&headers, METHOD, BODY, NOW), Ok(()));
    }

    #[test]
    fn a_call_counts_once_and_while_it_is_of_now() {
        let secret = SuperexecSecret::of(SECRET);
        let verify = |time: u64, nonce: &str| {
            let headers = headers(BODY, time, nonce);
            secret.verify(&headers, METHOD, BODY, NOW).is_ok()
        };
        assert!(verify(TIME, NONCE));
        assert!(!verify(TIME, NONCE), "it came before");
        let nonce = |of: u32| format!("{of:032x}");
        assert!(verify(TIME - 305, &nonce(1)) && verify(TIME + 5, &nonce(2)));
        assert!(!verify(TIME - 306, &nonce(3)) && !verify(TIME + 6, &nonce(4)));
        assert!(!verify(TIME, "short"));
    }

    #[test]
    fn a_nonce_is_remembered_for_as_long_as_its_call_could_come_again() {
        let mut nonces = Nonces::default();
        assert!(nonces.take("a", 0.0));
        assert!(!nonces.take("a", 310.0));
        assert!(nonces.take("a", 311.0));
        assert_eq!((nonces.seen.len(), nonces.order.len()), (1, 1));
    }

    #[test]
    fn another_method_body_or_secret_is_refused() {
        let good = headers(BODY, TIME, NONCE);
        let secret = SuperexecSecret::of(SECRET);
        let other = SuperexecSecret::of(b"another secret that is long");
        for (secret, method, body) in [
            (&secret, "/flwr.proto.ServerAppIo/RequestToken", BODY),
            (&secret, METHOD, b"other".as_slice()),
            (&other, METHOD, BODY),
        ] {
            let refused = secret.verify(&good, method, body, NOW);
            assert!(matches!(refused, Err(Refusal::LauncherNotProven(_))));
        }
        let mut lacks = sign(SECRET, METHOD, BODY, TIME, NONCE);
        lacks.remove(NONCE_HEADER);
        assert_eq!(SuperexecHeaders::read(&lacks), None);
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "short").unwrap();
        let refused = SuperexecSecret::from_file(&path).unwrap_err().to_string();
        assert!(refused.contains("5 bytes"), "{refused}");
        std::fs::write(&path, "a secret that is long enough").unwrap();
        let secret = SuperexecSecret::from_file(&path).unwrap();
        assert_eq!(format!("{secret:?}"), "SuperexecSecret");
        std::fs::remove_file(&path).unwrap();
        assert!(SuperexecSecret::from_file(&path).is_err());
    }
}
