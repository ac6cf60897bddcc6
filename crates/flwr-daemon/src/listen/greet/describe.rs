//! The log line about a client that is refused.

use std::io;

use flwr_security::tls::Reason;
use rustls::AlertDescription as Alert;

use super::Refused;

/// The log line of a refusal. TLS alerts of the client are put in plain words.
pub(in crate::listen) fn describe(refused: &Refused) -> String {
    let Refused::Handshake(error) = refused else {
        return refused.to_string();
    };
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let told = match tls {
        // An authority of the same name with another key: the signature is not its.
        Some(rustls::Error::AlertReceived(Alert::UnknownCA | Alert::DecryptError)) => {
            "the client does not trust the authority that signed our certificate: its --root-certificates must be our --ssl-ca-certfile"
        }
        Some(rustls::Error::AlertReceived(Alert::CertificateExpired)) => {
            "the client says that our certificate is expired or not valid yet"
        }
        Some(rustls::Error::AlertReceived(Alert::BadCertificate | Alert::CertificateUnknown)) => {
            "the client does not accept our certificate: is the name it connects to in the certificate, and its authority in --root-certificates?"
        }
        Some(rustls::Error::NoCertificatesPresented) => {
            "the client shows no certificate, and --ssl-client-ca-certfile asks for one: it needs a certificate and a key of its own"
        }
        Some(refused @ rustls::Error::InvalidCertificate(_)) => {
            return format!("the client is refused: {}", Reason::from(refused));
        }
        Some(rustls::Error::NoApplicationProtocol) => {
            "the client does not offer what this port speaks (ALPN): each service speaks gRPC and HTTP/1.1 on its own port, and the port of all services HTTP/1.1"
        }
        Some(refused) if Reason::from(refused) == Reason::KeyKind => {
            return format!("the client cannot connect: {}", Reason::KeyKind);
        }
        Some(rustls::Error::PeerIncompatible(_)) => {
            "the client offers neither TLS 1.2 nor 1.3 with a cipher of ours"
        }
        _ if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the client broke off the TLS handshake: it may not trust our certificate, or not find the name it connects to in it"
        }
        _ => return refused.to_string(),
    };
    format!("{told} ({error})")
}
