//! Join tokens, and what a node signs when it joins or renews its key.
//!
//! A token is a text without spaces: `fjt1_` and base64url without padding of
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | the token's id |
//! | 32 | the secret: random |
//! | 32 | the pin: SHA-256 of the SubjectPublicKeyInfo of the authority that the SuperLink's certificate comes from |
//! | 1 to 255 | where the node joins, HOST:PORT |
//! | 4 | the first bytes of the SHA-256 of all bytes before |
//!
//! The last bytes find a token that was cut or mistyped. They are no protection.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flwr_core::address::Address;
use rustls::{ConnectionCommon, ProtocolVersion};
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::key::PublicKey;

mod shown;

/// What each token begins with.
pub const PREFIX: &str = "fjt1_";

/// The label of the TLS exporter (RFC 5705) whose 32 bytes the statements contain. The exporter has no
/// context.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-flower-join";

const ID: usize = 8;
const SECRET: usize = 32;
const PIN: usize = 32;
const CHECK: usize = 4;
/// Bytes of the address at most.
pub const MAX_ADDRESS: usize = 255;

/// The keying material of a TLS 1.3 connection. Both ends have the same, and no other connection has it.
pub type Exported = [u8; 32];

/// The keying material of a TLS connection. `None`: the handshake is not done, or the version is older
/// than TLS 1.3. Older versions may give two connections the same material (RFC 9266, 1).
#[must_use]
pub fn exported<D>(session: &ConnectionCommon<D>) -> Option<Exported> {
    let is_of_1_3 = session.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let material = || session.export_keying_material([0; 32], EXPORTER_LABEL, None);
    is_of_1_3.then(material)?.ok()
}

/// The id of a join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JoinTokenId(pub [u8; ID]);

/// What proves the right to a token. The SuperLink keeps its hash only.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinSecret(Zeroizing<[u8; SECRET]>);

/// The SHA-256 of the SubjectPublicKeyInfo of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin(pub [u8; PIN]);

/// What a person gives a node so that it can join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// The token's id.
    pub id: JoinTokenId,
    /// Proves the right to it.
    pub secret: JoinSecret,
    /// The authority that the SuperLink's certificate comes from.
    pub pin: Pin,
    /// Where the node joins.
    pub address: Address,
}

/// Why a text is no join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidJoinToken {
    /// Something else.
    #[error(
        "it is no join token: `flwr supernode join-token new` prints those, which begin with `{PREFIX}`"
    )]
    Foreign,
    /// A token is a part of it.
    #[error("there is other text beside the join token: give the token alone")]
    Amid,
    /// A part of a token, or a token with other letters.
    #[error("the join token was cut or altered on its way: copy it again, whole")]
    Damaged,
}

/// No secret could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the system's random number generator failed")]
pub struct NoRandomness;

impl JoinTokenId {
    /// An id from bytes of a request. `None`: the length is not 8 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for JoinTokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for JoinTokenId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; ID];
        hex::decode_to_slice(text, &mut id)?;
        Ok(Self(id))
    }
}

impl JoinSecret {
    /// A secret from bytes of a request. `None`: the length is not 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.try_into().ok()?;
        Some(Self(Zeroizing::new(bytes)))
    }

    /// The secret itself, for the request that shows it.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &*self.0
    }

    /// What the SuperLink keeps of the secret. The secret is random: no salt is needed.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_slice()).into()
    }

    /// Whether this hash is the secret's. The time of the comparison tells nothing of the hash.
    #[must_use]
    pub fn has_hash(&self, hash: &[u8; 32]) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.hash(), hash).is_ok()
    }
}

/// The secret is not printed.
impl fmt::Debug for JoinSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinSecret")
    }
}

impl Pin {
    /// The pin of a SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn of_spki(spki: &[u8]) -> Self {
        Self(Sha256::digest(spki).into())
    }
}

impl JoinToken {
    /// A new token, with a random id and secret.
    ///
    /// # Errors
    /// If the system's random number generator fails.
    pub fn issue(pin: Pin, address: Address) -> Result<Self, NoRandomness> {
        let mut id = [0; ID];
        let mut secret = Zeroizing::new([0; SECRET]);
        aws_lc_rs::rand::fill(&mut id).map_err(|_| NoRandomness)?;
        aws_lc_rs::rand::fill(&mut *secret).map_err(|_| NoRandomness)?;
        Ok(Self {
            id: JoinTokenId(id),
            secret: JoinSecret(secret),
            pin,
            address,
        })
    }

    /// The text that a person copies to the node.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(ID + SECRET + PIN + MAX_ADDRESS + CHECK));
        bytes.extend_from_slice(&self.id.0);
        bytes.extend_from_slice(&*self.secret.0);
        bytes.extend_from_slice(&self.pin.0);
        bytes.extend_from_slice(self.address.to_string().as_bytes());
        let check = check(&bytes);
        bytes.extend_from_slice(&check);
        let mut text = Zeroizing::new(PREFIX.to_owned());
        text.push_str(&Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes)));
        text
    }

    /// Whether a text is meant as a token. It may be a damaged one.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        shown::bare(text).starts_with(PREFIX)
    }

    /// Whether a text has a token in it, or the beginning of one. The path of a file with such a name has
    /// none.
    #[must_use]
    pub fn is_in(text: &str) -> bool {
        shown::find(text).is_some()
    }

    /// A text for people, without the tokens in it.
    #[must_use]
    pub fn hide(text: &str) -> Cow<'_, str> {
        shown::hide(text)
    }
}

fn check(bytes: &[u8]) -> [u8; CHECK] {
    let hash = Sha256::digest(bytes);
    [hash[0], hash[1], hash[2], hash[3]]
}

impl FromStr for JoinToken {
    type Err = InvalidJoinToken;

    /// Reads a token. Space and quotes around the text do not count: files end with a newline.
    fn from_str(text: &str) -> Result<Self, InvalidJoinToken> {
        let Some(encoded) = shown::bare(text).strip_prefix(PREFIX) else {
            return Err(match Self::is_in(text) {
                true => InvalidJoinToken::Amid,
                false => InvalidJoinToken::Foreign,
            });
        };
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| InvalidJoinToken::Damaged)?;
        read(&bytes).ok_or(InvalidJoinToken::Damaged)
    }
}

fn read(bytes: &[u8]) -> Option<JoinToken> {
    let (content, told) = bytes.split_last_chunk::<CHECK>()?;
    if check(content) != *told {
        return None;
    }
    let (id, rest) = content.split_first_chunk::<ID>()?;
    let (secret, rest) = rest.split_first_chunk::<SECRET>()?;
    let (pin, address) = rest.split_first_chunk::<PIN>()?;
    let address = std::str::from_utf8(address).ok()?;
    (address.len() <= MAX_ADDRESS).then_some(())?;
    Some(JoinToken {
        id: JoinTokenId(*id),
        secret: JoinSecret(Zeroizing::new(*secret)),
        pin: Pin(*pin),
        address: address.parse().ok()?,
    })
}

/// What the key of a joining node signs. The statement holds for one connection, one token and one key.
#[must_use]
pub fn join_statement(exported: &Exported, token: JoinTokenId, key: &PublicKey) -> Vec<u8> {
    let mut statement = b"flower join 1\0".to_vec();
    statement.extend_from_slice(exported);
    statement.extend_from_slice(&token.0);
    statement.extend_from_slice(&key.to_spki());
    statement
}

/// What the old and the new key of a node sign. The statement holds for one connection and these keys.
#[must_use]
pub fn renew_key_statement(exported: &Exported, old: &PublicKey, new: &PublicKey) -> Vec<u8> {
    let mut statement = b"flower renew key 1\0".to_vec();
    statement.extend_from_slice(exported);
    // Hashes: where the first key ends and the second begins is beyond doubt.
    statement.extend_from_slice(&Pin::of_spki(&old.to_spki()).0);
    statement.extend_from_slice(&Pin::of_spki(&new.to_spki()).0);
    statement
}

#[cfg(test)]
mod tests;
