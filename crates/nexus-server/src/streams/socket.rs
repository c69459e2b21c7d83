//! A stream's WebSocket, which its own task and a desk share: the socket, and where the stream stands on it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use nexus_core::hub::Access;
use nexus_types::hub::Pattern;
use nexus_types::limits::{STREAM_COMMAND_BYTES_MAX, STREAM_QUEUE_BYTES_MAX};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::closings::Closing;
use crate::websockets::{self, Incoming, Intake, WebSocket, frames};

/// Names a socket within its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SocketKey(pub(super) u64);

/// Clients send little.
const INTAKE: Intake = Intake {
    message_bytes_max: STREAM_COMMAND_BYTES_MAX,
    read_bytes: 512,
};

/// One WebSocket and what waits to go out on it.
pub(super) struct Socket {
    pub(super) key: SocketKey,
    /// Who listens.
    pub(super) access: Access,
    /// Since when, in milliseconds since 1970.
    pub(super) opened_ms: i64,
    tcp: TcpStream,
    state: Mutex<State>,
    /// Tells the connection's task that something changed that it did not do itself.
    pub(super) wake: Notify,
}

struct State {
    websocket: WebSocket,
    /// What is wanted, for a list of who listens.
    patterns: Box<[Pattern]>,
    /// Everything that is wanted was put in the queue up to here.
    position: i64,
    /// The desk that writes to it, by the position it has come to.
    live: Option<Arc<AtomicI64>>,
    /// Where the stream stood when its desk let go of it.
    left_at: Option<i64>,
    /// Does something wait that the desk has not flushed?
    dirty: bool,
    /// Why it ends, if we end it.
    closing: Option<Closing>,
}

/// How a frame was taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The first one since the last flush.
    First,
    /// One more.
    Another,
    /// Not at all.
    Not,
}

impl Socket {
    pub(super) fn new(key: SocketKey, access: Access, opened_ms: i64, tcp: TcpStream, already_read: Vec<u8>) -> Self {
        let state = State {
            websocket: WebSocket::new(INTAKE, already_read),
            patterns: Box::default(),
            position: 0,
            live: None,
            left_at: None,
            dirty: false,
            closing: None,
        };
        Self {
            key,
            access,
            opened_ms,
            tcp,
            state: Mutex::new(state),
            wake: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ── For its own task ──────────────────────────────────────────────────────────────────────────────────────────────

    /// Waits until there is something to read, if reading, or room for what waits to go out.
    pub(super) async fn ready(&self, reading: bool) {
        if websockets::ready(&self.tcp, reading, self.has_backlog()).await.is_err() {
            self.state().websocket.break_off();
        }
    }

    /// Reads one message, and says whether another has begun.
    pub(super) fn read(&self) -> (Incoming, bool) {
        let mut state = self.state();
        let incoming = state.websocket.read(&self.tcp);
        (incoming, state.websocket.begun_bytes() > 0)
    }

    /// Puts the answer to a client's frame in the queue; a client that asks without reading is closed.
    pub(super) fn answer(&self, text: String) {
        let mut state = self.state();
        let is_full = state.websocket.waiting_bytes() + text.len() > STREAM_QUEUE_BYTES_MAX;
        if is_full || !state.websocket.answer(frames::text(text)) {
            state.close(Closing::Slow);
        }
    }

    /// Asks for a sign of life.
    pub(super) fn ping(&self) {
        let mut state = self.state();
        if !state.websocket.answer(frames::ping()) {
            state.close(Closing::Slow);
        }
    }

    /// Puts an event of the past in the queue.
    pub(super) fn push(&self, frame: Bytes) {
        self.state().websocket.push(frame);
    }

    /// Everything that is wanted was put in the queue up to here.
    pub(super) fn stand_at(&self, position: i64) {
        self.state().position = position;
    }

    /// What is wanted now.
    pub(super) fn show(&self, patterns: impl Iterator<Item = Pattern>) {
        self.state().patterns = patterns.collect();
    }

    /// Hands the kernel what it takes.
    pub(super) fn flush(&self) {
        self.state().websocket.flush(&self.tcp);
    }

    /// Does something still wait to go out?
    pub(super) fn has_backlog(&self) -> bool {
        self.state().websocket.waiting() > 0
    }

    /// Is this the end?
    pub(super) fn ends(&self) -> bool {
        let state = self.state();
        state.websocket.is_closing() || state.websocket.is_broken()
    }

    /// Is the transport gone?
    pub(super) fn is_broken(&self) -> bool {
        self.state().websocket.is_broken()
    }

    /// Waits until the kernel takes more, whatever the client sends meanwhile.
    pub(super) async fn writable(&self) {
        if self.tcp.writable().await.is_err() {
            self.state().websocket.break_off();
        }
    }

    /// Gives the client time to read why.
    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Where its desk let go of it, if it did.
    pub(super) fn take_left_at(&self) -> Option<i64> {
        self.state().left_at.take()
    }

    // ── For everybody ─────────────────────────────────────────────────────────────────────────────────────────────────

    /// Ends the stream: what waits is dropped, as it can be read again, and the client is told why.
    pub(super) fn close(&self, closing: Closing) {
        let mut state = self.state();
        state.close(closing);
        state.websocket.flush(&self.tcp);
        drop(state);
        self.wake.notify_one();
    }

    /// Why we ended it, if we did.
    pub(super) fn closing(&self) -> Option<Closing> {
        self.state().closing
    }

    /// What is wanted, and up to where everything of it was put in the queue.
    pub(super) fn shown(&self) -> (Box<[Pattern]>, i64) {
        let state = self.state();
        let desk = state.live.as_ref().map(|desk| desk.load(Ordering::Relaxed));
        (state.patterns.clone(), desk.unwrap_or(state.position))
    }

    // ── For desks ─────────────────────────────────────────────────────────────────────────────────────────────────────

    /// From now on a desk writes to it.
    pub(super) fn go_live(&self, desk: Arc<AtomicI64>, position: i64) {
        let mut state = self.state();
        state.position = position;
        state.live = Some(desk);
        state.left_at = None;
    }

    /// The desk lets go of it: it has everything up to this position.
    pub(super) fn leave_live(&self, position: i64) {
        let mut state = self.state();
        state.live = None;
        state.position = position;
    }

    /// The same, against its will: it must read on from there by itself.
    pub(super) fn send_back(&self, position: i64) {
        self.leave_live(position);
        self.state().left_at = Some(position);
        self.wake.notify_one();
    }

    /// Puts a live event in the queue; a reader that is too slow is closed instead.
    pub(super) fn push_live(&self, frame: &Bytes, position: i64) -> Pushed {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.live.is_none() || state.websocket.is_closing() {
            return Pushed::Not;
        }
        if state.websocket.waiting_bytes() + frame.len() > STREAM_QUEUE_BYTES_MAX {
            // Perhaps only nobody has offered it to the kernel yet.
            state.websocket.flush(&self.tcp);
        }
        if state.websocket.waiting_bytes() + frame.len() > STREAM_QUEUE_BYTES_MAX {
            state.close(Closing::Slow);
            state.websocket.flush(&self.tcp);
            drop(guard);
            self.wake.notify_one();
            return Pushed::Not;
        }
        assert!(position > state.position, "a stream gets each event once and in order");
        state.position = position;
        state.websocket.push(frame.clone());
        assert!(state.websocket.waiting_bytes() <= STREAM_QUEUE_BYTES_MAX);
        if std::mem::replace(&mut state.dirty, true) {
            Pushed::Another
        } else {
            Pushed::First
        }
    }

    /// Flushes for a desk; what the kernel does not take is the connection task's to send when it can.
    pub(super) fn flush_live(&self) {
        let mut state = self.state();
        state.dirty = false;
        state.websocket.flush(&self.tcp);
        let tell = state.websocket.is_broken() || state.websocket.waiting() > 0;
        drop(state);
        if tell {
            self.wake.notify_one();
        }
    }
}

impl State {
    fn close(&mut self, closing: Closing) {
        self.live = None;
        self.closing.get_or_insert(closing);
        self.websocket.close(closing as u16, closing.reason());
    }
}
