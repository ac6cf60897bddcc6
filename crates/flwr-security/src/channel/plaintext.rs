//! A plaintext connection that notices when the other side speaks TLS.
//!
//! The first byte that a server sends tells: HTTP/2 begins with a SETTINGS frame, whose length is
//! far below 0x150000, and TLS with an alert or a handshake record. Nothing is waited for.
//!
//! h2 keeps the kind and the text of a failed read, and drops the error itself: whoever made the
//! call finds the text among the causes of its status, and not the [`ConnectError`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ConnectError;

/// Content types of TLS records (RFC 8446, 5.1) with which a server begins.
const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;

/// A connection without TLS.
pub(super) struct Plaintext<T> {
    inner: T,
    address: String,
    /// Whether the other side has sent a byte.
    heard: bool,
}

impl<T> Plaintext<T> {
    pub(super) const fn new(inner: T, address: String) -> Self {
        Self {
            inner,
            address,
            heard: false,
        }
    }

    /// Looks at what the first read gave.
    fn check(&self, first: io::Result<Option<u8>>) -> io::Result<()> {
        let address = self.address.clone();
        match first {
            Ok(Some(ALERT | HANDSHAKE)) => Err(failure(ConnectError::TlsServer { address })),
            Ok(None) => Err(failure(ConnectError::Wordless { address })),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                Err(failure(ConnectError::Wordless { address }))
            }
            other => other.map(drop),
        }
    }
}

/// The form of a failed read.
fn failure(error: ConnectError) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, error)
}

impl<T: AsyncRead + Unpin> AsyncRead for Plaintext<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        if self.heard || buffer.capacity() == before {
            return Poll::Ready(read);
        }
        self.heard = true;
        Poll::Ready(self.check(read.map(|()| buffer.filled().get(before).copied())))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Plaintext<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
