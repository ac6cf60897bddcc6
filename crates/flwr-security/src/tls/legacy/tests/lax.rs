//! What must not come in by the lax checks: certificates of today's form, those for the other side,
//! and those whose two algorithms differ.

use rcgen::SigningKey as _;

use super::*;

/// A certificate of today's form: with a subjectAltName.
fn modern(issuer: &Issuer) -> CertificateDer<'static> {
    let mut params = named("localhost");
    let name = "localhost".try_into().unwrap();
    params.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
    signed(&params, issuer)
}

fn authority(name: &'static str) -> Issuer {
    root(|params| params.distinguished_name.push(DnType::CommonName, name))
}

/// Verifiers whose strict half trusts one CA, and whose lax half trusts another.
fn halves(strict: &Issuer, lax: &Issuer) -> (LegacyServerVerifier, LegacyClientVerifier) {
    let mut store = rustls::RootCertStore::empty();
    store.add(der(strict)).unwrap();
    let store = Arc::new(store);
    let roots = || LegacyRoots::new(vec![der(lax)], &provider());
    let servers =
        rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::clone(&store), provider());
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(store, provider());
    (
        LegacyServerVerifier::new(servers.build().unwrap(), roots()),
        LegacyClientVerifier::new(clients.build().unwrap(), roots()),
    )
}

#[test]
fn a_certificate_of_todays_form_is_for_the_strict_checks_alone() {
    let (strict, lax) = (authority("strict"), authority("lax"));
    let (servers, clients) = halves(&strict, &lax);
    let now = UnixTime::now();
    for (issuer, is_strict) in [(&strict, true), (&lax, false)] {
        let certificate = modern(issuer);
        let server = verdict(&servers, &certificate, "localhost");
        assert_eq!(server.is_ok(), is_strict, "{server:?}");
        let client = clients.verify_client_cert(&certificate, &[], now);
        assert_eq!(client.is_ok(), is_strict, "{:?}", client.err());
        let legacy = signed(&nameless("localhost"), issuer);
        let server = verdict(&servers, &legacy, "localhost");
        assert_eq!(server.is_ok(), !is_strict, "{server:?}");
        let client = clients.verify_client_cert(&legacy, &[], now);
        assert_eq!(client.is_ok(), !is_strict, "{:?}", client.err());
    }
}

#[test]
fn a_certificate_serves_the_side_that_it_is_for() {
    let issuer = authority("root");
    let (_, clients) = halves(&issuer, &issuer);
    let verdict = |usages: Vec<ExtendedKeyUsagePurpose>| {
        let mut params = nameless("node-1");
        params.extended_key_usages = usages;
        let certificate = signed(&params, &issuer);
        let verdict = clients.verify_client_cert(&certificate, &[], UnixTime::now());
        verdict.map(drop)
    };
    let refused = Err(CertificateError::InvalidPurpose.into());
    assert_eq!(verdict(vec![ExtendedKeyUsagePurpose::ServerAuth]), refused);
    for usage in [
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::Any,
    ] {
        assert_eq!(verdict(vec![usage]), Ok(()));
    }
    let mut a_ca = nameless("node-1");
    a_ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let a_ca = clients.verify_client_cert(&signed(&a_ca, &issuer), &[], UnixTime::now());
    assert_eq!(a_ca.map(drop), refused);
}

/// A DER value of this tag.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut value = match u8::try_from(length) {
        Ok(short @ ..0x80) => vec![tag, short],
        _ => {
            let length = u16::try_from(length).unwrap().to_be_bytes();
            vec![tag, 0x82, length[0], length[1]]
        }
    };
    value.extend(content);
    value
}

#[test]
fn an_algorithm_that_the_signed_part_does_not_name_is_refused() {
    // ecdsa-with-SHA256 and ecdsa-with-SHA384 (RFC 5758, 3.2).
    const SHA256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    const SHA384: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    let issuer = authority("root");
    let certificate = signed(&nameless("localhost"), &issuer);
    let (_, parsed) = X509Certificate::from_der(&certificate).unwrap();
    let inside = parsed.tbs_certificate.as_ref().to_vec();
    let made = |inside: &[u8]| -> CertificateDer<'static> {
        let mut bits = vec![0];
        bits.extend(issuer.key().sign(inside).unwrap());
        let parts = [inside.to_vec(), value(0x30, &SHA256), value(3, &bits)];
        value(0x30, &parts.concat()).into()
    };
    let verifier = servers(der(&issuer));
    verdict(&verifier, &made(&inside), "localhost").unwrap();
    let at = inside.windows(10).position(|window| window == SHA256);
    let mut other = inside.clone();
    let at = at.unwrap();
    other[at..at + 10].copy_from_slice(&SHA384);
    assert!(verdict(&verifier, &made(&other), "localhost").is_err());
}

#[test]
fn no_bit_around_the_signed_part_can_be_another() {
    let issuer = authority("root");
    let certificate = signed(&nameless("localhost"), &issuer);
    let (_, parsed) = X509Certificate::from_der(&certificate).unwrap();
    let inside = parsed.tbs_certificate.as_ref();
    let at = certificate
        .windows(inside.len())
        .position(|window| window == inside)
        .unwrap();
    let verifier = servers(der(&issuer));
    verdict(&verifier, &certificate, "localhost").unwrap();
    let around = (0..at).chain(at + inside.len()..certificate.len());
    for (byte, bit) in around.flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
        let mut other = certificate.to_vec();
        other[byte] ^= 1 << bit;
        let verdict = verdict(&verifier, &other.into(), "localhost");
        assert!(verdict.is_err(), "byte {byte}, bit {bit}");
    }
}
