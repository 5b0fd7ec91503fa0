//! How long a client that does not read is waited for.
//!
//! Responsible for: ending a connection whose peer takes nothing off it, so that nobody keeps an answer and its place
//! for ever. Followed logs and `exec` wait without end: a person may hold the output (`| less`).

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// A connection's switch between waiting for a bounded time and waiting without end.
#[derive(Clone, Debug, Default)]
pub(super) struct Patience(Arc<AtomicBool>);

impl Patience {
    /// Waits without end from now on.
    pub(super) fn endless(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection that breaks when its peer stalls.
pub(super) struct Patient<Io> {
    io: Io,
    patience: Patience,
    stall: Duration,
    /// Runs from the first write that could not be made until the next that could.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<Io: Unpin> Patient<Io> {
    pub(super) fn new(io: Io, patience: Patience, stall: Duration) -> Self {
        Self { io, patience, stall, stalled: None }
    }

    fn weigh<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut Io>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(result) = write(Pin::new(&mut self.io), cx) {
            self.stalled = None;
            return Poll::Ready(result);
        }
        let stall = self.stall;
        let over = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall))).as_mut().poll(cx);
        if over.is_pending() || self.patience.0.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Patient<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Patient<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.weigh(cx, |io, cx| io.poll_write(cx, buf))
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.weigh(cx, |io, cx| io.poll_write_vectored(cx, bufs))
    }
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.weigh(cx, |io, cx| io.poll_flush(cx))
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.weigh(cx, |io, cx| io.poll_shutdown(cx))
    }
}
