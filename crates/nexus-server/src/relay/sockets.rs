//! The first transport: a WebSocket that its own task reads, and that everybody who sends to it writes.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::closings::Closing;
use super::transports::{Incoming, Share};
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
    share: Share,
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

    fn flush(&mut self, tcp: &TcpStream) {
        self.websocket.flush(tcp);
        self.share.set(self.websocket.waiting(), self.websocket.waiting_bytes());
    }
}

impl Socket {
    pub(super) fn new(tcp: TcpStream, already_read: Vec<u8>, frame_bytes_max: usize, all_waiting: Arc<AtomicUsize>) -> Self {
        let intake = Intake {
            message_bytes_max: frame_bytes_max,
            read_bytes: 4 * 1024,
        };
        let state = State {
            websocket: WebSocket::new(intake, already_read),
            share: Share::new(all_waiting),
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

    fn read(&self) -> websockets::Incoming {
        self.state().websocket.read(&self.tcp)
    }

    pub(super) async fn next(&self, reading: bool, deadline: Instant) -> Incoming {
        loop {
            if reading {
                match self.read() {
                    websockets::Incoming::Text(text) => return Incoming::Frame(text, None),
                    websockets::Incoming::Binary(_) => self.close(Closing::Binary),
                    websockets::Incoming::Control => return Incoming::Alive,
                    websockets::Incoming::TurnOver => {
                        // Readiness alone does not count against a task's share of its thread.
                        tokio::task::yield_now().await;
                        return Incoming::Turn;
                    }
                    websockets::Incoming::Nothing => {}
                    websockets::Incoming::Gone => return Incoming::Gone,
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
        let interest = match (reading, backlog) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            (false, false) => return std::future::pending().await,
        };
        if self.tcp.ready(interest).await.is_err() {
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
