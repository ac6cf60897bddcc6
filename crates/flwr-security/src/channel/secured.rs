//! A TLS connection that tells what the server says against it after the handshake: in TLS 1.3 a
//! server looks at the client's certificate when the client is already talking.
//!
//! As with `plaintext`, whoever made the call finds the text among the causes of its status.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ConnectError;
use crate::tls::{Reason, explain};

/// A connection whose handshake is done on this side.
pub(super) struct Secured<T> {
    inner: T,
    address: String,
}

impl<T> Secured<T> {
    pub(super) const fn new(inner: T, address: String) -> Self {
        Self { inner, address }
    }

    fn explained(&self, error: io::Error) -> io::Error {
        match explain(&error) {
            reason @ Reason::Alert(_) => {
                let address = self.address.clone();
                let kind = io::ErrorKind::ConnectionAborted;
                io::Error::new(kind, ConnectError::Tls { address, reason })
            }
            _ => error,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Secured<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        Poll::Ready(read.map_err(|error| self.explained(error)))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Secured<T> {
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
