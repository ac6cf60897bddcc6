//! The signature on every Fleet request (flwr 1.17 to 1.22 wire).
//!
//! Three headers prove that the caller holds a key, now: the public key as PEM text, the time as
//! ISO 8601 text, and an ECDSA signature over that text (SHA-256, DER). Checked in this order: the
//! headers are there, the key is allowed, the signature is the key's, the time is of now. The
//! body is not signed and a signature can be used again within the window: that is what TLS is
//! needed for.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use flwr_core::refusal::Refusal;
use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::RwLock;
use time::OffsetDateTime;

use crate::allow_list::AllowList;
use crate::from_file::FromFile;
use crate::key::{KeyError, PrivateKey, PublicKey};

mod timestamp;

/// The public key: PEM text, base64 on the wire as gRPC has it for `-bin` headers.
pub const PUBLIC_KEY_HEADER: &str = "flwr-public-key-bin";
/// The time of signing: ISO 8601 text with a UTC offset.
pub const TIMESTAMP_HEADER: &str = "flwr-timestamp";
/// The signature over the time's text: DER, base64 on the wire.
pub const SIGNATURE_HEADER: &str = "flwr-signature-bin";

/// Seconds that a signer's clock may be ahead of ours (flwr 1.22 wire).
const MAX_AHEAD: f64 = 5.0;
/// Seconds after which a signature is too old: 300, and as much again as for a fast clock.
const MAX_AGE: f64 = 305.0;
/// Longest timestamp and signature that are looked at; the longest good ones have 32 and 139.
const MAX_TEXT: usize = 256;
/// Parsed keys that are kept, of callers who proved them. They are forgotten all at once when there
/// are more, so that the holder of many keys cannot make the memory grow.
const MAX_CACHED: usize = 16_384;

/// The names of the three headers over gRPC, in the order of [`SignatureHeaders`].
const OVER_GRPC: [&str; 3] = [PUBLIC_KEY_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER];
/// The same over HTTP (flwr 1.40 and later).
const OVER_HTTP: [&str; 3] = ["flwr-public-key", TIMESTAMP_HEADER, "flwr-signature"];

/// The three headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// PEM text.
    pub public_key: Bytes,
    /// ISO 8601 text.
    pub timestamp: String,
    /// DER.
    pub signature: Bytes,
}

/// Checks signatures, with the keys it has seen at hand, and the last signature of each: a caller
/// may show the same one again while it is of now, and it is not computed twice.
#[derive(Debug)]
pub struct Verifier {
    /// None: every key may speak.
    allowed: Option<Arc<FromFile<AllowList>>>,
    seen: RwLock<HashMap<Bytes, Seen>>,
}

/// A caller who proved to hold a key.
#[derive(Debug, Clone)]
struct Seen {
    key: PublicKey,
    proof: Arc<Proof>,
}

/// A signature that was found good.
#[derive(Debug, PartialEq, Eq)]
struct Proof {
    timestamp: String,
    signature: Bytes,
}

/// Whether a request has a header of a signature: one that has none is of flwr 1.14 or earlier.
#[must_use]
pub fn is_signed(headers: &HeaderMap) -> bool {
    OVER_GRPC.iter().any(|name| headers.contains_key(*name))
}

/// Signs a request with the time of now.
///
/// # Errors
/// If the key cannot sign.
pub fn sign(key: &PrivateKey, now: OffsetDateTime) -> Result<SignatureHeaders, KeyError> {
    let timestamp = timestamp::write(now);
    let signature = Bytes::from(key.sign(timestamp.as_bytes())?);
    let public_key = Bytes::from(key.public_key().to_pem());
    Ok(SignatureHeaders {
        public_key,
        timestamp,
        signature,
    })
}

impl SignatureHeaders {
    /// Takes the headers from a request over gRPC.
    ///
    /// # Errors
    /// If one is not there, or is no base64.
    pub fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        Self::named(headers, OVER_GRPC)
    }

    /// Takes the headers from a request over HTTP.
    ///
    /// # Errors
    /// If one is not there, or is no base64.
    pub fn read_http(headers: &HeaderMap) -> Result<Self, Refusal> {
        Self::named(headers, OVER_HTTP)
    }

    fn named(headers: &HeaderMap, [key, time, signature]: [&str; 3]) -> Result<Self, Refusal> {
        let text = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.ok_or(Refusal::MissingSignature)
        };
        let binary = |name: &str| {
            let value = text(name)?.trim_end_matches('=');
            STANDARD_NO_PAD
                .decode(value)
                .map(Bytes::from)
                .map_err(|_| Refusal::MissingSignature)
        };
        Ok(Self {
            public_key: binary(key)?,
            timestamp: text(time)?.to_owned(),
            signature: binary(signature)?,
        })
    }

    /// Puts the headers on a request over gRPC, which writes binary headers without padding.
    pub fn write(&self, headers: &mut HeaderMap) {
        self.put(headers, OVER_GRPC, &STANDARD_NO_PAD);
    }

    /// Puts the headers on a request over HTTP, where the binary ones are padded.
    pub fn write_http(&self, headers: &mut HeaderMap) {
        self.put(headers, OVER_HTTP, &STANDARD);
    }

    fn put(
        &self,
        headers: &mut HeaderMap,
        [key, time, signature]: [&'static str; 3],
        base64: &GeneralPurpose,
    ) {
        let mut insert = |name: &'static str, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        };
        insert(key, &base64.encode(&self.public_key));
        insert(time, &self.timestamp);
        insert(signature, &base64.encode(&self.signature));
    }

    /// The headers as plain HTTP has them.
    #[must_use]
    pub fn to_http(&self) -> Vec<(HeaderName, String)> {
        vec![
            (
                HeaderName::from_static(PUBLIC_KEY_HEADER),
                STANDARD.encode(&self.public_key),
            ),
            (
                HeaderName::from_static(TIMESTAMP_HEADER),
                self.timestamp.clone(),
            ),
            (
                HeaderName::from_static(SIGNATURE_HEADER),
                STANDARD.encode(&self.signature),
            ),
        ]
    }
}

impl Verifier {
    /// Lets in the holders of these keys, or of any key.
    #[must_use]
    pub fn new(allowed: Option<Arc<FromFile<AllowList>>>) -> Self {
        Self {
            allowed,
            seen: RwLock::default(),
        }
    }

    /// Checks the headers of a request at `now`, and gives the key that the caller holds.
    ///
    /// # Errors
    /// The first reason not to let the caller in.
    pub fn verify(
        &self,
        headers: &SignatureHeaders,
        now: OffsetDateTime,
    ) -> Result<PublicKey, Refusal> {
        let (key, last) = self.allowed_key(&headers.public_key)?;
        let (text, signature) = (&headers.timestamp, &headers.signature);
        if text.len() > MAX_TEXT || signature.len() > MAX_TEXT {
            return Err(Refusal::InvalidSignature);
        }
        let is_known = last.is_some_and(|last| last.proves(headers));
        if !is_known {
            key.verify(text.as_bytes(), signature)
                .map_err(|_| Refusal::InvalidSignature)?;
            self.remember(headers, &key);
        }
        let made = timestamp::read(text).ok_or(Refusal::MalformedTimestamp)?;
        let age = (now - made).as_seconds_f64();
        if age > -MAX_AHEAD && age < MAX_AGE {
            Ok(key)
        } else {
            Err(Refusal::StaleTimestamp { age })
        }
    }

    /// The key in a header, if it may speak, and what its holder showed last.
    fn allowed_key(&self, pem: &Bytes) -> Result<(PublicKey, Option<Arc<Proof>>), Refusal> {
        let seen = self.seen.read().get(pem).cloned();
        let key = match seen {
            Some(Seen { key, proof }) => Ok((key, Some(proof))),
            None => PublicKey::from_pem(pem).map(|key| (key, None)),
        };
        match (key, &self.allowed) {
            (Ok((key, _)), Some(allowed)) if !allowed.now().contains(&key) => {
                Err(Refusal::UnknownKey)
            }
            (Ok(found), _) => Ok(found),
            // Whatever it is, it is not on the list.
            (Err(_), Some(_)) => Err(Refusal::UnknownKey),
            (Err(_), None) => Err(Refusal::MalformedKey),
        }
    }

    /// Keeps a key that its holder has proven. Only under the one text that its bytes have: a
    /// stranger could write the same key in endless ways.
    fn remember(&self, headers: &SignatureHeaders, key: &PublicKey) {
        let pem = &headers.public_key;
        let is_known = self.seen.read().contains_key(pem);
        if !is_known && key.to_pem().as_bytes() != pem {
            return;
        }
        let seen = Seen {
            key: key.clone(),
            proof: Arc::new(Proof {
                timestamp: headers.timestamp.clone(),
                // Copies: the header's bytes would keep the whole request alive.
                signature: Bytes::copy_from_slice(&headers.signature),
            }),
        };
        let mut all = self.seen.write();
        if let Some(known) = all.get_mut(pem) {
            *known = seen;
            return;
        }
        if all.len() >= MAX_CACHED {
            all.clear();
        }
        all.insert(Bytes::copy_from_slice(pem), seen);
    }
}

impl Proof {
    fn proves(&self, headers: &SignatureHeaders) -> bool {
        self.timestamp == headers.timestamp && self.signature == headers.signature
    }
}

#[cfg(test)]
mod tests;
