//! One WebSocket: the only code that touches it. It has no task of its own; whoever holds the lock reads or writes as much as the
//! kernel takes at once.
//!
//! Reading, control frames and their rules are tungstenite's. What goes out is a queue of whole frames, most of them shared by
//! many sockets, so that a delivery is one `send` of bytes that were made once. See `docs/adr/0001-shards-write-sockets.md`.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::sync::{Mutex, PoisonError};

use bytes::{Buf, Bytes};
use nexus_types::gateway::CloseCode;
use nexus_types::limits::{FRAME_BYTES_MAX, LIVE_BYTES_MAX};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tungstenite::Message;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

use super::frames;

/// Names a socket within its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SocketKey(pub(super) u64);

/// The eager read buffer; clients send little.
const READ_BUFFER_BYTES: usize = 1024;
/// Bytes taken from the kernel before others get a turn: a client that sends without pause holds neither the lock nor the core. A
/// message that it may send fits in one.
const READ_TURN_BYTES: usize = 2 * FRAME_BYTES_MAX;
/// Answers to a client's own frames that may wait since the queue was last empty. One that asks without reading is closed.
const CONTROLS_MAX: usize = 256;
/// Frames handed to the kernel in one call.
const SLICES_MAX: usize = 64;

/// One WebSocket and what waits to go out on it.
pub(super) struct Socket {
    pub(super) key: SocketKey,
    tcp: TcpStream,
    state: Mutex<State>,
    /// Tells the connection's task that something changed that it did not do itself.
    pub(super) wake: Notify,
}

struct State {
    websocket: WebSocketContext,
    outbox: Outbox,
    /// The last sequence number given to the client.
    s: i64,
    /// Do shards write to it?
    live: bool,
    /// Where the session stood when its shard let go of it.
    left_at: Option<i64>,
    close: Option<CloseCode>,
    broken: bool,
}

/// Whole frames that wait for the kernel; the front one may have begun.
#[derive(Default)]
struct Outbox {
    queue: VecDeque<Bytes>,
    bytes: usize,
    /// Has a part of the front frame gone out?
    begun: bool,
    /// Answers to the client's own frames that were put in since the queue was last empty.
    controls: usize,
}

impl Outbox {
    fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.queue.push_back(frame);
    }

    /// Puts in an answer to a frame of the client; false if it has too many waiting already.
    fn push_control(&mut self, frame: Bytes) -> bool {
        self.controls = if self.queue.is_empty() { 1 } else { self.controls + 1 };
        if self.controls > CONTROLS_MAX {
            return false;
        }
        self.push(frame);
        true
    }

    /// Forgets what waits, but for a frame that has begun.
    fn clear(&mut self) {
        let keep = usize::from(self.begun);
        self.queue.truncate(keep);
        self.bytes = self.queue.iter().map(Bytes::len).sum();
    }

    /// Hands as much to the kernel as it takes.
    fn flush(&mut self, tcp: &TcpStream) -> io::Result<()> {
        while !self.queue.is_empty() {
            let written = if self.queue.len() == 1 {
                tcp.try_write(&self.queue[0])
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let count = self.queue.len().min(SLICES_MAX);
                for (slice, frame) in slices.iter_mut().zip(&self.queue) {
                    *slice = IoSlice::new(frame);
                }
                tcp.try_write_vectored(&slices[..count])
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // A burst leaves a long queue behind; an idle session holds nothing.
        if self.queue.capacity() > SLICES_MAX {
            self.queue = VecDeque::new();
        }
        Ok(())
    }

    fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some(front) = self.queue.front_mut() {
            if front.len() > count {
                front.advance(count);
                self.begun |= count > 0;
                return;
            }
            count -= front.len();
            self.queue.pop_front();
            self.begun = false;
        }
    }
}

/// What tungstenite reads from and writes to: the kernel one way, the outbox the other.
struct Pipe<'a> {
    tcp: &'a TcpStream,
    outbox: &'a mut Outbox,
    /// Bytes that may still be read in this turn.
    turn: usize,
}

impl Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.turn);
        if most == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.tcp.try_read(&mut buffer[..most])?;
        self.turn -= count;
        Ok(count)
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Control frames only, each written whole.
        if self.outbox.push_control(Bytes::copy_from_slice(bytes)) {
            Ok(bytes.len())
        } else {
            Err(io::ErrorKind::QuotaExceeded.into())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What came in.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A client's payload.
    Text(String),
    /// A ping or pong; tungstenite has answered it.
    Control,
    /// Many bytes and no message in them; there may be more.
    TurnOver,
    /// Nothing for now.
    Nothing,
    /// The client is gone or going.
    Gone,
}

impl Socket {
    pub(super) fn new(key: SocketKey, tcp: TcpStream, already_read: Vec<u8>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(FRAME_BYTES_MAX)
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let websocket = WebSocketContext::from_partially_read(already_read, Role::Server, Some(config));
        let state = State {
            websocket,
            outbox: Outbox::default(),
            s: 0,
            live: false,
            left_at: None,
            close: None,
            broken: false,
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
        let interest = if self.has_backlog() {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        if self.tcp.ready(interest).await.is_err() {
            self.state().broken = true;
        }
    }

    /// Waits until the kernel takes more, whatever the client sends meanwhile.
    pub(super) async fn writable(&self) {
        if self.tcp.writable().await.is_err() {
            self.state().broken = true;
        }
    }

    /// Reads one message.
    pub(super) fn read(&self) -> Incoming {
        let mut state = self.state();
        let State { websocket, outbox, .. } = &mut *state;
        let mut pipe = Pipe {
            tcp: &self.tcp,
            outbox,
            turn: READ_TURN_BYTES,
        };
        match websocket.read(&mut pipe) {
            Ok(Message::Text(text)) => Incoming::Text(text.as_str().to_owned()),
            // Some libraries send JSON in binary frames.
            Ok(Message::Binary(bytes)) => match String::from_utf8(bytes.to_vec()) {
                Ok(text) => Incoming::Text(text),
                Err(_) => state.end(CloseCode::Decode as u16, CloseCode::Decode.reason()),
            },
            Ok(Message::Close(_)) => {
                // tungstenite has the answer ready; it goes out with the flush. Being told so again is no error.
                drop(websocket.flush(&mut pipe));
                Incoming::Gone
            }
            Ok(_) => Incoming::Control,
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                if pipe.turn == 0 {
                    Incoming::TurnOver
                } else {
                    Incoming::Nothing
                }
            }
            Err(tungstenite::Error::Utf8(_)) => state.end(1007, "Text is UTF-8."),
            Err(tungstenite::Error::Capacity(_)) => state.end(CloseCode::TooBig as u16, CloseCode::TooBig.reason()),
            Err(tungstenite::Error::Protocol(_)) => state.end(1002, "Not the WebSocket protocol."),
            Err(_) => {
                state.broken = true;
                Incoming::Gone
            }
        }
    }

    /// Puts the answer to a client's frame in the queue; a client that asks without reading is closed.
    pub(super) fn answer(&self, frame: Bytes) {
        let mut state = self.state();
        if state.close.is_none() && !state.outbox.push_control(frame) {
            state.close(CloseCode::Unknown);
        }
    }

    /// Puts a frame in the queue and says how the session's sequence number stands after it.
    pub(super) fn push(&self, frame: Bytes, s: Option<i64>) {
        let mut state = self.state();
        if state.close.is_none() {
            state.outbox.push(frame);
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
        let mut state = self.state();
        if state.outbox.flush(&self.tcp).is_err() {
            state.broken = true;
        }
    }

    /// Does something still wait to go out?
    pub(super) fn has_backlog(&self) -> bool {
        !self.state().outbox.queue.is_empty()
    }

    /// Is the transport gone?
    pub(super) fn is_broken(&self) -> bool {
        self.state().broken
    }

    /// Was it told to close?
    pub(super) fn is_closing(&self) -> bool {
        self.state().close.is_some()
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
        if !state.live || state.close.is_some() {
            return;
        }
        if state.outbox.bytes + frame.len() > LIVE_BYTES_MAX {
            state.close(CloseCode::Unknown);
            drop(state);
            self.wake.notify_one();
            return;
        }
        state.outbox.push(frame);
        state.s = s;
        assert!(state.outbox.bytes <= LIVE_BYTES_MAX);
    }

    /// Puts a notice in the queue that may be lost, made from the session's own sequence number; not if anything waits.
    pub(super) fn push_fleeting(&self, frame: impl FnOnce(i64) -> Bytes) {
        let mut state = self.state();
        if state.live && state.close.is_none() && state.outbox.queue.is_empty() {
            let frame = frame(state.s);
            state.outbox.push(frame);
        }
    }

    /// Flushes for a shard; what the kernel does not take is the connection task's to send when it can.
    pub(super) fn flush_live(&self) {
        let mut state = self.state();
        if state.outbox.flush(&self.tcp).is_err() {
            state.broken = true;
        }
        let tell = state.broken || !state.outbox.queue.is_empty();
        drop(state);
        if tell {
            self.wake.notify_one();
        }
    }
}

impl State {
    fn close(&mut self, code: CloseCode) {
        if self.close.is_none() {
            self.close = Some(code);
            self.live = false;
            self.outbox.clear();
            self.outbox.push(frames::close(code as u16, code.reason()));
        }
    }

    /// Ends it for a fault of the transport's rules.
    fn end(&mut self, code: u16, reason: &'static str) -> Incoming {
        if self.close.is_none() {
            self.close = Some(CloseCode::Decode);
            self.live = false;
            self.outbox.clear();
            self.outbox.push(frames::close(code, reason));
        }
        Incoming::Gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_bounded_until_the_queue_was_empty() {
        let mut outbox = Outbox::default();
        let answer = || Bytes::from_static(b"pong");
        assert!((0..CONTROLS_MAX).all(|_| outbox.push_control(answer())));
        assert!(!outbox.push_control(answer()));
        outbox.advance(4 * CONTROLS_MAX);
        assert!(outbox.push_control(answer()));
    }

    #[test]
    fn clearing_keeps_a_frame_that_has_begun() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"first"));
        outbox.push(Bytes::from_static(b"second"));
        outbox.advance(2);
        outbox.clear();
        assert_eq!(outbox.queue, [Bytes::from_static(b"rst")]);
        outbox.advance(3);
        outbox.push(Bytes::from_static(b"third"));
        outbox.clear();
        assert!(outbox.queue.is_empty() && outbox.bytes == 0);
    }

    #[test]
    fn frames_go_out_across_any_cut() {
        for cut in 0..=11 {
            let mut outbox = Outbox::default();
            outbox.push(Bytes::from_static(b"first"));
            outbox.push(Bytes::from_static(b"second"));
            outbox.advance(cut);
            let left: Vec<u8> = outbox.queue.iter().flatten().copied().collect();
            assert_eq!(left, b"firstsecond"[cut..], "cut at {cut}");
            assert_eq!(outbox.bytes, left.len());
        }
    }
}
