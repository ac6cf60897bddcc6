//! Tokens that are refused, each for its reason.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::*;
use crate::accounts::fake::{Key, unsigned, with_secret};

mod provider;

const ISSUER: &str = "https://idp.example.org/";
/// Nothing here is of today.
const NOW: i64 = 1_758_000_000;

fn rules() -> Rules {
    Rules {
        issuer: ISSUER.to_owned(),
        audience: vec!["flower".to_owned(), "flower-api".to_owned()],
    }
}

fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "alice-1", "aud": "flower", "exp": NOW + 60})
}

/// The claims with another value for one of them; none at all for null.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

/// The keys of a provider, and what it publishes.
struct Ring {
    rsa: Key,
    ec: Key,
    keys: Keys,
}

impl Ring {
    fn new() -> Self {
        let (rsa, ec) = (Key::rsa("rsa"), Key::ec("ec"));
        let keys = keys(&[rsa.jwk(), ec.jwk()]);
        Self { rsa, ec, keys }
    }

    fn verify(&self, token: &str) -> Result<Verdict, Refused> {
        let now = OffsetDateTime::from_unix_timestamp(NOW).unwrap();
        verify(token, &self.keys, &rules(), now)
    }

    #[track_caller]
    fn refuses(&self, token: &str, why: &Refused) {
        assert_eq!(self.verify(token).as_ref(), Err(why));
    }
}

fn keys(keys: &[Value]) -> Keys {
    Keys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

#[test]
fn a_token_of_each_kind_of_key_is_good() {
    let ring = Ring::new();
    for key in [&ring.rsa, &ring.ec] {
        let Ok(Verdict::Good(claims)) = ring.verify(&key.sign(&claims())) else {
            panic!("refused");
        };
        assert_eq!((claims.sub.as_str(), claims.name()), ("alice-1", "alice-1"));
    }
    for claims in [
        with("aud", json!(["other", "flower-api"])),
        // As some providers write numbers.
        with("exp", json!(NOW as f64 + 60.5)),
        with("nbf", json!(NOW)),
        with("nbf", json!(NOW + 29)),
        with("groups", json!(null)),
        with("preferred_username", json!(7)),
    ] {
        let verdict = ring.verify(&ring.rsa.sign(&claims));
        assert!(matches!(verdict, Ok(Verdict::Good(_))), "{claims}");
    }
    // A token that does not name its key may be of any.
    let token = ring.ec.sign_as(&json!({"alg": "ES256"}), &claims());
    assert!(ring.verify(&token).is_ok());
}

#[test]
fn a_token_that_no_call_carries_is_not_looked_at() {
    let ring = Ring::new();
    let token = ring.ec.sign(&with("groups", json!(["g".repeat(11_000)])));
    assert!(token.len() < 16 << 10, "{}", token.len());
    assert!(ring.verify(&token).is_ok());
    let token = ring.ec.sign(&with("groups", json!(["g".repeat(13_000)])));
    assert!(token.len() > 16 << 10, "{}", token.len());
    ring.refuses(&token, &Refused::Malformed);
}

#[test]
fn an_expired_token_is_told_apart_from_one_that_never_was_good() {
    let ring = Ring::new();
    for (exp, good) in [(0, true), (-29, true), (-30, false), (-1_000_000, false)] {
        let token = ring.rsa.sign(&with("exp", json!(NOW + exp)));
        match ring.verify(&token) {
            Ok(Verdict::Good(_)) => assert!(good, "{exp}"),
            Ok(Verdict::Expired(claims)) => {
                assert!(!good, "{exp}");
                assert_eq!(claims.sub, "alice-1");
            }
            Err(refused) => panic!("{exp}: {refused}"),
        }
    }
    let mut stale = with("exp", json!(NOW - 1000));
    stale["aud"] = json!("other");
    ring.refuses(&ring.rsa.sign(&stale), &Refused::Audience);
}

#[test]
fn claims_that_are_not_for_here_are_refused() {
    let ring = Ring::new();
    for (name, value, why) in [
        ("nbf", json!(NOW + 31), Refused::Early),
        ("iss", json!("https://idp.example.org"), Refused::Issuer),
        ("iss", json!([ISSUER]), Refused::Claims),
        ("iss", json!(null), Refused::Claims),
        ("aud", json!("Flower"), Refused::Audience),
        ("aud", json!(["account"]), Refused::Audience),
        ("aud", json!([]), Refused::Audience),
        ("aud", json!(null), Refused::Claims),
        ("sub", json!(null), Refused::Claims),
        ("sub", json!(""), Refused::Claims),
        ("sub", json!(7), Refused::Claims),
        ("exp", json!(null), Refused::Claims),
        ("exp", json!("2100-01-01"), Refused::Claims),
        ("nbf", json!("now"), Refused::Claims),
    ] {
        let token = ring.rsa.sign(&with(name, value.clone()));
        assert_eq!(ring.verify(&token), Err(why), "{name}: {value}");
    }
}

#[test]
fn tokens_that_nobody_of_the_set_has_signed_are_refused() {
    let ring = Ring::new();
    let claims = claims();
    for token in ["", ".", "..", "a.b.c", "opaque-token-of-some-provider"] {
        ring.refuses(token, &Refused::Malformed);
    }
    for algorithm in ["none", "None", "NONE", "", "RS1", "ES256K"] {
        let header = json!({"alg": algorithm, "kid": "rsa"});
        for token in [
            format!("{}.", unsigned(&header, &claims)),
            ring.rsa.sign_as(&header, &claims),
        ] {
            ring.refuses(&token, &Refused::Malformed);
        }
    }
    // The public key as a secret: both as it is published and as its text.
    let public = ring.rsa.jwk().to_string();
    for secret in [public.as_bytes(), b"", b"flower"] {
        let header = json!({"alg": "HS256", "kid": "rsa"});
        ring.refuses(&with_secret(secret, &header, &claims), &Refused::Algorithm);
        // The same, by a header that lies about it.
        let token = with_secret(secret, &ring.rsa.header(), &claims);
        ring.refuses(&token, &Refused::Signature);
    }
    ring.refuses(&Key::rsa("rsa").sign(&claims), &Refused::Signature);
    ring.refuses(&Key::rsa("stranger").sign(&claims), &Refused::UnknownKey);
    let unnamed = Key::rsa("any").sign_as(&json!({"alg": "RS256"}), &claims);
    ring.refuses(&unnamed, &Refused::UnknownKey);
    // A key is for its own algorithm.
    let other = json!({"alg": "RS512", "kid": "rsa"});
    ring.refuses(&ring.rsa.sign_as(&other, &claims), &Refused::UnknownKey);
    let other = json!({"alg": "ES256", "kid": "rsa"});
    ring.refuses(&ring.rsa.sign_as(&other, &claims), &Refused::UnknownKey);
    let mut critical = ring.rsa.header();
    critical["crit"] = json!(["b64"]);
    critical["b64"] = json!(false);
    ring.refuses(&ring.rsa.sign_as(&critical, &claims), &Refused::Algorithm);
    ring.refuses(&"x".repeat(1 << 20), &Refused::Malformed);
}

#[test]
fn a_changed_token_is_refused() {
    let ring = Ring::new();
    let token = ring.rsa.sign(&claims());
    let admin = ring.rsa.sign(&with("sub", json!("root-1")));
    let part = |token: &str, at: usize| token.split('.').nth(at).unwrap().to_owned();
    let mixed = [part(&token, 0), part(&admin, 1), part(&token, 2)].join(".");
    ring.refuses(&mixed, &Refused::Signature);
    for at in (0..token.len()).step_by(17) {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(ring.verify(&changed).is_err(), "{at}");
    }
    let cut = &token[..token.len() - 40];
    assert!(ring.verify(cut).is_err());
}

#[test]
fn keys_that_do_not_sign_are_left_out() {
    let (signs, other) = (Key::rsa("signs"), Key::rsa("other"));
    let changed = |name: &str, value: Value| {
        let mut key = other.jwk();
        key[name] = value;
        key
    };
    let set = keys(&[
        signs.jwk(),
        changed("use", json!("enc")),
        changed("alg", json!("RSA-OAEP")),
        changed("alg", json!("none")),
        changed("n", json!("not base64!")),
        json!({"kty": "oct", "kid": "other", "k": "Zmxvd2Vy"}),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "x"}),
        json!("no key"),
    ]);
    assert_eq!(set.len(), 1);
    let ring = Ring {
        keys: set,
        rsa: other,
        ec: Key::ec("ec"),
    };
    ring.refuses(&ring.rsa.sign(&claims()), &Refused::UnknownKey);
    let header = json!({"alg": "HS256", "kid": "other"});
    ring.refuses(
        &with_secret(b"flower", &header, &claims()),
        &Refused::Algorithm,
    );
    assert!(ring.verify(&signs.sign(&claims())).is_ok());
    assert!(Keys::parse(b"[]").is_err() && Keys::parse(b"{}").is_err());
}

#[test]
fn what_a_token_says_of_its_holder_is_read_as_providers_write_it() {
    let read = |rest: Value| {
        let mut all = claims();
        for (name, value) in rest.as_object().unwrap() {
            all[name] = value.clone();
        }
        serde_json::from_value::<Claims>(all).unwrap()
    };
    let claims = read(json!({
        "preferred_username": "alice", "email": "a@example.org", "email_verified": true,
        "groups": ["one", 2, "three"], "role": "admin",
    }));
    assert_eq!(claims.name(), "alice");
    assert_eq!(claims.verified_email(), Some("a@example.org"));
    assert_eq!(claims.words("groups").collect::<Vec<_>>(), ["one", "three"]);
    assert_eq!(claims.words("role").collect::<Vec<_>>(), ["admin"]);
    assert_eq!(claims.words("none").count(), 0);
    for (verified, is) in [
        (json!("true"), true),
        (json!(false), false),
        (json!("false"), false),
        (json!(1), false),
    ] {
        let claims = read(json!({"email": "a@example.org", "email_verified": verified}));
        assert_eq!(claims.verified_email().is_some(), is, "{verified}");
    }
    assert_eq!(
        read(json!({"email": "a@example.org"})).verified_email(),
        None
    );
}
