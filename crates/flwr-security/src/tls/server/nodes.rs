//! The CA for nodes: it issues a client certificate to each node that joins. No other client shows
//! certificates of this CA, and no other CA signs for such nodes.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Asks, ClientCa, PortTls, ServerFiles, ServerTls, Source};
use crate::key::PublicKey;
use crate::tls::chain::{Purpose, has_signed};
use crate::tls::dated::{Dated, Role};
use crate::tls::revocation::RevocationLists;
use crate::tls::strict::StrictClientVerifier;
use crate::tls::{Certificate, Issued, TlsError, certificates, file_roots};

/// The certificates in the file of the CA for nodes. While the CA is replaced, there are two.
#[derive(Clone)]
pub(super) struct NodeCa {
    authorities: Arc<[CertificateDer<'static>]>,
    verifier: Arc<StrictClientVerifier>,
}

/// Checks the clients of Fleet.
#[derive(Debug)]
pub(super) struct NodeVerifier {
    nodes: NodeCa,
    /// Checks certificates of other CAs. `None`: such certificates are refused.
    others: Option<Arc<dyn ClientCertVerifier>>,
    hints: Vec<DistinguishedName>,
}

impl NodeCa {
    pub(super) fn load(path: &Path) -> Result<Self, TlsError> {
        let authorities = certificates(path, Some(Purpose::Client))?;
        let roots = file_roots(path, Purpose::Client)?;
        // The SuperLink knows which nodes are registered: no list of revoked certificates is needed.
        let ca = ClientCa {
            ca: path.to_owned(),
            crl: None,
        };
        let none = RevocationLists::none();
        let webpki = ca.webpki(&roots, &none)?;
        Ok(Self {
            authorities: authorities.into(),
            verifier: Arc::new(StrictClientVerifier::new(webpki, roots, none)),
        })
    }

    pub(super) fn dated(&self, path: &Path) -> Vec<Dated> {
        Dated::of_authorities(path, Role::ClientCa, &self.authorities)
    }

    /// The subject of an authority here that is one of `others`, or that one of them has signed.
    /// Ports that trust `others` would take certificates of nodes.
    pub(super) fn shared_with(&self, others: &[CertificateDer<'_>]) -> Option<String> {
        self.found_among(others, |own, other| {
            has_key_of(own, other) || has_signed(other, own)
        })
    }

    /// The subject of an authority here whose key is the key of one of the others.
    fn same_as(&self, others: &[CertificateDer<'_>]) -> Option<String> {
        self.found_among(others, has_key_of)
    }

    /// The subject of an authority here that stands so to one of the others.
    fn found_among(
        &self,
        others: &[CertificateDer<'_>],
        stands: impl Fn(&X509Certificate<'_>, &X509Certificate<'_>) -> bool,
    ) -> Option<String> {
        let mut own = self.authorities.iter().filter_map(read);
        let found = own.find(|own| {
            let mut others = others.iter().filter_map(|der| read(der));
            others.any(|other| stands(own, &other))
        });
        found.map(|own| own.subject().to_string())
    }

    /// Whether an authority here has signed the certificate.
    fn has_signed(&self, certificate: &CertificateDer<'_>) -> bool {
        let Some(certificate) = read(certificate) else {
            return false;
        };
        let mut authorities = self.authorities.iter().filter_map(read);
        authorities.any(|authority| {
            authority.subject() == certificate.issuer() && has_signed(&authority, &certificate)
        })
    }

    /// To whom the CA for nodes has issued this certificate.
    pub(super) fn issued(&self, der: &CertificateDer<'_>) -> Option<Issued> {
        let node = Certificate::read(der).ok()?.named_node()?;
        let key = PublicKey::from_spki(read(der)?.public_key().raw).ok()?;
        self.has_signed(der).then_some(Issued { node, key })
    }
}

impl ServerTls {
    /// Whether clients are asked for certificates of a CA that is not the one for nodes.
    #[must_use]
    pub fn has_client_ca(&self) -> bool {
        self.files.clients.is_some()
    }
}

impl PortTls {
    /// To whom the CA for nodes has issued this certificate, on ports that take such
    /// certificates. `None`: another CA has signed it.
    #[must_use]
    pub fn issued(&self, shown: &CertificateDer<'_>) -> Option<Issued> {
        match &self.0 {
            Source::Shared {
                tls,
                asks: Asks::Clients | Asks::Anybody,
            } => tls.now.read().nodes.clone()?.issued(shown),
            _ => None,
        }
    }
}

impl ServerFiles {
    /// The CA for nodes, which must sign for nothing else: a person or a program with a certificate of
    /// this CA would pass for a node, and a node for a person.
    pub(super) fn node_ca(&self, path: &Path) -> Result<NodeCa, TlsError> {
        let nodes = NodeCa::load(path)?;
        let refused = |subject, others: &Path| TlsError::NodeCa {
            path: path.to_owned(),
            subject,
            others: others.to_owned(),
        };
        // The key of the CA for nodes lies at the SuperLink. That of the authority that nodes trust does
        // not need to.
        if let Some(subject) = nodes.same_as(&certificates(&self.ca, None)?) {
            return Err(refused(subject, &self.ca));
        }
        for others in self.clients.iter().chain(&self.people) {
            if let Some(subject) = nodes.shared_with(&others.authorities()?) {
                return Err(refused(subject, &others.ca));
            }
        }
        Ok(nodes)
    }
}

fn has_key_of(one: &X509Certificate<'_>, other: &X509Certificate<'_>) -> bool {
    one.public_key().raw == other.public_key().raw
}

fn read<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(der).ok().map(|(_, read)| read)
}

impl NodeVerifier {
    pub(super) fn new(nodes: NodeCa, others: Option<Arc<dyn ClientCertVerifier>>) -> Self {
        let of_others = others.iter().flat_map(|others| others.root_hint_subjects());
        let of_nodes = nodes.verifier.root_hint_subjects();
        let hints = of_nodes.iter().chain(of_others).cloned().collect();
        Self {
            nodes,
            others,
            hints,
        }
    }

    /// The verifier that decides about this certificate.
    fn of(&self, certificate: &CertificateDer<'_>) -> &dyn ClientCertVerifier {
        match &self.others {
            Some(others) if !self.nodes.has_signed(certificate) => others.as_ref(),
            _ => self.nodes.verifier.as_ref(),
        }
    }
}

impl ClientCertVerifier for NodeVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.of(end_entity)
            .verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.of(certificate)
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.of(certificate)
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.nodes.verifier.supported_verify_schemes()
    }
}

impl fmt::Debug for NodeCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeCa({} certificates)", self.authorities.len())
    }
}
