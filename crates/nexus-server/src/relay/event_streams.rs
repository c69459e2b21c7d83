//! The second transport: server-sent events to the client, a request for each frame from it.
//!
//! # Shape
//! `event: open` with `{"token"}`, then `event: frame` with a frame's text, `event: ping`, and at last `event: close` with `{"code"}`.
//! The event format ends lines at a carriage return too and reports all ends alike, so a frame with one goes as `event: frame64`, in
//! base64; so does one with so many lines that it would be twice as long otherwise.
//!
//! # Source
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tungstenite::Utf8Bytes;

use super::closings::Closing;
use super::frames;
use super::transports::{Incoming, Share};
use crate::metrics;

/// What HTTP keeps beside our queue: hyper fetches the next event once it holds less than 64 KiB.
const KEPT_BY_HTTP_BYTES: usize = 256 * 1024;
/// How long the client may take to fetch what still waits at the end.
const CLOSING: Duration = Duration::from_secs(2);

/// A frame that was posted, and who waits until it is handled.
pub(super) struct Post {
    pub(super) text: Utf8Bytes,
    pub(super) handled: oneshot::Sender<()>,
}

/// Frames that were posted.
pub(super) type Posts = mpsc::Receiver<Post>;

/// See the module.
pub(super) struct EventStream {
    state: Mutex<State>,
    /// Tells the task that something changed that it did not do itself.
    wake: Notify,
    /// Tells whoever waits for the end that the client has everything, or is gone.
    fetched: Notify,
    /// The way in for posted frames.
    pub(super) posts: mpsc::Sender<Post>,
}

struct State {
    queue: VecDeque<Bytes>,
    bytes: usize,
    share: Share,
    /// Nothing comes after what waits.
    closing: bool,
    /// Nobody fetches any more.
    gone: bool,
    reader: Option<Waker>,
}

impl State {
    fn push(&mut self, event: Bytes) {
        self.bytes += event.len();
        self.queue.push_back(event);
        self.share.set(self.queue.len(), self.bytes);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn clear(&mut self) {
        self.queue = VecDeque::new();
        self.bytes = 0;
        self.share.set(0, 0);
    }

    fn close(&mut self, closing: Closing) {
        if !self.closing {
            self.closing = true;
            self.clear();
            let (code, reason) = (closing as u16, closing.reason());
            self.push(event("close", &format!(r#"{{"code":{code},"reason":"{reason}"}}"#)));
        }
    }
}

impl EventStream {
    /// A stream that begins with its token.
    pub(super) fn open(token: &str, all_waiting: Arc<AtomicUsize>) -> (Arc<Self>, Posts) {
        let (sender, posts) = mpsc::channel(1);
        let mut state = State {
            queue: VecDeque::new(),
            bytes: 0,
            share: Share::new(all_waiting),
            closing: false,
            gone: false,
            reader: None,
        };
        state.push(event("open", &format!(r#"{{"token":"{token}"}}"#)));
        let stream = Self {
            state: Mutex::new(state),
            wake: Notify::new(),
            fetched: Notify::new(),
            posts: sender,
        };
        (Arc::new(stream), posts)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn send(&self, text: &str) -> bool {
        self.push(frame(text))
    }

    pub(super) fn ping(&self) -> bool {
        self.push(event("ping", "{}"))
    }

    fn push(&self, event: Bytes) -> bool {
        let mut state = self.state();
        if state.closing || state.gone {
            return false;
        }
        let has_room = state.share.has_room(event.len(), KEPT_BY_HTTP_BYTES);
        if has_room {
            state.push(event);
        } else {
            state.close(Closing::Slow);
            metrics::slow_reader();
            self.wake.notify_one();
        }
        has_room
    }

    pub(super) fn close(&self, closing: Closing) {
        self.state().close(closing);
        self.wake.notify_one();
    }

    fn is_over(&self) -> bool {
        let state = self.state();
        state.closing || state.gone
    }

    pub(super) async fn next(&self, posts: &mut Posts, reading: bool, deadline: Instant) -> Incoming {
        loop {
            if self.is_over() {
                return Incoming::Gone;
            }
            tokio::select! {
                post = posts.recv(), if reading => match post {
                    Some(Post { text, handled }) => return Incoming::Frame(text, Some(handled)),
                    None => return Incoming::Gone,
                },
                () = self.wake.notified() => {}
                () = sleep_until(deadline) => return Incoming::Due,
            }
        }
    }

    pub(super) async fn finish(&self) {
        let fetched = async {
            loop {
                let told = self.fetched.notified();
                if self.state().queue.is_empty() {
                    return;
                }
                told.await;
            }
        };
        // A client that does not fetch its close event in time may still do so: the events are the answer's, not ours.
        drop(tokio::time::timeout(CLOSING, fetched).await);
    }
}

/// The answer's body: fetches events as HTTP takes them. The client is gone when HTTP drops it.
pub(super) struct Reader(pub(super) Arc<EventStream>);

impl Stream for Reader {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.state();
        if let Some(event) = state.queue.pop_front() {
            state.bytes -= event.len();
            let (frames, bytes) = (state.queue.len(), state.bytes);
            state.share.set(frames, bytes);
            return Poll::Ready(Some(Ok(event)));
        }
        if state.closing {
            return Poll::Ready(None);
        }
        state.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.gone = true;
        state.clear();
        drop(state);
        self.0.wake.notify_one();
        self.0.fetched.notify_one();
    }
}

/// An event whose data is one line.
fn event(name: &str, data: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// The event of a frame.
fn frame(text: &str) -> Bytes {
    const HEAD: &str = "event: frame\n";
    let lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
    let split_bytes = text.len() + lines * "data: ".len();
    let doubled = lines > 1 && split_bytes > 2 * text.len();
    if doubled || text.bytes().any(|byte| byte == b'\r') {
        return event("frame64", &frames::encode(text.as_bytes()));
    }
    let mut event = String::with_capacity(HEAD.len() + split_bytes + 2);
    event.push_str(HEAD);
    for line in text.split('\n') {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_split_into_lines_or_goes_in_base64() {
        for (text, expected) in [
            ("{}", "event: frame\ndata: {}\n\n"),
            (" { } ", "event: frame\ndata:  { } \n\n"),
            (
                "{\"long enough\":\n\"for a second line\"}",
                "event: frame\ndata: {\"long enough\":\ndata: \"for a second line\"}\n\n",
            ),
            ("{\r\n}", "event: frame64\ndata: ew0KfQ==\n\n"),
            ("{\n\n\n}", "event: frame64\ndata: ewoKCn0=\n\n"),
        ] {
            assert_eq!(frame(text), expected, "{text:?}");
        }
    }

    #[test]
    fn no_frame_more_than_doubles() {
        for line in ["\n", "a\n", "abcde\n", "abcdef\n", "\r"] {
            let text = line.repeat(60_000 / line.len());
            assert!(frame(&text).len() <= 120_000 + 64, "{line:?}");
        }
    }
}
