//! What `flwr-security` reads, and what a SuperLink reads of an OpenID provider.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use bytes::Bytes;
use flower_superlink::accounts::oidc::{Keys, Rules, verify};
use flwr_security::allow_list::AllowList;
use flwr_security::client_list::ClientList;
use flwr_security::from_file::Readable;
use flwr_security::joining::JoinToken;
use flwr_security::key::{PrivateKey, PublicKey};
use flwr_security::pki::{self, Authority, Purpose};
use flwr_security::signature::{self, SignatureHeaders, Verifier};
use flwr_security::tls::{self, Certificate, ClientCa, Identity, ServerFiles, ServerTls};
use http::{HeaderMap, HeaderName, HeaderValue};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;

use super::disk::with_file;
use super::texts;

const NOW: OffsetDateTime = datetime!(2025-09-16 06:13:20 UTC);

/// A join token whose id, secret and pin are 1, 2 and 3 over and over.
const TOKEN: &str = "fjt1_AQEBAQEBAQECAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDc3VwZXJsaW5rLmV4YW1wbGU6OTA5MgiheKM";

macro_rules! testdata {
    ($($name:literal),* $(,)?) => {
        vec![$(include_bytes!(concat!("../../../flwr-security/testdata/", $name)).to_vec()),*]
    };
}

pub(super) fn keys(data: &[u8]) {
    let _ = PublicKey::from_pem(data);
    if let Ok(text) = str::from_utf8(data) {
        if let Ok(key) = PublicKey::from_openssh(text) {
            assert!(PublicKey::from_openssh(&key.to_openssh()).is_ok());
        }
        let _ = PrivateKey::parse(text);
        if let Ok(token) = text.parse::<JoinToken>() {
            assert_eq!(token.reveal().parse(), Ok(token));
        }
    }
    let _ = PublicKey::from_spki(data);
}

pub(super) fn key_seeds() -> Vec<Vec<u8>> {
    let mut seeds = testdata![
        "p256",
        "p256.pub",
        "p256-sec1.pem",
        "p384-pkcs8.pem",
        "p384-pkcs8.pem.pub",
        "p384.pub",
        "p521",
        "p521-sec1.pem",
        "p521.pub",
        "ed25519",
        "encrypted",
        "encrypted-pkcs8.pem",
        "encrypted-sec1.pem",
        "secp256k1.pem",
        "secp256k1.pem.pub",
    ];
    seeds.extend(texts([TOKEN]));
    seeds
}

pub(super) fn lists(data: &[u8]) {
    let _ = AllowList::parse(data, Path::new("keys.csv"));
    with_file("clients.txt", data, |path| {
        let _ = ClientList::from_file(path);
    });
}

pub(super) fn list_seeds() -> Vec<Vec<u8>> {
    let mut seeds = testdata!["p256.pub", "p384.pub", "p521.pub"];
    seeds.push(testdata!["p256.pub", "p384.pub"].concat());
    seeds.extend(texts([
        "# clients\nCN=alice, O=Hospital A\nnode.example.org # a node\n",
    ]));
    seeds
}

/// Lines `name: value` as headers.
pub(super) fn headers(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Some(at) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..at]);
        let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii_start());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

pub(super) fn signature(data: &[u8]) {
    let headers = headers(data);
    let _ = signature::is_signed(&headers);
    if let Ok(read) = SignatureHeaders::read(&headers) {
        // Whoever has no key makes no signature.
        if let Ok(verified) = Verifier::new(None).verify(&read, NOW) {
            assert_eq!(&verified, KEY.public_key());
        }
    }
    let parts: Vec<&[u8]> = data.splitn(3, |byte| *byte == b'\n').collect();
    if let [key, timestamp, signed] = parts[..] {
        let headers = SignatureHeaders {
            public_key: Bytes::copy_from_slice(key),
            timestamp: String::from_utf8_lossy(timestamp).into_owned(),
            signature: Bytes::copy_from_slice(signed),
        };
        assert!(Verifier::new(None).verify(&headers, NOW).is_err());
    }
}

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| {
    let pem = include_str!("../../../flwr-security/testdata/p384-pkcs8.pem");
    PrivateKey::parse(pem).unwrap()
});

/// The headers of a call that is signed at [`NOW`].
static SIGNED: LazyLock<String> = LazyLock::new(|| {
    let signed = signature::sign(&KEY, NOW).unwrap();
    let lines = signed.to_http().into_iter();
    lines
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
});

pub(super) fn signature_seeds() -> Vec<Vec<u8>> {
    let signed = SignatureHeaders::read(&headers(SIGNED.as_bytes())).unwrap();
    let parts = [
        &signed.public_key[..],
        b"2025-09-16T06:13:20+00:00",
        b"signed",
    ];
    vec![SIGNED.as_bytes().to_vec(), parts.join(&b'\n')]
}

/// A CA, and a server that it issued a certificate for.
struct Issued {
    dir: TempDir,
    authority: Authority,
}

static ISSUED: LazyLock<Issued> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let pair = Authority::make("fuzz", 30, None).unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("ca.crt", &pair.certificate);
    write("ca.key", &pair.key);
    let [ca, key] = ["ca.crt", "ca.key"].map(|name| dir.path().join(name));
    let authority = Authority::read(&ca, &key, || Err("not encrypted".to_owned())).unwrap();
    let names = ["localhost".to_owned()];
    let server = authority.issue(&names, 30, Purpose::Server).unwrap();
    write("server.crt", &server.certificate);
    write("server.key", &server.key);
    Issued { dir, authority }
});

impl Issued {
    fn files(&self) -> ServerFiles {
        let file = |name: &str| self.dir.path().join(name);
        ServerFiles {
            ca: file("ca.crt"),
            identity: Identity {
                certificate: file("server.crt"),
                key: file("server.key"),
            },
            clients: None,
            people: None,
            nodes: None,
            legacy: true,
            shows_authority: true,
        }
    }

    /// The DER in a file.
    fn der(&self, name: &str) -> Vec<u8> {
        let text = fs::read(self.dir.path().join(name)).unwrap();
        tls::fuzzing::certificates(&text).remove(0)
    }
}

pub(super) fn certificate(data: &[u8]) {
    if let Ok(certificate) = Certificate::read(data) {
        let _ = (certificate.is_legacy(), certificate.days_left(NOW));
    }
    let _ = tls::server_end_point(&data.into());
    let root = ISSUED.der("ca.crt");
    if tls::fuzzing::accepts_legacy(&root, data) {
        let own = [root, ISSUED.der("server.crt")];
        assert!(
            own.iter().any(|known| known == data),
            "a certificate out of nothing"
        );
    }
}

pub(super) fn certificate_seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![ISSUED.der("ca.crt"), ISSUED.der("server.crt")];
    for text in testdata![
        "server/v1.crt",
        "server/p384-sec1.crt",
        "server/rsa2048-pkcs8.crt"
    ] {
        seeds.extend(tls::fuzzing::certificates(&text));
    }
    seeds
}

pub(super) fn tls(data: &[u8]) {
    with_file("file", data, |path| {
        let file = path.to_owned();
        let client = |ca, crl| Some(ClientCa { ca, crl });
        let files = ISSUED.files();
        let ca = files.ca.clone();
        let _ = ServerTls::load(ServerFiles {
            clients: client(ca, Some(file.clone())),
            ..files.clone()
        });
        let _ = ServerTls::load(ServerFiles {
            clients: client(file.clone(), None),
            ..files.clone()
        });
        let identity = Identity {
            certificate: file.clone(),
            key: file,
        };
        let _ = ServerTls::load(ServerFiles { identity, ..files });
        let _ = pki::inspect(path, NOW);
        let _ = ISSUED.authority.sign(path, &[], 30, Purpose::Server);
    });
}

pub(super) fn tls_seeds() -> Vec<Vec<u8>> {
    let read = |name: &str| fs::read(ISSUED.dir.path().join(name)).unwrap();
    let mut seeds = vec![read("ca.crt"), read("server.crt"), read("server.key")];
    seeds.push(seeds.concat());
    seeds.extend(testdata![
        "ca/ca.crt",
        "ca/no-host.csr",
        "ca/p384-sha256.csr",
        "ca/pkcs8-aes256.key",
        "ca/rfc1421-des3.key",
        "server/v1.crt",
        "server/ed25519-pkcs8.key",
    ]);
    let request = pki::request(&["node.example.org".to_owned()]).unwrap();
    seeds.push(request.certificate.into_bytes());
    seeds
}

/// A key set of a provider, or a token.
pub(super) fn token(data: &[u8]) {
    let _ = Keys::parse(data);
    let keys = Keys::parse(KEY_SET.as_bytes()).unwrap();
    let rules = Rules {
        issuer: "https://idp.example.org/".to_owned(),
        audience: vec!["flower".to_owned()],
    };
    if let Ok(text) = str::from_utf8(data) {
        let verified = verify(text, &keys, &rules, NOW);
        assert!(verified.is_err(), "a token out of nothing");
    }
}

/// The example key of RFC 7517, A.1.
const KEY_SET: &str = "{\"keys\": [{\"kty\": \"EC\", \"crv\": \"P-256\", \"kid\": \"1\", \"use\": \"sig\", \
    \"x\": \"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\", \
    \"y\": \"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\", \"alg\": \"ES256\"}]}";

pub(super) fn token_seeds() -> Vec<Vec<u8>> {
    // {"alg":"ES256","kid":"1"} . {"iss":"https://idp.example.org/","sub":"a","aud":"flower","exp":1758100000}
    texts([
        KEY_SET,
        "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLm9yZy8iLCJzdWIiOiJhIiwiYXVkIjoiZmxvd2VyIiwiZXhwIjoxNzU4MTAwMDAwfQ.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.",
    ])
}
