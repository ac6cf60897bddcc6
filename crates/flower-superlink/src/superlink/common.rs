//! The port of all services over HTTP. TLS asks clients for a certificate there and takes none too, so
//! that each service checks by itself what its own port asks for.

use flwr_core::refusal::Refusal;
use flwr_daemon::listen::{self, Limits, Listener, Security};
use flwr_security::peer::{Chain, Peer};
use flwr_security::tls::PortTls;
use flwr_wire::door::{Control, ControlDoor, Fenced, FleetDoor, HttpDoors, Runtime, RuntimeDoor};
use http::Request;
use rustls_pki_types::UnixTime;
use tonic::body::Body;
use tracing::warn;

use super::services::COMMON;
use crate::config::{Config, Transport};
use crate::host::Host;

/// Opens the port. `None`: it is the usual one, and another program has it.
pub(super) async fn bind(
    config: &Config,
    limits: &Limits,
) -> Result<Option<Listener>, listen::Error> {
    let security = match &config.transport {
        Transport::Plaintext => Security::Plaintext,
        Transport::Tls(tls) => Security::Tls(tls.asking_anybody()),
    };
    let address = config.common.address.to_string();
    match Listener::bind(&address, security, COMMON, limits.clone()).await {
        Ok(listener) => Ok(Some(listener)),
        Err(listen::Error::InUse { .. }) if !config.common.is_given => {
            warn!(
                "{address}, the usual address for all services over HTTP, is in use: they are served on their own ports only; --port sets another"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What is served there.
pub(super) fn doors(host: &Host, config: &Config) -> HttpDoors {
    let tls = config.transport.tls();
    let of_nodes = tls.map(|tls| tls.asking());
    let of_people = tls.map(|tls| config.control_tls(tls));
    HttpDoors::new()
        .with_rule(FleetDoor::new(host.clone()), move |request| {
            certified(of_nodes.as_ref(), request)
        })
        .with_rule(
            ControlDoor::<_, Control>::new(host.clone()),
            move |request| certified(of_people.as_ref(), request),
        )
        .with_rule(
            RuntimeDoor::<_, Runtime>::for_serverapps(host.clone()),
            of_apps,
        )
}

/// Checks the client's certificate as the service's own port would. Where that asks for none, the client
/// counts as one that has shown none.
fn certified(tls: Option<&PortTls>, request: &mut Request<Body>) -> Result<(), Fenced> {
    let Some(tls) = tls else {
        return Ok(());
    };
    if !tls.asks() {
        if let Some(peer) = request.extensions_mut().get_mut::<Peer>() {
            peer.certificate = None;
        }
        return Ok(());
    }
    let shown = request.extensions().get::<Chain>();
    let checked = tls.require(shown.map(|chain| &*chain.0), UnixTime::now());
    checked.map_err(|why| Fenced::Refused(Refusal::CertificateNeeded(why).into()))
}

/// Apps come from this machine. This is a second fence only: a program that forwards to this port, such
/// as a proxy, makes strangers look like processes of this machine.
fn of_apps(request: &mut Request<Body>) -> Result<(), Fenced> {
    match request.extensions_mut().get_mut::<Peer>() {
        Some(peer) if peer.address.ip().to_canonical().is_loopback() => {
            peer.may_be_forwarded = true;
            Ok(())
        }
        _ => Err(Fenced::NotHere),
    }
}

#[cfg(test)]
mod tests;
