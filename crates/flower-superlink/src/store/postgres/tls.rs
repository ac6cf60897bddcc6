//! TLS of connections to PostgreSQL, by the rustls configuration of this program.
//!
//! The server's certificate is always verified, with the name that was dialled. A login by SCRAM is
//! bound to the certificate where the server offers that.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use flwr_security::tls::{ClientFiles, ClientTls, TlsError, explain, server_end_point};
use futures::future::BoxFuture;
use rustls::ClientConfig;
use rustls_pki_types::{InvalidDnsNameError, ServerName};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{self, ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::url::PostgresUrl;

/// What PostgreSQL's protocol is called in TLS, from PostgreSQL 17 on. Older servers do not look.
const ALPN: &[u8] = b"postgresql";

/// Makes TLS connections to a server of PostgreSQL.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Trusts what the address names, or else what the system trusts.
    pub(super) fn of(address: &PostgresUrl) -> Result<Self, TlsError> {
        let tls = ClientTls::load(ClientFiles {
            roots: address.roots().map(Into::into),
            ..ClientFiles::default()
        })?;
        let mut config = ClientConfig::clone(&tls.config());
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

impl<S> MakeTlsConnect<S> for Tls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type TlsConnect = Handshake;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, InvalidDnsNameError> {
        Ok(Handshake {
            connector: Arc::clone(&self.0).into(),
            server: ServerName::try_from(host.to_owned())?,
        })
    }
}

/// The handshake with one server.
pub(super) struct Handshake {
    connector: TlsConnector,
    server: ServerName<'static>,
}

/// Why a handshake failed.
#[derive(Debug, Error)]
pub(super) enum HandshakeError {
    /// The server is not believed, or does not believe.
    #[error("TLS with {host}: {reason}")]
    Refused {
        /// The name that was dialled.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// The connection ended. That may pass.
    #[error("the connection to {host} ended during the TLS handshake")]
    Lost {
        /// The name that was dialled.
        host: String,
        /// What the system said.
        source: io::Error,
    },
}

impl HandshakeError {
    fn new(host: String, error: io::Error) -> Self {
        let cause = error.get_ref();
        match cause.is_some_and(|cause| cause.is::<rustls::Error>()) {
            true => Self::Refused {
                host,
                reason: explain(&error).of_other_service(),
            },
            false => Self::Lost {
                host,
                source: error,
            },
        }
    }
}

impl<S> TlsConnect<S> for Handshake
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type Error = HandshakeError;
    type Future = BoxFuture<'static, Result<Encrypted<S>, HandshakeError>>;

    fn connect(self, stream: S) -> Self::Future {
        let host = self.server.to_str().into_owned();
        let connecting = self.connector.connect(self.server, stream);
        Box::pin(async move {
            let connected = connecting.await.map(Encrypted);
            connected.map_err(|error| HandshakeError::new(host, error))
        })
    }
}

/// An encrypted connection.
pub(super) struct Encrypted<S>(TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> tls::TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let (_, session) = self.0.get_ref();
        let shown = session.peer_certificates().unwrap_or_default();
        let end_point = shown.first().and_then(server_end_point);
        end_point.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
