//! The port of transports: text frames go out and come in, a ping now and then, and an end with a code. Each has two sides: one that
//! everybody may send to, and one that only its own task reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nexus_types::limits::{RELAY_QUEUE_BYTES_MAX, RELAY_QUEUES_BYTES_MAX};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tungstenite::Utf8Bytes;

use super::closings::Closing;
use super::event_streams::{EventStream, Posts};
use super::sockets::Socket;

/// What a frame that waits costs beside its bytes.
const FRAME_COST_BYTES: usize = 64;

/// The side to send to.
#[derive(Clone)]
pub(super) enum Transport {
    /// A WebSocket.
    WebSocket(Arc<Socket>),
    /// Server-sent events one way, requests the other.
    EventStream(Arc<EventStream>),
}

/// The side to read from.
pub(super) enum Inbox {
    WebSocket(Arc<Socket>),
    EventStream(Arc<EventStream>, Posts),
}

/// What came in. It holds what somebody sent, so it has no `Debug`.
pub(super) enum Incoming {
    /// A frame; whoever waits at the other end is told when it is handled.
    Frame(Utf8Bytes, Option<oneshot::Sender<()>>),
    /// A sign of life.
    Alive,
    /// Work without a frame.
    Turn,
    /// Nothing until the deadline.
    Due,
    /// The peer is gone, or was told to go.
    Gone,
}

impl Transport {
    /// Puts a frame in the queue and hands over what is taken; false if it was not put there, because this is the end.
    pub(super) fn send(&self, text: &str) -> bool {
        match self {
            Self::WebSocket(socket) => socket.send(text),
            Self::EventStream(stream) => stream.send(text),
        }
    }

    /// Asks for a sign of life; false as in [`Transport::send`].
    pub(super) fn ping(&self) -> bool {
        match self {
            Self::WebSocket(socket) => socket.ping(),
            Self::EventStream(stream) => stream.ping(),
        }
    }

    /// Begins the end: what waits is dropped, and the client is told why.
    pub(super) fn close(&self, closing: Closing) {
        match self {
            Self::WebSocket(socket) => socket.close(closing),
            Self::EventStream(stream) => stream.close(closing),
        }
    }

    /// Sends what must still go out, for as long as the end may take.
    pub(super) async fn finish(&self) {
        match self {
            Self::WebSocket(socket) => socket.finish().await,
            Self::EventStream(stream) => stream.finish().await,
        }
    }

    /// Gives the client time to read it.
    pub(super) async fn linger(&self) {
        match self {
            Self::WebSocket(socket) => socket.linger().await,
            // HTTP does that.
            Self::EventStream(_) => {}
        }
    }
}

impl Inbox {
    /// Waits for what comes in, at most until the deadline. While not `reading` no frame is taken, but what waits goes out.
    pub(super) async fn next(&mut self, reading: bool, deadline: Instant) -> Incoming {
        match self {
            Self::WebSocket(socket) => socket.next(reading, deadline).await,
            Self::EventStream(stream, posts) => stream.next(posts, reading, deadline).await,
        }
    }
}

/// Bytes of an unfinished frame that do not count: an idle session has room for them anyway.
pub(super) const READ_BYTES: usize = 4 * 1024;

/// What waits for one reader, or came from one sender and is no whole frame yet, as a part of what all hold.
pub(super) struct Share {
    all: Arc<AtomicUsize>,
    mine: usize,
}

impl Share {
    pub(super) fn new(all: Arc<AtomicUsize>) -> Self {
        Self { all, mine: 0 }
    }

    /// So many frames with so many bytes wait now.
    pub(super) fn set(&mut self, frames: usize, bytes: usize) {
        let mine = bytes + frames * FRAME_COST_BYTES;
        if mine >= self.mine {
            self.all.fetch_add(mine - self.mine, Ordering::Relaxed);
        } else {
            self.all.fetch_sub(self.mine - mine, Ordering::Relaxed);
        }
        self.mine = mine;
    }

    /// So many bytes of an unfinished frame have come. False if memory is scarce, so that they can't be kept.
    pub(super) fn take_in(&mut self, bytes: usize) -> bool {
        self.set(0, bytes.saturating_sub(READ_BYTES));
        self.mine == 0 || self.all.load(Ordering::Relaxed) <= RELAY_QUEUES_BYTES_MAX
    }

    /// May one more frame wait? When memory is scarce, only for those who have none waiting.
    pub(super) fn has_room(&self, bytes: usize, kept_elsewhere: usize) -> bool {
        let scarce = self.all.load(Ordering::Relaxed) + bytes > RELAY_QUEUES_BYTES_MAX;
        let fits = self.mine + bytes + FRAME_COST_BYTES + kept_elsewhere <= RELAY_QUEUE_BYTES_MAX;
        fits && (self.mine == 0 || !scarce)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.all.fetch_sub(self.mine, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reader_has_a_mebibyte_and_all_together_have_their_bound() {
        let all = Arc::new(AtomicUsize::new(0));
        let mut share = Share::new(all.clone());
        assert!(share.has_room(RELAY_QUEUE_BYTES_MAX - FRAME_COST_BYTES, 0));
        assert!(!share.has_room(RELAY_QUEUE_BYTES_MAX - FRAME_COST_BYTES, 1));
        share.set(2, 1_000);
        assert_eq!(all.load(Ordering::Relaxed), 1_128);
        assert!(share.has_room(1, 0));
        all.fetch_add(RELAY_QUEUES_BYTES_MAX, Ordering::Relaxed);
        assert!(!share.has_room(1, 0), "it keeps others waiting");
        assert!(Share::new(all.clone()).has_room(1, 0), "it keeps up");
        drop(share);
        assert_eq!(all.load(Ordering::Relaxed), RELAY_QUEUES_BYTES_MAX);
    }

    #[test]
    fn an_unfinished_frame_counts_beyond_its_first_bytes() {
        let all = Arc::new(AtomicUsize::new(RELAY_QUEUES_BYTES_MAX - 100));
        let (mut one, mut other) = (Share::new(all.clone()), Share::new(all.clone()));
        assert!(one.take_in(READ_BYTES + 100));
        assert!(other.take_in(READ_BYTES), "it takes no more than an idle one");
        assert!(!other.take_in(READ_BYTES + 1));
        assert!(other.take_in(0), "its frame is whole");
        assert!(one.take_in(READ_BYTES + 50));
        drop(one);
        assert_eq!(all.load(Ordering::Relaxed), RELAY_QUEUES_BYTES_MAX - 100);
    }
}
