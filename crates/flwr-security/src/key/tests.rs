//! Against keys that `ssh-keygen`, OpenSSL and Flower's library made.

use proptest::prelude::*;

use super::*;

/// P-384, private number 0x1111…11 (32 bytes), in the forms of flwr 1.22's library.
const OPENSSH: &str = "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBNnGZfqDS5S2IYUvG8UI+yb51cvN3eyPQnBblWDGXofNv5PCK4tpTg8nQxi1o91WY3aSjaa4e7mkt/9KRdwD4FK5qbym3RB3jIJuP2Q37WFr/IbCVtLyJOpw44UnNgTktw==";
const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE2cZl+oNLlLYhhS8bxQj7JvnVy83d7I9C\ncFuVYMZeh82/k8Iri2lODydDGLWj3VZjdpKNprh7uaS3/0pF3APgUrmpvKbdEHeM\ngm4/ZDftYWv8hsJW0vIk6nDjhSc2BOS3\n-----END PUBLIC KEY-----\n";

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

#[test]
fn a_public_key_is_the_same_in_both_forms() {
    let key = PublicKey::from_openssh(OPENSSH).unwrap();
    assert_eq!(key, PublicKey::from_pem(PEM.as_bytes()).unwrap());
    assert_eq!(key.to_pem(), PEM);
    assert_eq!(key.to_openssh(), OPENSSH);
}

#[test]
fn keys_from_ssh_keygen_and_openssl_sign_for_their_public_half() {
    let files = [
        "p384",
        "p256",
        "p384-short",
        "p384-sec1.pem",
        "p384-pkcs8.pem",
        "p256-sec1.pem",
        "p521",
        "p521-pkcs8.pem",
        "p521-sec1.pem",
    ];
    for name in files {
        let key = PrivateKey::from_file(&testdata(name)).unwrap();
        let public = PublicKey::from_file(&testdata(&format!("{name}.pub"))).unwrap();
        assert_eq!(*key.public_key(), public, "{name}");
        public
            .verify(b"a message", &key.sign(b"a message").unwrap())
            .unwrap();
        assert_eq!(
            public.verify(b"another", &key.sign(b"a message").unwrap()),
            Err(InvalidSignature)
        );
    }
}

#[test]
fn keys_on_p521_are_those_of_pythons_library_in_every_form() {
    let vectors = include_str!("../../testdata/vectors/p521.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 2);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let public = PublicKey::from_openssh(text("public_openssh")).unwrap();
        assert_eq!(public.to_openssh(), text("public_openssh"));
        assert_eq!(public.to_pem(), text("public_pem"));
        let message = text("message").as_bytes();
        let signature = hex::decode(text("signature")).unwrap();
        public.verify(message, &signature).unwrap();
        assert_eq!(public.verify(b"other", &signature), Err(InvalidSignature));
        let other = PublicKey::from_pem(text("other").as_bytes()).unwrap();
        for form in ["openssh", "pkcs8", "sec1"] {
            let key = PrivateKey::parse(text(form)).unwrap();
            assert_eq!(*key.public_key(), public, "{form}");
            public.verify(message, &key.sign(message).unwrap()).unwrap();
            assert_eq!(hex::encode(key.agree(&other).unwrap()), text("shared"));
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("key");
            key.write_openssh_pair(&file, false).unwrap();
            let read = PrivateKey::from_file(&file).unwrap();
            assert_eq!(*read.public_key(), public, "{form}");
        }
        assert!(
            PrivateKey::generate().unwrap().agree(&public).is_none(),
            "keys of two curves agree on nothing"
        );
    }
}

#[test]
fn a_damaged_key_on_p521_is_refused() {
    let text = fs::read_to_string(testdata("p521")).unwrap();
    let pair = openssh::read_private(&text).unwrap();
    for scalar in [vec![0; 66], vec![0xff; 66], vec![1; 66]] {
        let damaged = openssh::write_private(
            &openssh::Pair {
                scalar,
                ..pair.clone()
            },
            7,
        );
        assert_eq!(
            PrivateKey::parse(&damaged).unwrap_err(),
            KeyProblem::Damaged
        );
    }
}

#[test]
fn a_fingerprint_is_what_ssh_keygen_shows() {
    let key = PublicKey::from_file(&testdata("p384.pub")).unwrap();
    let shown = fs::read_to_string(testdata("p384.fingerprint")).unwrap();
    assert_eq!(key.fingerprint(), shown.trim());
}

#[test]
fn a_pair_is_written_privately_and_read_back() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let key = PrivateKey::generate().unwrap();
    let public = key.write_openssh_pair(&path, false).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!crate::private_files::is_exposed(&path));
    assert_eq!(
        PrivateKey::from_file(&path).unwrap().public_key(),
        key.public_key()
    );
    assert_eq!(PublicKey::from_file(&public).unwrap(), *key.public_key());

    let error = key.write_openssh_pair(&path, false).unwrap_err();
    assert!(matches!(error, KeyError::Exists(_)), "{error}");
    key.write_openssh_pair(&path, true).unwrap();
}

#[test]
fn a_number_with_leading_zeros_survives_the_file() {
    let scalar = [&[0; 3][..], &[0x91; 45]].concat();
    let secret = p384::SecretKey::from_slice(&scalar).unwrap();
    let point = secret.public_key().to_sec1_bytes().to_vec();
    let pair = openssh::Pair {
        curve: Curve::P384,
        point,
        scalar: scalar.clone(),
    };
    let text = openssh::write_private(&pair, 7);
    assert_eq!(openssh::read_private(&text).unwrap().scalar, scalar);
}

#[test]
fn what_is_wrong_with_a_file_is_told() {
    use KeyProblem::{
        Curve, Empty, Encrypted, NotEc, NotPrivate, PrivateForPublic, PublicForPrivate,
    };

    let private = |text: &str| PrivateKey::parse(text).unwrap_err();
    assert_eq!(private(" \n"), Empty);
    assert_eq!(private("rubbish"), NotPrivate);
    assert_eq!(private(OPENSSH), PublicForPrivate);
    assert_eq!(private(PEM), PublicForPrivate);
    let cases = [
        ("encrypted", Encrypted),
        ("encrypted-pkcs8.pem", Encrypted),
        ("encrypted-sec1.pem", Encrypted),
        ("ed25519", NotEc),
        ("rsa-pkcs8.pem", NotEc),
        ("secp256k1.pem", Curve),
    ];
    for (name, expected) in cases {
        let KeyError::File { path, problem } = PrivateKey::from_file(&testdata(name)).unwrap_err()
        else {
            panic!("{name}")
        };
        assert_eq!((path, problem), (testdata(name), expected));
    }
    let error = PublicKey::from_file(&testdata("p384-sec1.pem")).unwrap_err();
    assert!(
        matches!(
            error,
            KeyError::File {
                problem: PrivateForPublic,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(PublicKey::from_openssh("ssh-ed25519 AAAA"), Err(NotEc));
    let other = PublicKey::from_file(&testdata("secp256k1.pem.pub")).unwrap_err();
    assert!(
        matches!(other, KeyError::File { problem: Curve, .. }),
        "{other}"
    );
    assert!(matches!(
        PublicKey::from_file(&testdata("missing")),
        Err(KeyError::Read { .. })
    ));
}

#[test]
fn no_secret_is_printed() {
    let key = PrivateKey::generate().unwrap();
    let printed = format!("{key:?}");
    assert!(
        printed.contains(&key.public_key().fingerprint()),
        "{printed}"
    );
    assert!(printed.len() < 90, "{printed}");
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in "\\PC*", blob in any::<Vec<u8>>()) {
        let _ = PrivateKey::parse(&text);
        let _ = PublicKey::from_openssh(&text);
        let _ = PublicKey::from_pem(text.as_bytes());
        let base64 = STANDARD.encode(&blob);
        let _ = PublicKey::from_openssh(&format!("ecdsa-sha2-nistp384 {base64}"));
        let magic = STANDARD.encode([b"openssh-key-v1\0", &blob[..]].concat());
        let begin = "-----BEGIN OPENSSH PRIVATE KEY-----";
        let _ = PrivateKey::parse(&format!("{begin}\n{magic}\n-----END OPENSSH PRIVATE KEY-----"));
        for tag in ["PUBLIC KEY", "PRIVATE KEY", "EC PRIVATE KEY"] {
            let pem = format!("-----BEGIN {tag}-----\n{base64}\n-----END {tag}-----\n");
            let _ = PrivateKey::parse(&pem);
            let _ = PublicKey::from_pem(pem.as_bytes());
        }
    }
}

#[test]
fn a_pem_is_its_spki_and_back() {
    let key = PrivateKey::generate().unwrap().public_key().clone();
    let pem = key.to_pem();
    assert_eq!(spki_from_pem(pem.as_bytes()), Some(key.to_spki()));
    assert_eq!(spki_to_pem(&key.to_spki()), pem);
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for none in ["", "text", private] {
        assert_eq!(spki_from_pem(none.as_bytes()), None, "{none}");
    }
}
