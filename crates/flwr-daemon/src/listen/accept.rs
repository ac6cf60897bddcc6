//! The accept loop. Passes a connection on once the client speaks the protocol of the port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::quiet::Quiet;
use flwr_security::peer::Standing;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::balancers::{self, Balancers};
use super::clients::Clients;
use super::connection::{Admission, Connection, Transport};
use super::greet::{self, Greeter, Refused, Serves, Spoken};
use super::sockets::Sockets;
use super::strangers::Strangers;
use super::{Limits, Listener, Meter};
use crate::stop::Stopper;

/// The pause after a failed accept. Too many open files is an error that may pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections go that are ready to be served.
#[derive(Clone)]
pub(super) struct Ready {
    /// Those that speak gRPC over HTTP/2.
    pub(super) http2: mpsc::Sender<io::Result<Connection>>,
    /// Those that speak HTTP/1. `None`: HTTP/1 is not served.
    pub(super) http1: Option<mpsc::Sender<Connection>>,
}

/// The parts that all handshake tasks share.
struct Door {
    name: &'static str,
    port: u16,
    greeter: Greeter,
    timeout: Duration,
    strangers: Strangers,
    stranger_timeout: Duration,
    balancers: Balancers,
    meter: Meter,
    /// A scanner must not fill the disk.
    quiet: Quiet<&'static str>,
    clients: Arc<Clients>,
}

/// Accepts until `stopper` stops. Handshakes that are not done by then are dropped.
pub(super) async fn run(
    listener: Listener,
    ready: Ready,
    stopper: Stopper,
    cut: CancellationToken,
) {
    let Listener {
        sockets,
        security,
        name,
        limits,
        allowed,
        nodes,
        http1: _,
        serves_grpc,
    } = listener;
    let serves = Serves {
        http1: ready.http1.is_some(),
        grpc: serves_grpc,
    };
    let clients = Arc::new(Clients::new(name, &security, allowed, nodes));
    let door = Arc::new(Door {
        name,
        port: sockets.bound().first().port(),
        greeter: Greeter::new(security, serves, limits.handshakes),
        timeout: limits.handshake_timeout,
        strangers: limits.strangers.clone(),
        stranger_timeout: limits.stranger_timeout,
        balancers: limits.balancers.clone(),
        meter: limits.meter.clone(),
        quiet: Quiet::default(),
        clients: Arc::clone(&clients),
    });
    let mut handshakes = JoinSet::new();
    let accepting = accept_all(&sockets, &door, &limits, &ready, &cut, &mut handshakes);
    let working = async { tokio::join!(accepting, clients.watch()) };
    stopper.run_until_stopped(working).await;
    handshakes.shutdown().await;
}

async fn accept_all(
    sockets: &Sockets,
    door: &Arc<Door>,
    limits: &Limits,
    ready: &Ready,
    cut: &CancellationToken,
    handshakes: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let Some(place) = take_place(&places, door, limits.connections).await else {
            return;
        };
        let (stream, peer) = match sockets.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                accept_failed(door, &error).await;
                continue;
            }
        };
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        handshakes.spawn(enter(
            Arc::clone(door),
            stream,
            peer,
            place,
            ready.clone(),
            cut.clone(),
        ));
        while handshakes.try_join_next().is_some() {}
    }
}

async fn take_place(
    places: &Arc<Semaphore>,
    door: &Door,
    limit: usize,
) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Some(place);
    }
    if let Some(more) = door.quiet.ask("full") {
        warn!(
            more,
            "{}: {limit} connections are open; new ones wait until one closes", door.name
        );
    }
    Arc::clone(places).acquire_owned().await.ok()
}

async fn accept_failed(door: &Door, error: &io::Error) {
    if let Some(more) = door.quiet.ask("accept") {
        warn!(more, "{}: cannot accept a connection: {error}", door.name);
    }
    sleep(ACCEPT_PAUSE).await;
}

/// One connection from accept to the server, or to a refusal.
async fn enter(
    door: Arc<Door>,
    stream: TcpStream,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
    ready: Ready,
    cut: CancellationToken,
) {
    // Unknown of a connection that has ended meanwhile: the greeting will tell.
    let local = stream.local_addr().unwrap_or(address);
    let mut client = address;
    match timeout(door.timeout, door.greet(stream, &mut client)).await {
        Ok(Ok((transport, spoken, standing))) => {
            let admission = Admission {
                place,
                standing,
                within: door.stranger_timeout,
                counted: door.meter.enter(door.name),
            };
            let (is_http1, start) = match spoken {
                Spoken::Http1(start) => (true, start),
                Spoken::Http2(preface) => (false, preface),
            };
            match Connection::new(
                transport,
                start,
                (client, local),
                (admission, &door.clients),
                cut,
            ) {
                // Nobody takes it: the server is stopping.
                Ok(connection) => match &ready.http1 {
                    Some(http1) if is_http1 => drop(http1.send(connection).await),
                    _ => drop(ready.http2.send(Ok(connection)).await),
                },
                Err(refused) => log_refused(&door, client, &refused),
            }
        }
        Ok(Err(refused)) => log_refused(&door, client, &refused),
        Err(_) => log_refused(&door, client, &Refused::Silent),
    }
}

impl Door {
    /// Brings a connection up to its first request, among those of strangers. A balancer tells the
    /// `client`.
    async fn greet(
        &self,
        mut stream: TcpStream,
        client: &mut SocketAddr,
    ) -> Result<(Transport, Spoken, Standing), Refused> {
        if self.balancers.contain(client.ip()) {
            let told = balancers::client(&mut stream, *client).await;
            *client = told.map_err(Refused::NoProxyProtocol)?;
        }
        let place = self
            .strangers
            .enter(client.ip())
            .map_err(Refused::Strangers)?;
        let standing = Standing::stranger(place);
        let (transport, spoken) = self.greeter.greet(stream, *client).await?;
        Ok((transport, spoken, standing))
    }
}

fn log_refused(door: &Door, peer: SocketAddr, refused: &Refused) {
    door.meter.refused(refused);
    if !refused.is_worth_a_line() {
        debug!("{}: {peer}: {refused}", door.name);
    } else if let Some(more) = door.quiet.ask(refused.kind()) {
        let (name, port) = (door.name, door.port);
        warn!(%peer, more, "{name} on port {port}: {}", greet::describe(refused));
    }
}
