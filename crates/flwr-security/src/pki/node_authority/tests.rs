use std::fs;

use rcgen::{CustomExtension, ExtendedKeyUsagePurpose, KeyUsagePurpose, PublicKeyData, SanType};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tempfile::TempDir;
use x509_parser::prelude::X509Certificate;

use super::*;
use crate::pki::{self, Pair};
use crate::tls::{Certificate, Identity};

const NODE: NodeId = NodeId(17_446_744_073_709_551_615);

struct Ca {
    dir: TempDir,
    authority: NodeAuthority,
}

fn make(days: u32) -> Pair {
    Authority::make("Flower nodes", days, None).unwrap()
}

impl Ca {
    fn new(days: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let Pair { certificate, key } = make(days);
        let paths = ["ca.crt", "ca.key"].map(|name| dir.path().join(name));
        pki::write(&[(&paths[0], &certificate), (&paths[1], &key)], false).unwrap();
        let authority = NodeAuthority::load(&paths[0], &paths[1]).unwrap();
        Self { dir, authority }
    }

    fn issue(&self, request: &[u8], key: &PublicKey) -> Result<CertificateDer<'static>, String> {
        let issued = self
            .authority
            .issue(request, key, NODE, OffsetDateTime::now_utc())
            .map_err(|error| error.to_string())?;
        Ok(CertificateDer::from_pem_slice(issued.as_bytes()).unwrap())
    }
}

/// A request with whatever is asked for in it.
fn asking(key: &PrivateKey, ask: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let der = key.to_pkcs8().unwrap();
    let pair = KeyPair::try_from(&PrivateKeyDer::Pkcs8(der.as_slice().into())).unwrap();
    assert_eq!(pair.subject_public_key_info(), key.public_key().to_spki());
    let mut params = CertificateParams::default();
    ask(&mut params);
    params.serialize_request(&pair).unwrap().der().to_vec()
}

/// What the CA for nodes says of a node, and nothing else.
fn assert_is_of_node(der: &CertificateDer<'_>, key: &PublicKey) {
    let read = Certificate::read(der).unwrap();
    assert_eq!(read.subject, format!("CN={NODE}"));
    assert_eq!((read.names.len(), read.other_names.len()), (0, 0));
    assert!(read.is_node && read.is_v3);
    assert_eq!(read.named_node(), Some(NODE));
    assert_eq!(
        read.not_after - read.not_before,
        Duration::days(30) + BACKDATED
    );
    let (_, read) = X509Certificate::from_der(der).unwrap();
    assert_eq!(read.public_key().raw, key.to_spki());
    assert!(!read.is_ca());
    let usage = read.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any && !usage.code_signing);
    assert_eq!(usage.other.len(), 1, "the mark of nodes");
    let usage = read.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign() && !usage.key_encipherment());
}

#[test]
fn a_node_gets_a_certificate_that_names_its_id_and_key() {
    let (ca, key) = (Ca::new(60), PrivateKey::generate().unwrap());
    let request = node_request(&key).unwrap();
    let first = ca.issue(&request, key.public_key()).unwrap();
    assert_is_of_node(&first, key.public_key());
    let again = ca.issue(&request, key.public_key()).unwrap();
    let serial = |der: &CertificateDer<'_>| {
        let (_, read) = X509Certificate::from_der(der).unwrap();
        read.raw_serial().to_vec()
    };
    assert_ne!(serial(&first), serial(&again));
}

#[test]
fn keys_of_each_curve_get_certificates() {
    let ca = Ca::new(60);
    for name in ["p256", "p384", "p521"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
        let key = PrivateKey::from_file(&path.join(name)).unwrap();
        let issued = ca.issue(&node_request(&key).unwrap(), key.public_key());
        assert_is_of_node(&issued.unwrap(), key.public_key());
    }
}

#[test]
fn of_a_request_only_the_key_counts() {
    type Ask = fn(&mut CertificateParams);
    let asks: [(&str, Ask); 5] = [
        ("another subject", |params| {
            let name = &mut params.distinguished_name;
            name.push(DnType::OrganizationName, "Flower");
            name.push(DnType::CommonName, "1");
        }),
        ("names", |params| {
            params.subject_alt_names = vec![
                SanType::DnsName("superlink.example".try_into().unwrap()),
                SanType::URI("spiffe://example.org/admin".try_into().unwrap()),
            ];
        }),
        ("other uses", |params| {
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }),
        ("to be a CA", |params| {
            // BasicConstraints with CA:TRUE (RFC 5280, 4.2.1.9).
            let content = b"\x30\x03\x01\x01\xff".to_vec();
            let mut ca = CustomExtension::from_oid_content(&[2, 5, 29, 19], content);
            ca.set_criticality(true);
            params.custom_extensions = vec![ca];
        }),
        ("an extension that nobody knows", |params| {
            let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], b"\x05\0".to_vec());
            unknown.set_criticality(true);
            params.custom_extensions = vec![unknown];
        }),
    ];
    let (ca, key) = (Ca::new(60), PrivateKey::generate().unwrap());
    for (asked, ask) in asks {
        let request = asking(&key, ask);
        let issued = ca.issue(&request, key.public_key());
        let issued = issued.unwrap_or_else(|refused| panic!("{asked}: {refused}"));
        assert_is_of_node(&issued, key.public_key());
    }
}

#[test]
fn a_request_that_is_damaged_or_not_the_nodes_is_refused() {
    let ca = Ca::new(60);
    let [key, other] = [(); 2].map(|()| PrivateKey::generate().unwrap());
    let request = node_request(&key).unwrap();
    let refused = |request: &[u8], key: &PrivateKey| ca.issue(request, key.public_key());
    let damaged = Err("is damaged: PKCS#10 in DER is expected".to_owned());
    for length in 1..request.len() {
        assert_eq!(refused(&request[..length], &key), damaged, "{length}");
    }
    let empty = refused(&[], &key).unwrap_err();
    assert!(empty.starts_with("is empty: "), "{empty}");
    let longer = [&request[..], b"\0"].concat();
    assert_eq!(refused(&longer, &key), damaged);
    let pem = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", request.clone()));
    assert_eq!(refused(pem.as_bytes(), &key), damaged);
    assert_eq!(
        refused(&request, &other),
        Err("is for another key than the node's".to_owned())
    );
    // The signature stands last.
    let mut forged = request;
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(
        refused(&forged, &key),
        Err("is not signed by its key".to_owned())
    );
    // The key of another node, put into a request that its own key has signed.
    let mut stolen = node_request(&key).unwrap();
    let spki = key.public_key().to_spki();
    let at = stolen.windows(spki.len()).position(|part| part == spki);
    let at = at.unwrap();
    stolen[at..at + spki.len()].copy_from_slice(&other.public_key().to_spki());
    assert_eq!(
        refused(&stolen, &other),
        Err("is not signed by its key".to_owned())
    );
}

#[test]
fn no_certificate_outlives_its_ca() {
    let (ca, key) = (Ca::new(10), PrivateKey::generate().unwrap());
    let request = node_request(&key).unwrap();
    let now = OffsetDateTime::now_utc();
    let issue = |days| {
        let at = now + Duration::days(days);
        ca.authority.issue(&request, key.public_key(), NODE, at)
    };
    let issued = issue(0).unwrap();
    let issued = CertificateDer::from_pem_slice(issued.as_bytes()).unwrap();
    let issued = Certificate::read(&issued).unwrap();
    assert!(issued.not_after <= now + Duration::days(10));
    let check = |days| {
        let at = now + Duration::days(days);
        ca.authority.check(&request, key.public_key(), at)
    };
    assert!(check(9).is_ok() && check(11).is_err());
    let refused = issue(11).unwrap_err().to_string();
    assert!(refused.contains("ca.crt expired on"), "{refused}");
}

#[test]
fn the_certificate_of_the_key_is_the_ca_wherever_it_stands_in_the_file() {
    let (ca, next) = (Ca::new(60), make(60));
    let (file, key_file) = (ca.dir.path().join("ca.crt"), ca.dir.path().join("ca.key"));
    let old = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{old}{}", next.certificate)).unwrap();
    ca.authority.reload().unwrap();
    fs::write(&key_file, next.key.as_bytes()).unwrap();
    ca.authority.reload().unwrap();
    let key = PrivateKey::generate().unwrap();
    let issued = ca.issue(&node_request(&key).unwrap(), key.public_key());
    let issued = issued.unwrap();
    let signer = CertificateDer::from_pem_slice(next.certificate.as_bytes()).unwrap();
    let (_, signer) = X509Certificate::from_der(&signer).unwrap();
    let (_, issued) = X509Certificate::from_der(&issued).unwrap();
    assert!(crate::tls::has_signed(&signer, &issued));
    // A key without its certificate leaves the CA in use that was read before.
    fs::write(&file, &old).unwrap();
    assert!(matches!(
        ca.authority.reload(),
        Err(PkiError::NoPair { .. })
    ));
    assert!(
        ca.issue(&node_request(&key).unwrap(), key.public_key())
            .is_ok()
    );
}

#[test]
fn an_encrypted_key_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let passphrase = pki::Passphrase::new("secret".to_owned());
    let ca = Authority::make("Ours", 30, Some(&passphrase)).unwrap();
    let paths = ["ca.crt", "ca.key"].map(|name| dir.path().join(name));
    pki::write(&[(&paths[0], &ca.certificate), (&paths[1], &ca.key)], false).unwrap();
    let refused = NodeAuthority::load(&paths[0], &paths[1]).unwrap_err();
    let refused = flwr_core::cause::chain(&refused);
    assert!(refused.contains("openssl pkey -in FILE"), "{refused}");
}

#[test]
fn the_key_of_a_node_is_the_key_of_its_certificate() {
    let (ca, key) = (Ca::new(60), PrivateKey::generate().unwrap());
    let (file, key_file) = (ca.dir.path().join("client.crt"), ca.dir.path().join("key"));
    key.write_openssh_pair(&key_file, false).unwrap();
    let request = node_request(&key).unwrap();
    let issued = ca
        .authority
        .issue(&request, key.public_key(), NODE, OffsetDateTime::now_utc());
    fs::write(&file, issued.unwrap()).unwrap();
    let identity = Identity {
        certificate: file,
        key: key_file,
    };
    let loaded = identity.load(false).unwrap();
    assert_eq!(loaded.certificate.named_node(), Some(NODE));
}
