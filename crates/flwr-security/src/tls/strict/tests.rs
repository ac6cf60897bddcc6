//! What strict verification accepts beyond webpki, and each way in which it must still say no.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber,
};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;

use super::*;

type Ca = CertifiedIssuer<'static, KeyPair>;
type Der = CertificateDer<'static>;

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(7));
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.subject_alt_names.clear();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

/// A certificate that has signed itself, with CA:TRUE and a name, as `openssl req -x509` makes it.
fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Der {
    let mut params = named("localhost");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    params.self_signed(&key()).unwrap().der().clone()
}

fn trusting(roots: &[Der]) -> Roots {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).unwrap();
    }
    Roots::new(roots.to_vec(), store)
}

fn verdict(roots: &[Der], certificate: &Der, between: &[Der], name: &str) -> Result<(), Reason> {
    let verifier = StrictServerVerifier::new(trusting(roots)).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let now = UnixTime::now();
    let verdict = verifier.verify_server_cert(certificate, between, &name, &[], now);
    verdict.map(drop).map_err(|error| Reason::from(&error))
}

/// The problem with a certificate for localhost.
fn problem(roots: &[Der], certificate: &Der, between: &[Der]) -> Problem {
    match verdict(roots, certificate, between, "localhost") {
        Err(Reason::Chain(flaw)) => flaw.problem,
        other => panic!("{other:?}"),
    }
}

/// A certificate below so many CAs.
struct Chain {
    root: Der,
    /// The CA nearest to the certificate first.
    between: Vec<Der>,
    certificate: Der,
}

fn chain(length: usize, change: impl Fn(usize, &mut CertificateParams)) -> Chain {
    let root = Ca::self_signed(authority("root"), key()).unwrap();
    let mut cas = vec![root];
    for number in 0..length {
        let mut params = authority(&format!("sub {number}"));
        change(number, &mut params);
        let issuer = cas.last().unwrap();
        cas.push(Ca::signed_by(params, key(), issuer).unwrap());
    }
    let certificate = named("server").signed_by(&key(), cas.last().unwrap());
    let der = |ca: &Ca| ca.der().clone();
    Chain {
        root: der(&cas[0]),
        between: cas[1..].iter().rev().map(der).collect(),
        certificate: certificate.unwrap().der().clone(),
    }
}

const AS_IT_IS: fn(usize, &mut CertificateParams) = |_, _| {};

#[test]
fn a_trusted_certificate_serves_although_it_is_a_cas() {
    let own = self_signed(|_| {});
    verdict(std::slice::from_ref(&own), &own, &[], "localhost").unwrap();
    let other = self_signed(|_| {});
    verdict(&[other, own.clone()], &own, &[], "localhost").unwrap();
}

#[test]
fn one_that_looks_the_same_does_not() {
    let (trusted, shown) = (self_signed(|_| {}), self_signed(|_| {}));
    assert_eq!(problem(&[trusted], &shown, &[]), Problem::IsCa);
}

#[test]
fn a_trusted_certificate_needs_name_dates_and_uses_all_the_same() {
    let own = self_signed(|_| {});
    let refused = verdict(std::slice::from_ref(&own), &own, &[], "elsewhere").unwrap_err();
    assert!(matches!(refused, Reason::NameMismatch { .. }), "{refused}");
    let expired = self_signed(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let refused = verdict(std::slice::from_ref(&expired), &expired, &[], "localhost").unwrap_err();
    assert!(matches!(refused, Reason::Expired { .. }), "{refused}");
    let early = self_signed(|params| params.not_before = rcgen::date_time_ymd(2090, 1, 1));
    let refused = verdict(std::slice::from_ref(&early), &early, &[], "localhost").unwrap_err();
    assert!(matches!(refused, Reason::NotYetValid { .. }), "{refused}");
    let for_clients = self_signed(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    assert_eq!(
        problem(std::slice::from_ref(&for_clients), &for_clients, &[]),
        Problem::Purpose("serverAuth")
    );
    let signs_only = self_signed(|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    assert_eq!(
        problem(std::slice::from_ref(&signs_only), &signs_only, &[]),
        Problem::SignsNothing
    );
}

#[test]
fn more_cas_than_webpki_follows_are_followed() {
    for length in [6, 7, 12, 16] {
        let Chain {
            root,
            between,
            certificate,
        } = chain(length, AS_IT_IS);
        verdict(&[root], &certificate, &between, "localhost").unwrap();
    }
}

#[test]
fn a_long_chain_is_checked_as_a_short_one() {
    let refused = |change: fn(usize, &mut CertificateParams)| {
        let Chain {
            root,
            between,
            certificate,
        } = chain(9, change);
        problem(&[root], &certificate, &between)
    };
    let flaw = refused(|number, params| {
        if number == 1 {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(6));
        }
    });
    assert_eq!(flaw, Problem::PathLength(6));
    let flaw = refused(|number, params| {
        if number == 4 {
            params.is_ca = IsCa::ExplicitNoCa;
        }
    });
    assert_eq!(flaw, Problem::NoCa);
    let flaw = refused(|number, params| {
        if number == 8 {
            params.key_usages = vec![KeyUsagePurpose::CrlSign];
        }
    });
    assert_eq!(flaw, Problem::MayNotSign);
    let flaw = refused(|number, params| {
        if number == 0 {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        }
    });
    assert_eq!(flaw, Problem::Purpose("serverAuth"));
    let flaw = refused(|number, params| {
        if number == 3 {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
    });
    assert!(matches!(flaw, Problem::Expired(_)), "{flaw}");
    let flaw = refused(|number, params| {
        if number == 2 {
            let localhost = rcgen::GeneralSubtree::DnsName("localhost".to_owned());
            params.name_constraints = Some(rcgen::NameConstraints {
                permitted_subtrees: vec![localhost],
                excluded_subtrees: vec![],
            });
        }
    });
    assert_eq!(flaw, Problem::TooLongForNames);
    // Limits that cannot be read are limits all the same.
    let flaw = refused(|number, params| {
        if number == 2 {
            let limits = rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 30], vec![0x30, 9]);
            params.custom_extensions.push(limits);
        }
    });
    assert_eq!(flaw, Problem::Malformed);
}

#[test]
fn a_long_chain_serves_its_names_only_and_ends_at_a_root() {
    let long = chain(9, AS_IT_IS);
    let roots = [long.root.clone()];
    let refused = verdict(&roots, &long.certificate, &long.between, "elsewhere").unwrap_err();
    assert!(matches!(refused, Reason::NameMismatch { .. }), "{refused}");
    let stranger = chain(0, AS_IT_IS);
    let refused = verdict(
        &[stranger.root],
        &long.certificate,
        &long.between,
        "localhost",
    );
    assert_eq!(refused, Err(Reason::UnknownIssuer));
    // Without one of them there is no way.
    let gap = &long.between[1..];
    let refused = verdict(&roots, &long.certificate, gap, "localhost");
    assert_eq!(refused, Err(Reason::UnknownIssuer));
    let endless = chain(18, AS_IT_IS);
    let flaw = problem(&[endless.root], &endless.certificate, &endless.between);
    assert_eq!(flaw, Problem::TooLong(16));
}

#[test]
fn what_a_peer_sends_does_not_keep_us_busy() {
    // Hundreds of CAs of one name, each of which may have signed each.
    let mut between = Vec::new();
    let top = Ca::self_signed(authority("same"), key()).unwrap();
    for _ in 0..300 {
        between.push(
            authority("same")
                .signed_by(&key(), &top)
                .unwrap()
                .der()
                .clone(),
        );
    }
    let certificate = named("server").signed_by(&key(), &top).unwrap();
    let stranger = chain(0, AS_IT_IS).root;
    let roots = trusting(&[stranger]);
    let own = certificate.der();
    let mut search = chain::Search::new(&between, &roots, UnixTime::now(), Purpose::Server);
    assert!(search.find(own).is_err());
    assert_eq!(search.signatures_left(), 0);
}

#[test]
fn an_expired_root_is_not_trusted_and_its_successor_is() {
    let old_key = key();
    let mut old = authority("root");
    old.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let expired = Ca::self_signed(old, old_key).unwrap();
    let certificate = named("server").signed_by(&key(), &expired).unwrap();
    let roots = [expired.der().clone()];
    let flaw = problem(&roots, certificate.der(), &[]);
    assert!(matches!(flaw, Problem::Expired(_)), "{flaw}");
    let renewed = authority("root").self_signed(expired.key()).unwrap();
    let roots = [expired.der().clone(), renewed.der().clone()];
    verdict(&roots, certificate.der(), &[], "localhost").unwrap();
}

/// Checks clients of these CAs, but for those whose serial number is on the list of the first CA.
fn clients(cas: &[&Der], lists: RevocationLists) -> StrictClientVerifier {
    let roots: Vec<_> = cas.iter().map(|ca| (*ca).clone()).collect();
    let roots = trusting(&roots);
    let store = Arc::new(roots.store().clone());
    let webpki = WebPkiClientVerifier::builder_with_provider(store, provider())
        .with_crls(lists.der())
        .only_check_end_entity_revocation()
        .build()
        .unwrap();
    StrictClientVerifier::new(webpki, roots, lists)
}

fn client_verdict(
    verifier: &StrictClientVerifier,
    certificate: &Der,
    between: &[Der],
) -> Result<(), Reason> {
    let verdict = verifier.verify_client_cert(certificate, between, UnixTime::now());
    verdict.map(drop).map_err(|error| Reason::from(&error))
}

#[test]
fn clients_are_checked_in_the_same_way() {
    let own = self_signed(|_| {});
    let verifier = clients(&[&own], RevocationLists::none());
    client_verdict(&verifier, &own, &[]).unwrap();
    let other = self_signed(|_| {});
    assert!(client_verdict(&verifier, &other, &[]).is_err());
    let long = chain(9, AS_IT_IS);
    let verifier = clients(&[&long.root], RevocationLists::none());
    client_verdict(&verifier, &long.certificate, &long.between).unwrap();
    assert!(client_verdict(&verifier, &long.certificate, &long.between[1..]).is_err());
}

#[test]
fn what_webpki_does_not_accept_is_looked_up_in_the_revocation_lists_too() {
    let mut params = authority("localhost");
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    let own = Ca::self_signed(params, key()).unwrap();
    let now = OffsetDateTime::now_utc();
    let publish = |serials: &[u64]| {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now,
            next_update: now + time::Duration::DAY,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("crl.pem");
        let pem = list.signed_by(&own).unwrap().pem().unwrap();
        std::fs::write(&path, pem).unwrap();
        RevocationLists::load(&path, &[own.der().clone()]).unwrap()
    };
    let verifier = clients(&[own.der()], publish(&[8]));
    client_verdict(&verifier, own.der(), &[]).unwrap();
    let verifier = clients(&[own.der()], publish(&[7]));
    assert_eq!(
        client_verdict(&verifier, own.der(), &[]),
        Err(Reason::Revoked)
    );
    // The CA nearest to this client has published no list.
    let long = chain(9, AS_IT_IS);
    let verifier = clients(&[own.der(), &long.root], publish(&[8]));
    let refused = client_verdict(&verifier, &long.certificate, &long.between);
    assert_eq!(refused, Err(Reason::NoRevocationList));
}
