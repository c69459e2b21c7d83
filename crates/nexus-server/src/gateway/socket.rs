//! A session's WebSocket, which its own task and a shard share: the socket, and where the session stands on it.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use nexus_types::gateway::CloseCode;
use nexus_types::limits::{FRAME_BYTES_MAX, LIVE_BYTES_MAX};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::websockets::{self, Incoming, Intake, WebSocket};

/// Names a socket within its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SocketKey(pub(super) u64);

/// Clients send little.
const INTAKE: Intake = Intake {
    message_bytes_max: FRAME_BYTES_MAX,
    read_bytes: 1024,
};

/// One WebSocket and what waits to go out on it.
pub(super) struct Socket {
    pub(super) key: SocketKey,
    tcp: TcpStream,
    state: Mutex<State>,
    /// Tells the connection's task that something changed that it did not do itself.
    pub(super) wake: Notify,
}

struct State {
    websocket: WebSocket,
    /// The last sequence number given to the client.
    s: i64,
    /// Do shards write to it?
    live: bool,
    /// Where the session stood when its shard let go of it.
    left_at: Option<i64>,
}

impl Socket {
    pub(super) fn new(key: SocketKey, tcp: TcpStream, already_read: Vec<u8>) -> Self {
        let state = State {
            websocket: WebSocket::new(INTAKE, already_read),
            s: 0,
            live: false,
            left_at: None,
        };
        Self {
            key,
            tcp,
            state: Mutex::new(state),
            wake: Notify::new(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to read, or room for what waits to go out.
    pub(super) async fn ready(&self) {
        if websockets::ready(&self.tcp, true, self.has_backlog()).await.is_err() {
            self.state().websocket.break_off();
        }
    }

    /// Waits until the kernel takes more, whatever the client sends meanwhile.
    pub(super) async fn writable(&self) {
        if self.tcp.writable().await.is_err() {
            self.state().websocket.break_off();
        }
    }

    /// Reads one message.
    pub(super) fn read(&self) -> Incoming {
        self.state().websocket.read(&self.tcp)
    }

    /// Puts the answer to a client's frame in the queue; a client that asks without reading is closed.
    pub(super) fn answer(&self, frame: Bytes) {
        let mut state = self.state();
        if !state.websocket.answer(frame) {
            state.close(CloseCode::Unknown);
        }
    }

    /// Puts a frame in the queue and says how the session's sequence number stands after it.
    pub(super) fn push(&self, frame: Bytes, s: Option<i64>) {
        let mut state = self.state();
        if !state.websocket.is_closing() {
            state.websocket.push(frame);
            state.s = s.unwrap_or(state.s);
        }
    }

    /// Takes the number that a resuming client says it has.
    pub(super) fn stand_at(&self, s: i64) {
        self.state().s = s;
    }

    /// The last sequence number given to the client.
    pub(super) fn s(&self) -> i64 {
        self.state().s
    }

    /// Hands the kernel what it takes.
    pub(super) fn flush(&self) {
        self.state().websocket.flush(&self.tcp);
    }

    /// Does something still wait to go out?
    pub(super) fn has_backlog(&self) -> bool {
        self.state().websocket.waiting() > 0
    }

    /// Is the transport gone?
    pub(super) fn is_broken(&self) -> bool {
        self.state().websocket.is_broken()
    }

    /// Was it told to close?
    pub(super) fn is_closing(&self) -> bool {
        self.state().websocket.is_closing()
    }

    /// Ends the session: what waits is dropped, as it can be resumed, and the client is told why.
    pub(super) fn close(&self, code: CloseCode) {
        self.state().close(code);
        self.flush();
        self.wake.notify_one();
    }

    // ── For shards ────────────────────────────────────────────────────────────────────────────────────────────────────

    /// From now on a shard writes to it.
    pub(super) fn go_live(&self) {
        let mut state = self.state();
        state.live = true;
        state.left_at = None;
    }

    /// The shard lets go of it: it has everything up to this position and must read the log from there.
    pub(super) fn leave_live(&self, position: i64) {
        let mut state = self.state();
        state.live = false;
        state.left_at = Some(position);
        drop(state);
        self.wake.notify_one();
    }

    /// Where its shard let go of it, if it did.
    pub(super) fn take_left_at(&self) -> Option<i64> {
        self.state().left_at.take()
    }

    /// Puts a live dispatch in the queue; a reader that is too slow is closed instead.
    pub(super) fn push_live(&self, frame: Bytes, s: i64) {
        let mut state = self.state();
        if !state.live || state.websocket.is_closing() {
            return;
        }
        if state.websocket.waiting_bytes() + frame.len() > LIVE_BYTES_MAX {
            state.close(CloseCode::Unknown);
            drop(state);
            self.wake.notify_one();
            return;
        }
        state.websocket.push(frame);
        state.s = s;
        assert!(state.websocket.waiting_bytes() <= LIVE_BYTES_MAX);
    }

    /// Puts a notice in the queue that may be lost, made from the session's own sequence number; not if anything waits.
    pub(super) fn push_fleeting(&self, frame: impl FnOnce(i64) -> Bytes) {
        let mut state = self.state();
        if state.live && state.websocket.waiting() == 0 {
            let frame = frame(state.s);
            state.websocket.push(frame);
        }
    }

    /// Flushes for a shard; what the kernel does not take is the connection task's to send when it can.
    pub(super) fn flush_live(&self) {
        let mut state = self.state();
        state.websocket.flush(&self.tcp);
        let tell = state.websocket.is_broken() || state.websocket.waiting() > 0;
        drop(state);
        if tell {
            self.wake.notify_one();
        }
    }
}

impl State {
    fn close(&mut self, code: CloseCode) {
        self.live = false;
        self.websocket.close(code as u16, code.reason());
    }
}
