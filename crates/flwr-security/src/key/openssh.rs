//! The two OpenSSH forms of a key: the public line, and the private container.
//!
//! The container (`PROTOCOL.key` of OpenSSH) is `openssh-key-v1\0`, the names of cipher and KDF,
//! the KDF's options, the number of keys, the public blob, and a private part: a number twice
//! (the proof of a right passphrase), the key's type, curve, point and scalar, a comment, and
//! padding 1, 2, 3 … to the block size.
//!
//! We do not use the crate `ssh-key` 0.6: it reads scalars of full length only. OpenSSH drops
//! leading zeros, so the crate refuses one good key in 256.

use super::{Curve, KeyProblem, PublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const MAGIC: &[u8] = b"openssh-key-v1\0";
const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
/// Without a cipher, the private part is padded to blocks of 8 bytes.
const BLOCK: usize = 8;
/// Characters in a line of base64, as ssh-keygen writes them.
const LINE: usize = 70;

/// The content of a private container.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) curve: Curve,
    pub(super) point: Vec<u8>,
    /// The scalar: big endian, of the curve's full length.
    pub(super) scalar: Vec<u8>,
}

/// Reads `ecdsa-sha2-nistp384 AAAA… [comment]`.
pub(super) fn read_public(line: &str) -> Result<PublicKey, KeyProblem> {
    let mut words = line.split_ascii_whitespace();
    let (kind, blob) = (words.next().ok_or(KeyProblem::Empty)?, words.next());
    if line.starts_with("-----") {
        return Err(KeyProblem::NotPublic);
    }
    if ["ssh-", "sk-"].iter().any(|other| kind.starts_with(other)) {
        return Err(KeyProblem::NotEc);
    }
    let blob = STANDARD
        .decode(blob.unwrap_or_default())
        .map_err(|_| KeyProblem::NotPublic)?;
    let (curve, point) = read_blob(&mut Reader(&blob)).ok_or(KeyProblem::NotPublic)?;
    if kind != key_type(curve) {
        return Err(KeyProblem::NotPublic);
    }
    PublicKey::from_point(curve, point)
}

/// The key as OpenSSH transports it (RFC 5656, 3.1).
pub(super) fn public_blob(curve: Curve, point: &[u8]) -> Vec<u8> {
    let mut blob = Vec::new();
    put(&mut blob, key_type(curve).as_bytes());
    put(&mut blob, curve.ssh_name().as_bytes());
    put(&mut blob, point);
    blob
}

pub(super) const fn key_type(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "ecdsa-sha2-nistp256",
        Curve::P384 => "ecdsa-sha2-nistp384",
        Curve::P521 => "ecdsa-sha2-nistp521",
    }
}

/// Whether a text begins like a private container.
pub(super) fn is_private(text: &str) -> bool {
    text.starts_with(BEGIN)
}

/// Reads a private container with one key that is not encrypted.
pub(super) fn read_private(text: &str) -> Result<Pair, KeyProblem> {
    let body = text
        .strip_prefix(BEGIN)
        .and_then(|text| text.split_once(END));
    let (body, _) = body.ok_or(KeyProblem::NotPrivate)?;
    let base64: String = body.split_ascii_whitespace().collect();
    let container = STANDARD
        .decode(base64)
        .map_err(|_| KeyProblem::NotPrivate)?;
    let mut reader = Reader(
        container
            .strip_prefix(MAGIC)
            .ok_or(KeyProblem::NotPrivate)?,
    );
    let cipher = reader.string().ok_or(KeyProblem::Damaged)?;
    if cipher != b"none" {
        return Err(KeyProblem::Encrypted);
    }
    let part = (|| {
        let (_kdf, _options, keys) = (reader.string()?, reader.string()?, reader.number()?);
        let _public = reader.string()?;
        reader.string().filter(|_| keys == 1)
    })();
    read_private_part(part.ok_or(KeyProblem::Damaged)?)
}

fn read_private_part(part: &[u8]) -> Result<Pair, KeyProblem> {
    let mut reader = Reader(part);
    let checks = (reader.number(), reader.number());
    if checks.0.is_none() || checks.0 != checks.1 {
        return Err(KeyProblem::Damaged);
    }
    let kind = Reader(reader.0).string().ok_or(KeyProblem::Damaged)?;
    if !kind.starts_with(b"ecdsa-sha2-") {
        return Err(KeyProblem::NotEc);
    }
    let (curve, point) = read_blob(&mut reader).ok_or(KeyProblem::Damaged)?;
    let scalar = reader.string().ok_or(KeyProblem::Damaged)?;
    // A number, not a field: leading zeros are dropped, and one is put before a high bit.
    let digits = scalar
        .iter()
        .position(|digit| *digit != 0)
        .map_or(&[][..], |at| &scalar[at..]);
    let length = curve.scalar_bytes();
    let zeros = length
        .checked_sub(digits.len())
        .ok_or(KeyProblem::Damaged)?;
    let scalar = [&vec![0; zeros][..], digits].concat();
    Ok(Pair {
        curve,
        point: point.to_vec(),
        scalar,
    })
}

/// Writes a private container. `check` is any number.
pub(super) fn write_private(pair: &Pair, check: u32) -> String {
    let public = public_blob(pair.curve, &pair.point);
    let mut part = [check.to_be_bytes(), check.to_be_bytes()].concat();
    part.extend(&public);
    let digits = pair
        .scalar
        .iter()
        .position(|digit| *digit != 0)
        .unwrap_or(pair.scalar.len());
    let high_bit = pair
        .scalar
        .get(digits)
        .is_some_and(|digit| digit & 0x80 != 0);
    let sign = if high_bit { &[0][..] } else { &[] };
    put(&mut part, &[sign, &pair.scalar[digits..]].concat());
    put(&mut part, b"");
    part.extend((1..).take((BLOCK - part.len() % BLOCK) % BLOCK));

    let mut container = MAGIC.to_vec();
    for name in ["none", "none", ""] {
        put(&mut container, name.as_bytes());
    }
    container.extend(1_u32.to_be_bytes());
    put(&mut container, &public);
    put(&mut container, &part);
    let base64 = STANDARD.encode(container).into_bytes();
    let lines: Vec<_> = base64.chunks(LINE).map(String::from_utf8_lossy).collect();
    format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
}

fn read_blob<'a>(reader: &mut Reader<'a>) -> Option<(Curve, &'a [u8])> {
    let (kind, name, point) = (reader.string()?, reader.string()?, reader.string()?);
    let curve = Curve::ALL
        .into_iter()
        .find(|curve| curve.ssh_name().as_bytes() == name)?;
    (kind == key_type(curve).as_bytes()).then_some((curve, point))
}

fn put(buffer: &mut Vec<u8>, part: &[u8]) {
    // Names, points and containers are short: their length always fits.
    buffer.extend(u32::try_from(part.len()).unwrap_or_default().to_be_bytes());
    buffer.extend(part);
}

/// SSH's encoding of numbers and length-prefixed strings.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }
}
