//! A plaintext connection to a gRPC server, whose first bytes are read before anything but the preface
//! of HTTP/2 is sent.
//!
//! A server of HTTP/1.1 answers the preface and hangs up. Whoever goes on writing may see a broken
//! line in place of the answer. A server of HTTP/2 sends its settings at once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::Io;

/// What a client of HTTP/2 says first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long a server may take to say something. One that waits for more than the preface gets the rest
/// after that.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes that are read at first.
const FIRST: usize = 256;

/// A connection on which the preface has been sent.
pub(super) struct Greeted<T> {
    inner: T,
    /// What the server has said, and was not read yet.
    first: Bytes,
    /// What is left of the preface that the client will write, and that has been sent.
    sent: &'static [u8],
}

/// Sends the preface. Gives the connection, and what the server answered. `None`: nothing yet.
pub(super) async fn greet<T: Io>(mut inner: T) -> io::Result<(Greeted<T>, Option<Bytes>)> {
    inner.write_all(PREFACE).await?;
    inner.flush().await?;
    let mut first = BytesMut::with_capacity(FIRST);
    let read = timeout(PATIENCE, inner.read_buf(&mut first)).await;
    let first = first.freeze();
    let heard = match read {
        Ok(read) => Some(read.map(|_| first.clone())?),
        Err(_) => None,
    };
    let sent = PREFACE;
    Ok((Greeted { inner, first, sent }, heard))
}

impl<T: AsyncRead + Unpin> AsyncRead for Greeted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.inner).poll_read(context, buffer);
        }
        let length = self.first.len().min(buffer.remaining());
        buffer.put_slice(&self.first.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Greeted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.sent.is_empty() {
            return Pin::new(&mut self.inner).poll_write(context, bytes);
        }
        let length = self.sent.len().min(bytes.len());
        if bytes[..length] != self.sent[..length] {
            let error = "a client of HTTP/2 begins with the preface";
            return Poll::Ready(Err(io::Error::other(error)));
        }
        self.sent.advance(length);
        Poll::Ready(Ok(length))
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
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.sent.is_empty() {
            return Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.poll_write(context, first.map_or(&[], |slice| slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
