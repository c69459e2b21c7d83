//! The first transport: a WebSocket that its own task reads, and that everybody who sends to it writes.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::closings::Closing;
use super::transports::{Incoming, READ_BYTES, Share};
use crate::metrics;
use crate::websockets::{self, Intake, WebSocket, frames};

/// How long a closed socket may take to send what it still has to, and then to read it.
const CLOSING: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Socket {
    tcp: TcpStream,
    state: Mutex<State>,
    /// Tells the task that something changed that it did not do itself.
    wake: Notify,
}

struct State {
    websocket: WebSocket,
    /// What waits to go out.
    share: Share,
    /// What has come of an unfinished frame.
    begun: Share,
}

/// How it stands with what is to go out.
struct Progress {
    /// Something waits for the kernel.
    waits: bool,
    /// This is the end.
    ends: bool,
}

impl State {
    fn close(&mut self, closing: Closing) {
        self.websocket.close(closing as u16, closing.reason());
    }

    /// Reads one message. Who holds an unfinished one when memory is scarce has to go.
    fn read(&mut self, tcp: &TcpStream) -> websockets::Incoming {
        let incoming = self.websocket.read(tcp);
        if !self.begun.take_in(self.websocket.begun_bytes()) {
            self.close(Closing::TryLater);
        }
        incoming
    }

    fn flush(&mut self, tcp: &TcpStream) {
        self.websocket.flush(tcp);
        self.share.set(self.websocket.waiting(), self.websocket.waiting_bytes());
    }
}

impl Socket {
    pub(super) fn new(tcp: TcpStream, already_read: Vec<u8>, frame_bytes_max: usize, all_waiting: Arc<AtomicUsize>) -> Self {
        let intake = Intake {
            message_bytes_max: frame_bytes_max,
            read_bytes: READ_BYTES,
        };
        let state = State {
            websocket: WebSocket::new(intake, already_read),
            share: Share::new(all_waiting.clone()),
            begun: Share::new(all_waiting),
        };
        Self {
            tcp,
            state: Mutex::new(state),
            wake: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn send(&self, text: &str) -> bool {
        // The copy is of the frame's own size; the buffer that it was read into may be much larger.
        self.push(frames::text(Bytes::copy_from_slice(text.as_bytes())))
    }

    pub(super) fn ping(&self) -> bool {
        self.push(frames::ping())
    }

    fn push(&self, frame: Bytes) -> bool {
        let mut state = self.state();
        if state.websocket.is_closing() || state.websocket.is_broken() {
            return false;
        }
        let has_room = state.share.has_room(frame.len(), 0);
        if has_room {
            state.websocket.push(frame);
        } else {
            state.close(Closing::Slow);
            metrics::slow_reader();
        }
        state.flush(&self.tcp);
        if !has_room || state.websocket.is_broken() || state.websocket.waiting() > 0 {
            self.wake.notify_one();
        }
        has_room
    }

    pub(super) fn close(&self, closing: Closing) {
        let mut state = self.state();
        state.close(closing);
        state.flush(&self.tcp);
        self.wake.notify_one();
    }

    fn flush(&self) -> Progress {
        let mut state = self.state();
        state.flush(&self.tcp);
        let broken = state.websocket.is_broken();
        Progress {
            waits: state.websocket.waiting() > 0 && !broken,
            ends: state.websocket.is_closing() || broken,
        }
    }

    /// Reads one message, and says whether another has begun.
    fn read(&self) -> (websockets::Incoming, bool) {
        let mut state = self.state();
        (state.read(&self.tcp), state.websocket.begun_bytes() > 0)
    }

    pub(super) async fn next(&self, reading: bool, deadline: Instant) -> Incoming {
        loop {
            if reading {
                match self.read() {
                    (websockets::Incoming::Text(text), _) => return Incoming::Frame(text, None),
                    (websockets::Incoming::Binary(_), _) => self.close(Closing::Binary),
                    (websockets::Incoming::Control, false) => return Incoming::Alive,
                    // Who begins a frame has to finish it, and can't hold it by pings in between.
                    (websockets::Incoming::Control, true) => return Incoming::Turn,
                    (websockets::Incoming::TurnOver, _) => {
                        // Readiness alone does not count against a task's share of its thread.
                        tokio::task::yield_now().await;
                        return Incoming::Turn;
                    }
                    (websockets::Incoming::Nothing, _) => {}
                    (websockets::Incoming::Gone, _) => return Incoming::Gone,
                }
            }
            let progress = self.flush();
            if progress.ends {
                return Incoming::Gone;
            }
            tokio::select! {
                () = self.ready(reading, progress.waits) => {}
                () = self.wake.notified() => {}
                () = sleep_until(deadline) => return Incoming::Due,
            }
        }
    }

    /// Waits until there is something to do at all.
    async fn ready(&self, reading: bool, backlog: bool) {
        if websockets::ready(&self.tcp, reading, backlog).await.is_err() {
            self.state().websocket.break_off();
        }
    }

    pub(super) async fn finish(&self) {
        let last_words = async { while self.flush().waits && self.tcp.writable().await.is_ok() {} };
        // A client that does not read its close frame loses it.
        drop(tokio::time::timeout(CLOSING, last_words).await);
    }

    pub(super) async fn linger(&self) {
        websockets::linger(&self.tcp, CLOSING).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use nexus_testkit::wires::frame;
    use nexus_types::limits::{RELAY_FRAME_BYTES, RELAY_QUEUES_BYTES_MAX};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    const MOMENT: Duration = Duration::from_millis(100);

    /// A socket whose relay holds so much already, and its client.
    async fn pair(all: &Arc<AtomicUsize>) -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address"))
            .await
            .expect("it listens");
        let (tcp, _) = listener.accept().await.expect("it came");
        (Socket::new(tcp, vec![], RELAY_FRAME_BYTES, all.clone()), client)
    }

    async fn send(client: &mut TcpStream, bytes: &[u8]) {
        client.write_all(bytes).await.expect("it is sent");
    }

    #[tokio::test]
    async fn what_has_come_of_a_frame_is_counted_until_it_is_whole() {
        let all = Arc::new(AtomicUsize::new(0));
        let (socket, mut client) = pair(&all).await;
        let whole = frame(0x81, true, &vec![b'x'; RELAY_FRAME_BYTES]);
        let (first, rest) = whole.split_at(whole.len() / 2);
        send(&mut client, first).await;
        let deadline = Instant::now() + LONG;
        while all.load(Ordering::Relaxed) < first.len() - READ_BYTES {
            assert!(Instant::now() < deadline, "{} of {}", all.load(Ordering::Relaxed), first.len());
            let incoming = socket.next(true, Instant::now() + MOMENT).await;
            assert!(matches!(incoming, Incoming::Due | Incoming::Turn), "it is not whole");
        }
        assert_eq!(all.load(Ordering::Relaxed), first.len() - READ_BYTES);
        send(&mut client, rest).await;
        assert!(matches!(socket.next(true, deadline).await, Incoming::Frame(text, None) if text.len() == RELAY_FRAME_BYTES));
        assert_eq!(all.load(Ordering::Relaxed), 0);
        send(&mut client, first).await;
        drop(client);
        assert!(matches!(socket.next(true, deadline).await, Incoming::Gone));
        drop(socket);
        assert_eq!(all.load(Ordering::Relaxed), 0, "who vanishes gives it back");
    }

    #[tokio::test]
    async fn who_holds_an_unfinished_frame_when_memory_is_scarce_is_closed() {
        let all = Arc::new(AtomicUsize::new(RELAY_QUEUES_BYTES_MAX));
        let (socket, mut client) = pair(&all).await;
        let deadline = Instant::now() + LONG;
        // A small one is taken all the same, also in two parts.
        let small = frame(0x81, true, &[b'x'; READ_BYTES / 2]);
        let (first, rest) = small.split_at(100);
        send(&mut client, first).await;
        assert!(matches!(socket.next(true, Instant::now() + MOMENT).await, Incoming::Due));
        send(&mut client, rest).await;
        assert!(matches!(socket.next(true, deadline).await, Incoming::Frame(..)));
        let large = frame(0x81, true, &vec![b'x'; RELAY_FRAME_BYTES]);
        send(&mut client, &large[..3 * READ_BYTES]).await;
        assert!(matches!(socket.next(true, deadline).await, Incoming::Gone));
        let mut heard = [0; 4];
        client.read_exact(&mut heard).await.expect("it is told");
        assert_eq!(
            (heard[0], u16::from_be_bytes([heard[2], heard[3]])),
            (0x88, Closing::TryLater as u16)
        );
        drop(socket);
        assert_eq!(all.load(Ordering::Relaxed), RELAY_QUEUES_BYTES_MAX);
    }

    #[tokio::test]
    async fn pings_between_the_parts_of_a_frame_are_no_sign_of_life() {
        let all = Arc::new(AtomicUsize::new(0));
        let (socket, mut client) = pair(&all).await;
        let deadline = Instant::now() + LONG;
        let ping = frame(0x89, true, b"");
        send(&mut client, &ping).await;
        assert!(matches!(socket.next(true, deadline).await, Incoming::Alive));
        send(&mut client, &frame(0x01, true, b"begun")).await;
        send(&mut client, &ping).await;
        assert!(matches!(socket.next(true, deadline).await, Incoming::Turn));
        send(&mut client, &frame(0x80, true, b" and ended")).await;
        assert!(matches!(socket.next(true, deadline).await, Incoming::Frame(text, None) if &*text == "begun and ended"));
        send(&mut client, &ping).await;
        assert!(matches!(socket.next(true, deadline).await, Incoming::Alive));
    }
}
