//! A connection that tells a slow head from an idle wait, and gives up on who does not read.
//!
//! Hyper has one time limit for both: it runs from the end of one request to the end of the next one's head. A proxy keeps idle
//! connections for a minute, and a client that drips a head byte by byte should not have that long. For writing it has none at all.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use nexus_types::limits::{ANSWER_MS_MAX, HEAD_MS_MAX};
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

/// A TCP stream whose reads fail once a head has taken longer than it may, and whose writes fail once an answer has. The first head
/// has to begin at once.
pub struct Heads {
    tcp: TcpStream,
    requests: Requests,
    /// The heads that were whole when `due` was set.
    begun: u64,
    /// Runs from the first byte of a head.
    due: Option<Pin<Box<Sleep>>>,
    /// Runs from when the kernel took no more of an answer until it has taken the whole. A client that reads a little now and then
    /// does not stop it.
    stuck: Option<Pin<Box<Sleep>>>,
    answer_ms_max: i64,
}

fn after(ms: i64) -> Pin<Box<Sleep>> {
    Box::pin(sleep(Duration::from_millis(ms.cast_unsigned())))
}

impl Heads {
    pub(super) fn new(tcp: TcpStream, requests: Requests) -> Self {
        Self {
            tcp,
            requests,
            begun: 0,
            due: Some(after(HEAD_MS_MAX)),
            stuck: None,
            answer_ms_max: ANSWER_MS_MAX,
        }
    }

    /// The stream alone, once HTTP is over.
    pub fn into_inner(self) -> TcpStream {
        self.tcp
    }

    /// What became of a write, unless the answer has taken too long.
    fn written(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_pending() && self.stuck.is_none() {
            self.stuck = Some(after(self.answer_ms_max));
        }
        if let Some(stuck) = &mut self.stuck
            && stuck.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
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
            self.due = Some(after(HEAD_MS_MAX));
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
        let written = Pin::new(&mut self.tcp).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(context, slices);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Hyper comes here when it has handed over everything.
        self.stuck = None;
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// More than the kernel takes of what nobody reads.
    const MUCH: usize = 64 * 1024 * 1024;

    async fn pair() -> (Heads, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address"))
            .await
            .expect("it listens");
        let (server, _) = listener.accept().await.expect("it came");
        let mut heads = Heads::new(server, Requests::default());
        heads.answer_ms_max = 300;
        (heads, client)
    }

    async fn send(heads: &mut Heads, bytes: usize) -> io::Result<()> {
        heads.write_all(&vec![b'x'; bytes]).await?;
        heads.flush().await
    }

    #[tokio::test]
    async fn who_never_reads_is_given_up() {
        let (mut heads, _client) = pair().await;
        let sent = tokio::time::timeout(Duration::from_secs(10), send(&mut heads, MUCH)).await;
        assert_eq!(sent.expect("it ends").expect_err("nobody read").kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_reads_a_little_now_and_then_wins_no_time() {
        let (mut heads, mut client) = pair().await;
        let reader = tokio::spawn(async move {
            let mut bytes = vec![0; 64 * 1024];
            while client.read(&mut bytes).await.is_ok_and(|count| count > 0) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let sent = tokio::time::timeout(Duration::from_secs(10), send(&mut heads, MUCH)).await;
        assert_eq!(sent.expect("it ends").expect_err("too slow").kind(), io::ErrorKind::TimedOut);
        reader.abort();
    }

    #[tokio::test]
    async fn each_answer_has_its_own_time() {
        let (mut heads, mut client) = pair().await;
        heads.answer_ms_max = 5_000;
        let reader = tokio::spawn(async move { tokio::io::copy(&mut client, &mut tokio::io::sink()).await });
        send(&mut heads, MUCH).await.expect("somebody reads");
        assert!(heads.stuck.is_none());
        drop(heads);
        assert_eq!(reader.await.expect("it ended").expect("it read"), MUCH as u64);
    }
}
