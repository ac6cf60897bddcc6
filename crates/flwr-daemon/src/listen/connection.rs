//! A connection that is ready to be served.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use flwr_metrics::Entered;
use flwr_security::joining::exported;
use flwr_security::peer::{Binding, Chain, Peer, Standing};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use super::clients::{Clients, Shown, Watched};
use super::greet::Refused;

/// A connection after its handshake. It counts under the listener's limit, and breaks when the
/// listener cuts it.
pub struct Connection {
    transport: Transport,
    /// The bytes that were read to detect the protocol. The server reads them again.
    preface: Bytes,
    peer: Peer,
    chain: Option<Chain>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// When the connection ends if no caller was admitted by then. `None`: somebody was.
    stranger: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
    _counted: Entered,
    /// Has the client's certificate looked at again.
    _watched: Option<Watched>,
}

/// What a connection counts under.
pub(super) struct Admission {
    /// Its place under the listener's limit.
    pub(super) place: OwnedSemaphorePermit,
    /// Its place among those of strangers.
    pub(super) standing: Standing,
    /// How long it may be there.
    pub(super) within: Duration,
    /// Its place among the connections that are counted.
    pub(super) counted: Entered,
}

/// Whether only processes of this machine can have this address.
pub(super) fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    pub(super) fn new(
        transport: Transport,
        preface: Bytes,
        (address, local): (SocketAddr, SocketAddr),
        (admission, clients): (Admission, &Arc<Clients>),
        cut: CancellationToken,
    ) -> Result<Self, Refused> {
        let Admission {
            place,
            standing,
            within,
            counted,
        } = admission;
        let shown = transport.shown(clients)?;
        let cut = match shown {
            Some(_) => cut.child_token(),
            None => cut,
        };
        let certificate = shown.as_ref().map(|shown| Arc::clone(&shown.certificate));
        let chain = shown.as_ref().map(|shown| Chain(Arc::clone(&shown.chain)));
        Ok(Self {
            peer: Peer {
                address,
                local,
                tls: transport.is_tls(),
                may_be_forwarded: false,
                certificate,
                standing,
                binding: transport.binding(),
                proven: Arc::default(),
                process: None,
            },
            chain,
            stranger: Some(Box::pin(sleep(within))),
            transport,
            preface,
            _place: place,
            _counted: counted,
            _watched: shown.map(|shown| clients.add(shown, address, cut.clone())),
            cut: Box::pin(cut.cancelled_owned()),
        })
    }

    /// Who is at the other end.
    pub(super) const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The certificates that the client has shown, if it has.
    pub(super) const fn chain(&self) -> Option<&Chain> {
        self.chain.as_ref()
    }

    /// Whether the connection is over: the listener cuts it, or no caller was admitted in time.
    fn poll_cut(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(stranger) = &mut self.stranger
            && stranger.as_mut().poll(context).is_ready()
        {
            if !self.peer.standing.is_admitted() {
                let text = "no caller was admitted in time";
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            self.stranger = None;
        }
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the server ends this connection",
            )),
            Poll::Pending => Ok(()),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl Transport {
    /// Whether the peer sees a certificate of ours.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// What binds a proof to this connection.
    fn binding(&self) -> Option<Binding> {
        let Self::Tls(stream) = self else {
            return None;
        };
        let (_, session) = stream.get_ref();
        exported(session).map(Binding)
    }

    /// What the peer has shown, if it was asked. A certificate that cannot be read here has no name
    /// by which a list could know it: its client must not count as one that has shown nothing.
    fn shown(&self, clients: &Clients) -> Result<Option<Shown>, Refused> {
        let Self::Tls(stream) = self else {
            return Ok(None);
        };
        let (_, session) = stream.get_ref();
        let Some(chain) = session
            .peer_certificates()
            .filter(|chain| !chain.is_empty())
        else {
            return Ok(None);
        };
        let shown = clients.read(chain).map_err(Refused::Certificate)?;
        Ok(Some(shown))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.preface.is_empty() {
            let length = self.preface.len().min(buffer.remaining());
            buffer.put_slice(&self.preface[..length]);
            self.preface.advance(length);
            return Poll::Ready(Ok(()));
        }
        self.poll_cut(context)?;
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_cut(context)?;
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_cut(context)?;
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_cut(context)?;
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(context),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = self.poll_cut(context);
        let ended = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        };
        Poll::Ready(ready!(ended))
    }
}
