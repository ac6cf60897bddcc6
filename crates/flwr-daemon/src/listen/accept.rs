//! The accept loop. Passes a connection on once the client speaks the protocol of the port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::clients::Clients;
use super::connection::Connection;
use super::greet::{self, Greeter, Refused};
use super::quiet::Quiet;
use super::sockets::Sockets;
use super::{Limits, Listener};
use crate::stop::Stopper;

/// The pause after a failed accept. Too many open files is an error that may pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The log gets one line of a kind in this time: a scanner must not fill the disk.
const LOG_PERIOD: Duration = Duration::from_secs(5);

type Ready = mpsc::Sender<io::Result<Connection>>;

/// The parts that all handshake tasks share.
struct Door {
    name: &'static str,
    port: u16,
    greeter: Greeter,
    timeout: Duration,
    quiet: Quiet,
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
    } = listener;
    let clients = Arc::new(Clients::new(name, &security, allowed));
    let door = Arc::new(Door {
        name,
        port: sockets.bound().first().port(),
        greeter: Greeter::new(security, limits.handshakes),
        timeout: limits.handshake_timeout,
        quiet: Quiet::new(LOG_PERIOD),
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
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
    ready: Ready,
    cut: CancellationToken,
) {
    match timeout(door.timeout, door.greeter.greet(stream, peer)).await {
        Ok(Ok((transport, preface))) => {
            match Connection::new(transport, preface, peer, (place, &door.clients), cut) {
                // Nobody takes it: the server is stopping.
                Ok(connection) => drop(ready.send(Ok(connection)).await),
                Err(refused) => log_refused(&door, peer, &refused),
            }
        }
        Ok(Err(refused)) => log_refused(&door, peer, &refused),
        Err(_) => log_refused(&door, peer, &Refused::Silent),
    }
}

fn log_refused(door: &Door, peer: SocketAddr, refused: &Refused) {
    if !refused.is_worth_a_line() {
        debug!("{}: {peer}: {refused}", door.name);
    } else if let Some(more) = door.quiet.ask(refused.kind()) {
        let (name, port) = (door.name, door.port);
        warn!(%peer, more, "{name} on port {port}: {}", greet::describe(refused));
    }
}
