//! One TLS connection, with what it proves. A call over it never goes over another connection: proofs
//! that are bound to a connection are for it alone.

use std::sync::Arc;

use flwr_security::joining::exported;
use flwr_security::peer::Binding;
use flwr_security::tls::ClientTls;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;
use tokio_rustls::client::TlsStream;
use tower::service_fn;

use super::carrier::Carrier;
use super::http1::HttpChannel;
use super::received::Received;
use super::secured::secured;
use super::{Channel, ConnectError, Io, Route, Target, Trust, endpoint};

/// One TLS connection.
#[derive(Debug)]
pub struct Single {
    /// The channel over it. Calls fail once the connection has ended.
    pub channel: Channel,
    /// The material that only the two ends of the connection know. `None`: the connection is not of
    /// TLS 1.3, where two connections may have the same (RFC 9266, 1).
    pub binding: Option<Binding>,
    /// The certificates that the server has shown, its own first.
    pub chain: Vec<CertificateDer<'static>>,
}

/// Connects to `host:port` once, over TLS.
///
/// # Errors
/// If nobody is there, or is not whom to trust.
pub async fn single(
    address: (&str, u16),
    tls: &ClientTls,
    route: &Route,
) -> Result<Single, ConnectError> {
    let target = Target::new(address, &Trust::Tls(tls.clone()), route);
    match route {
        Route::Direct => {
            let line = target.reach().await?;
            over(target.greet(tls, line).await?, &target)
        }
        Route::Through(proxy) => {
            let line = proxy.tunnel(&target.host, target.port).await?;
            over(target.greet(tls, line).await?, &target)
        }
    }
}

fn over<T: Io + 'static>(stream: TlsStream<T>, target: &Target) -> Result<Single, ConnectError> {
    let session = stream.get_ref().1;
    let binding = exported(session).map(Binding);
    let shown = session.peer_certificates().unwrap_or_default();
    let chain = shown.iter().cloned().map(CertificateDer::into_owned);
    let chain = chain.collect();
    let channel = channel(Box::new(secured(stream, target)), target);
    Ok(Single {
        channel,
        binding,
        chain,
    })
}

/// A channel whose first connection is this one. It has no other.
fn channel(io: Box<dyn Io>, target: &Target) -> Channel {
    let endpoint = endpoint((&target.host, target.port), &target.trust);
    let (received, last_word) = (Received::default(), target.last_word.clone());
    let (counter, address) = (received.clone(), target.address());
    // Nobody uses it: Join is spoken over gRPC only.
    let http = HttpChannel::new(target.speaking(Carrier::Http), received.clone());
    let only = Arc::new(Mutex::new(Some(io)));
    Channel::new(target.address(), received, http, last_word, move || {
        let (only, counter, address) = (Arc::clone(&only), counter.clone(), address.clone());
        let connector = service_fn(move |_| {
            let io = only.lock().take();
            let ended = ConnectError::Network {
                address: address.clone(),
                problem: "the connection has ended".to_owned(),
            };
            let io = io.map(|io| TokioIo::new(counter.count(io)));
            async move { io.ok_or(ended) }
        });
        endpoint.connect_with_connector_lazy(connector)
    })
}
