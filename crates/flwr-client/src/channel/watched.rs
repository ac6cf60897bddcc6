//! Wraps a connection and tells an observer which bytes were read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What each read gave goes through `see`, which may make an error of it, or another.
pub(super) struct Watched<T, F> {
    inner: T,
    see: F,
}

impl<T, F: FnMut(io::Result<&[u8]>) -> io::Result<()>> Watched<T, F> {
    pub(super) const fn new(inner: T, see: F) -> Self {
        Self { inner, see }
    }
}

impl<T, F> AsyncRead for Watched<T, F>
where
    T: AsyncRead + Unpin,
    F: FnMut(io::Result<&[u8]>) -> io::Result<()> + Unpin,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        // Without room nothing is read, which is not the end.
        let has_room = buffer.remaining() > 0;
        let read = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        if !has_room {
            return Poll::Ready(read);
        }
        let read = read.map(|()| buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready((self.see)(read))
    }
}

impl<T: AsyncWrite + Unpin, F: Unpin> AsyncWrite for Watched<T, F> {
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
