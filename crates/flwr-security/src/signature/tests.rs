//! Against a signature that flwr 1.22's own library made, and in every way it must say no.

use proptest::prelude::*;
use time::Duration;
use time::macros::datetime;

use super::*;

/// P-384, private number 0x1111…11 (32 bytes).
const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE2cZl+oNLlLYhhS8bxQj7JvnVy83d7I9C\ncFuVYMZeh82/k8Iri2lODydDGLWj3VZjdpKNprh7uaS3/0pF3APgUrmpvKbdEHeM\ngm4/ZDftYWv8hsJW0vIk6nDjhSc2BOS3\n-----END PUBLIC KEY-----\n";
const SIGNATURE: &str = "30660231009067452fe09d35f096b6940975e71d88f3e7d445ec0eaccc07f555eefac0c6bfd7ba7dc6d757cdfd125ecd4bc029ad7c023100a443ac3d64c75169178fbcda2f3366142e63744dc9de910c2358fad0397f29fbd152b18db562a8fa932131bb0d534c2e";
/// P-256, private number 0x2222…22.
const PEM_256: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1lqTl3yqPRsIGFL/V6eeRl8WYFdz\nBLrq1QXdOkhYnPNQGF6JU3LfYiHqOhN1V+Rz/dtnVfBb1QfDxTP86ckShQ==\n-----END PUBLIC KEY-----\n";
const SIGNATURE_256: &str = "304502210089a494de13fd0e700b94345ce7ed82f4b33d570a2ba0ce90880929ed33f22ce002203a2e058f619b6ae390de190623ea35a9a0b96200e443bc8ce164ae0e2beefb1c";
const TIMESTAMP: &str = "2025-09-16T06:13:20.250000+00:00";
const NOW: OffsetDateTime = datetime!(2025-09-16 06:13:20.25 UTC);

fn hex(text: &str) -> Bytes {
    let digits = (0..text.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn from_flwr() -> SignatureHeaders {
    SignatureHeaders {
        public_key: Bytes::from_static(PEM.as_bytes()),
        timestamp: TIMESTAMP.to_owned(),
        signature: hex(SIGNATURE),
    }
}

fn verify(headers: &SignatureHeaders, now: OffsetDateTime) -> Result<PublicKey, Refusal> {
    Verifier::new(None).verify(headers, now)
}

#[test]
fn signatures_made_by_flwr_are_good() {
    assert_eq!(verify(&from_flwr(), NOW).unwrap().to_pem(), PEM);
    let headers = SignatureHeaders {
        public_key: Bytes::from_static(PEM_256.as_bytes()),
        signature: hex(SIGNATURE_256),
        ..from_flwr()
    };
    assert_eq!(verify(&headers, NOW).unwrap().to_pem(), PEM_256);
}

#[test]
fn fresh_signatures_of_flwr_are_good_until_they_are_touched() {
    let vectors = include_str!("../../testdata/vectors/signatures.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 4);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap().to_owned();
        let mut headers = SignatureHeaders {
            public_key: Bytes::from(text("public_key")),
            timestamp: text("timestamp"),
            signature: hex(&text("signature")),
        };
        let now = timestamp::read(&headers.timestamp).unwrap();
        let key = verify(&headers, now).unwrap();
        assert_eq!(key.to_pem(), text("public_key"));
        headers.timestamp = headers.timestamp.replace("+00:00", "Z");
        assert_eq!(verify(&headers, now), Err(Refusal::InvalidSignature));
    }
}

#[test]
fn what_is_signed_here_is_good_after_its_way_over_the_wire() {
    let key = PrivateKey::generate().unwrap();
    for now in [NOW, datetime!(2026-01-02 03:04:05 UTC)] {
        let signed = sign(&key, now).unwrap();
        let mut headers = HeaderMap::new();
        signed.write(&mut headers);
        let read = SignatureHeaders::read(&headers).unwrap();
        assert_eq!(read, signed);
        assert_eq!(verify(&read, now).unwrap(), *key.public_key());
    }
}

#[test]
fn the_window_is_open_from_5_seconds_ahead_to_305_behind() {
    let age = |seconds: f64| verify(&from_flwr(), NOW + Duration::seconds_f64(seconds));
    for good in [-4.9, 0.0, 304.9] {
        assert!(age(good).is_ok(), "{good}");
    }
    for bad in [-5.0, -600.0, 305.0, 3600.0] {
        assert_eq!(age(bad), Err(Refusal::StaleTimestamp { age: bad }));
    }
}

#[test]
fn the_first_reason_counts() {
    let stale = NOW + Duration::HOUR;
    let other = PrivateKey::generate().unwrap();
    let foreign = SignatureHeaders {
        public_key: Bytes::from(other.public_key().to_pem()),
        ..from_flwr()
    };
    assert_eq!(verify(&foreign, stale), Err(Refusal::InvalidSignature));
    let other_time = SignatureHeaders {
        timestamp: TIMESTAMP.replace("20.25", "21.25"),
        ..from_flwr()
    };
    assert_eq!(verify(&other_time, NOW), Err(Refusal::InvalidSignature));
    let garbage = SignatureHeaders {
        public_key: Bytes::from_static(b"x"),
        ..from_flwr()
    };
    assert_eq!(verify(&garbage, NOW), Err(Refusal::MalformedKey));

    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("keys.csv");
    std::fs::write(&list, other.public_key().to_openssh()).unwrap();
    let list = Arc::new(FromFile::<AllowList>::load(&list).unwrap());
    let listed = Verifier::new(Some(list));
    assert_eq!(listed.verify(&garbage, stale), Err(Refusal::UnknownKey));
    assert_eq!(listed.verify(&from_flwr(), stale), Err(Refusal::UnknownKey));
    assert!(listed.verify(&sign(&other, NOW).unwrap(), NOW).is_ok());
}

#[test]
fn times_that_are_none_are_refused_though_they_are_signed() {
    let key = PrivateKey::generate().unwrap();
    for text in ["", "now", "2025-09-16", "2025-09-16T06:13:20.250000"] {
        let signature = Bytes::from(key.sign(text.as_bytes()).unwrap());
        let public_key = Bytes::from(key.public_key().to_pem());
        let headers = SignatureHeaders {
            public_key,
            timestamp: text.to_owned(),
            signature,
        };
        assert_eq!(
            verify(&headers, NOW),
            Err(Refusal::MalformedTimestamp),
            "{text:?}"
        );
    }
}

#[test]
fn only_proven_keys_are_kept_and_only_in_one_form() {
    let verifier = Verifier::new(None);
    let kept = || verifier.seen.read().len();
    let unproven = SignatureHeaders {
        signature: Bytes::new(),
        ..from_flwr()
    };
    assert!(verifier.verify(&unproven, NOW).is_err());
    let padded = SignatureHeaders {
        public_key: Bytes::from(format!("hello\n{PEM}")),
        ..from_flwr()
    };
    assert!(verifier.verify(&padded, NOW).is_ok());
    assert_eq!(kept(), 0);
    for _ in 0..2 {
        assert!(verifier.verify(&from_flwr(), NOW).is_ok());
        assert_eq!(kept(), 1);
    }
}

#[test]
fn every_header_is_needed() {
    for (missing, _) in from_flwr().to_http() {
        let mut headers = HeaderMap::new();
        for (name, value) in from_flwr().to_http() {
            headers.insert(name, value.parse().unwrap());
        }
        assert!(SignatureHeaders::read(&headers).is_ok());
        headers.remove(&missing);
        assert_eq!(
            SignatureHeaders::read(&headers),
            Err(Refusal::MissingSignature)
        );
    }
}

proptest! {
    #[test]
    fn no_headers_make_the_check_panic(key in any::<Vec<u8>>(), timestamp in any::<String>(), signature in any::<Vec<u8>>()) {
        let (public_key, signature) = (Bytes::from(key), Bytes::from(signature));
        let headers = SignatureHeaders { public_key, timestamp, signature };
        prop_assert!(verify(&headers, NOW).is_err());
    }

    #[test]
    fn no_signed_text_makes_the_check_panic(text in "\\PC*") {
        let key = PrivateKey::generate().unwrap();
        let signature = Bytes::from(key.sign(text.as_bytes()).unwrap());
        let public_key = Bytes::from(key.public_key().to_pem());
        let headers = SignatureHeaders { public_key, timestamp: text, signature };
        prop_assert!(verify(&headers, NOW).is_err());
    }

    #[test]
    fn no_signature_makes_the_check_panic(signature in any::<Vec<u8>>()) {
        let headers = SignatureHeaders { signature: signature.into(), ..from_flwr() };
        prop_assert_eq!(verify(&headers, NOW), Err(Refusal::InvalidSignature));
    }
}

#[test]
fn a_signature_shown_again_is_good_as_long_as_it_is_of_now_and_untouched() {
    let verifier = Verifier::new(None);
    let good = from_flwr();
    for seconds in [0, 10, 304] {
        let now = NOW + Duration::seconds(seconds);
        assert!(verifier.verify(&good, now).is_ok(), "{seconds}");
    }
    let later = NOW + Duration::seconds(306);
    let stale = verifier.verify(&good, later);
    assert!(matches!(stale, Err(Refusal::StaleTimestamp { .. })));

    let other_time = SignatureHeaders {
        timestamp: TIMESTAMP.replace("20.25", "21.25"),
        ..good.clone()
    };
    let mut other_signature = good.clone();
    other_signature.signature = hex(SIGNATURE_256);
    for touched in [other_time, other_signature] {
        assert_eq!(
            verifier.verify(&touched, NOW),
            Err(Refusal::InvalidSignature)
        );
    }
    assert!(verifier.verify(&good, NOW).is_ok());
}

#[test]
fn the_memory_for_keys_and_the_texts_that_are_looked_at_are_bounded() {
    let verifier = Verifier::new(None);
    verifier.verify(&from_flwr(), NOW).unwrap();
    let seen = verifier.seen.read().values().next().cloned().unwrap();
    let mut all = verifier.seen.write();
    for number in 0_u32.. {
        if all.len() == MAX_CACHED {
            break;
        }
        all.insert(Bytes::copy_from_slice(&number.to_le_bytes()), seen.clone());
    }
    drop(all);
    let other = SignatureHeaders {
        public_key: Bytes::from_static(PEM_256.as_bytes()),
        signature: hex(SIGNATURE_256),
        ..from_flwr()
    };
    verifier.verify(&other, NOW).unwrap();
    assert_eq!(verifier.seen.read().len(), 1, "all others are forgotten");

    let key = PrivateKey::generate().unwrap();
    for (length, expected) in [
        (MAX_TEXT, Refusal::MalformedTimestamp),
        (MAX_TEXT + 1, Refusal::InvalidSignature),
    ] {
        let timestamp = "2".repeat(length);
        let headers = SignatureHeaders {
            public_key: Bytes::from(key.public_key().to_pem()),
            signature: key.sign(timestamp.as_bytes()).unwrap().into(),
            timestamp,
        };
        assert_eq!(verify(&headers, NOW), Err(expected), "{length}");
    }
}
