//! A connection that tells a slow head from an idle wait.
//!
//! Hyper has one time limit for both: it runs from the end of one request to the end of the next one's head. A proxy keeps idle
//! connections for a minute, and a client that drips a head byte by byte should not have that long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use nexus_types::limits::HEAD_MS_MAX;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// What the service tells the stream: how many heads were whole, and whether a request is being served, during which nothing that
/// comes is a head.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests(Arc<State>);

#[derive(Debug, Default)]
struct State {
    begun: AtomicU64,
    serving: AtomicBool,
}

impl Requests {
    pub(super) fn begin(&self) {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.0.serving.store(true, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.0.serving.store(false, Ordering::Relaxed);
    }
}

/// A TCP stream whose reads fail once a head has taken longer than it may. The first one has to begin at once.
pub struct Heads {
    tcp: TcpStream,
    requests: Requests,
    /// The heads that were whole when `due` was set.
    begun: u64,
    /// Runs from the first byte of a head.
    due: Option<Pin<Box<Sleep>>>,
}

fn due() -> Pin<Box<Sleep>> {
    Box::pin(sleep(Duration::from_millis(HEAD_MS_MAX.cast_unsigned())))
}

impl Heads {
    pub(super) fn new(tcp: TcpStream, requests: Requests) -> Self {
        Self {
            tcp,
            requests,
            begun: 0,
            due: Some(due()),
        }
    }

    /// The stream alone, once HTTP is over.
    pub fn into_inner(self) -> TcpStream {
        self.tcp
    }
}

impl AsyncRead for Heads {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.tcp).poll_read(context, buffer);
        let begun = self.requests.0.begun.load(Ordering::Relaxed);
        if begun != self.begun {
            self.begun = begun;
            self.due = None;
        }
        let is_head = !self.requests.0.serving.load(Ordering::Relaxed);
        if is_head && self.due.is_none() && read.is_ready() && buffer.filled().len() > before {
            self.due = Some(due());
        }
        // Also polled when bytes came, so that it wakes this task when the next ones do not.
        if let Some(due) = &mut self.due
            && due.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Heads {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
