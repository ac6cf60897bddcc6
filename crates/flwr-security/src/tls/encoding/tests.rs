//! Files as editors, copies and OpenSSL leave them.

use rcgen::{CertificateParams, KeyPair};

use super::*;

/// `serverAuth` as an OBJECT IDENTIFIER, and what OpenSSL makes of it: trust and reject settings.
const SERVER_AUTH: [u8; 10] = [6, 8, 43, 6, 1, 5, 5, 7, 3, 1];
const TRUST: u8 = 0x30;
const REJECT: u8 = 0xa0;

fn certificate() -> (String, Vec<u8>) {
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    (made.pem(), made.der().to_vec())
}

fn read(content: &[u8]) -> Vec<CertificateDer<'static>> {
    PemText::new(content).certificates(None).unwrap()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let marked = format!("\u{feff}{text}");
    marked.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn text_is_read_in_every_shape_that_editors_leave() {
    let (pem, der) = certificate();
    let indented: String = pem.lines().map(|line| format!("\t  {line}  \n")).collect();
    for content in [
        pem.clone().into_bytes(),
        format!("\u{feff}{pem}").into_bytes(),
        utf16(&pem, u16::to_le_bytes),
        utf16(&pem, u16::to_be_bytes),
        indented.into_bytes(),
        pem.replace('\n', "\r\n").into_bytes(),
        pem.replace('\n', "\r").into_bytes(),
        pem.replace("BEGIN CERT", "BEGIN X509 CERT")
            .replace("END CERT", "END X509 CERT")
            .into_bytes(),
        format!("subject=CN=x\n\n{pem}issuer=CN=x\n").into_bytes(),
    ] {
        assert_eq!(read(&content), [CertificateDer::from(der.clone())]);
    }
    let both = format!("{pem}{}", certificate().0);
    assert_eq!(read(both.as_bytes()).len(), 2);
}

/// A `TRUSTED CERTIFICATE` with one setting, and the certificate in it.
fn trusted(setting: u8) -> (String, Vec<u8>) {
    let (_, der) = certificate();
    let content = [&der[..], &[0x30, 12, setting, 10], &SERVER_AUTH].concat();
    let pem = pem::encode(&pem::Pem::new("TRUSTED CERTIFICATE", content));
    (pem, der)
}

#[test]
fn trust_settings_are_kept_to() {
    let (text, der) = trusted(TRUST);
    let trusts = |text: &str, purpose| PemText::new(text.as_bytes()).certificates(purpose);
    let certificate = vec![CertificateDer::from(der)];
    assert_eq!(trusts(&text, None), Ok(certificate.clone()));
    assert_eq!(trusts(&text, Some(Purpose::Server)), Ok(certificate));
    let refused = Err(Unreadable::Distrusted);
    assert_eq!(trusts(&text, Some(Purpose::Client)), refused);
    let (text, _) = trusted(REJECT);
    assert_eq!(trusts(&text, Some(Purpose::Server)), refused);
    assert!(trusts(&text, Some(Purpose::Client)).is_ok());
}

#[test]
fn a_plain_certificate_with_something_behind_it_stays_as_it_is() {
    let (_, der) = certificate();
    let longer = [&der[..], &[5, 0]].concat();
    let pem = pem::encode(&pem::Pem::new("CERTIFICATE", longer.clone()));
    assert_eq!(read(pem.as_bytes()), [CertificateDer::from(longer)]);
}

#[test]
fn what_is_found_instead_depends_on_what_is_wanted() {
    let (pem, der) = certificate();
    let key = KeyPair::generate().unwrap();
    let found = |content: &[u8], wanted| {
        let found = found_instead(content, Path::new("it"), wanted);
        found.map(|(found, way_out)| format!("{found}: {way_out}"))
    };
    let told = found(&der, Wanted::Certificate).unwrap();
    assert!(
        told.contains("`openssl x509 -inform DER -in it -out it.pem`"),
        "{told}"
    );
    let told = found(&key.serialize_der(), Wanted::Key).unwrap();
    assert!(told.contains("`openssl pkey -inform DER -in it"), "{told}");
    let told = found(key.serialize_pem().as_bytes(), Wanted::Certificate).unwrap();
    assert!(told.starts_with("a private key"), "{told}");
    let told = found(pem.as_bytes(), Wanted::Key).unwrap();
    assert!(told.starts_with("a certificate"), "{told}");
    assert_eq!(found(b"rubbish", Wanted::Any), None);
    assert_eq!(found(&[0x30, 0x80, 0xff], Wanted::Any), None);
}
