//! One connection of a subscription. A task of its own reads it, so that pings are answered and silence is noticed while a callback works;
//! what it reads waits in order, within a bound.
//!
//! The upgrade goes through reqwest, which gives it the TLS and the proxies that the other requests have.
//!
//! # Source
//! RFC 6455.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, StatusCode, Upgraded, Url};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::errors::HubError;

/// A connection that was not opened by then is given up.
const OPEN_TIME_MAX: Duration = Duration::from_secs(10);
/// After this much silence the hub is asked whether it is there, and this is how long it has to say so.
const SILENCE_MAX: Duration = Duration::from_secs(20);
const PONG_TIME_MAX: Duration = Duration::from_secs(10);
/// How long saying goodbye may take.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);
/// No event is as long.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Text that may wait for a callback. Beyond it we hang up, work it off, and come back for the rest.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

type Socket = WebSocketStream<Upgraded>;

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The other side said so, with this code.
    Closed(u16),
    /// It vanished, or broke the protocol.
    Lost,
    /// It does not answer any more.
    Silent,
    /// More waited than may.
    Full,
    /// We left.
    Left,
}

/// The end at which frames come out.
pub(crate) struct Stream {
    frames: mpsc::UnboundedReceiver<String>,
    waiting_bytes: Arc<AtomicUsize>,
    reader: JoinHandle<Ending>,
    /// Dropped with the stream, which tells the reader to leave.
    _leave: oneshot::Sender<()>,
}

impl Stream {
    /// Upgrades a request to this address and sends the first command.
    pub(crate) async fn open(http: &Client, url: Url, first: String) -> Result<Self, HubError> {
        let mut socket = timeout(OPEN_TIME_MAX, upgrade(http, url))
            .await
            .map_err(|late| HubError::silence("the stream was not opened in time", late))??;
        socket
            .send(Message::text(first))
            .await
            .map_err(|cause| HubError::silence("the stream was lost as it was opened", cause))?;
        let (sender, frames) = mpsc::unbounded_channel();
        let (leave, left) = oneshot::channel();
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let reader = tokio::spawn(read(socket, sender, Arc::clone(&waiting_bytes), left));
        Ok(Self {
            frames,
            waiting_bytes,
            reader,
            _leave: leave,
        })
    }

    /// The next frame; none when the connection ended and everything it brought was taken.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let text = self.frames.recv().await?;
        self.waiting_bytes.fetch_sub(text.len(), Ordering::Relaxed);
        Some(text)
    }

    /// Why it ended, once [`Self::next`] has given none.
    pub(crate) async fn ending(self) -> Ending {
        self.reader.await.unwrap_or(Ending::Lost)
    }
}

async fn upgrade(http: &Client, url: Url) -> Result<Socket, HubError> {
    let lost = |cause: reqwest::Error| HubError::silence("the stream was not opened", cause.without_url());
    let key = generate_key();
    let request = http
        .get(url)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", &key);
    let answer = request.send().await.map_err(lost)?;
    let status = answer.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        // The ticket was given out a moment ago: whatever this is, the next one may be welcome.
        return Err(HubError::silence(
            "the stream was not opened",
            format!("the hub answered {status} instead of upgrading"),
        ));
    }
    let accepted = answer
        .headers()
        .get("sec-websocket-accept")
        .map(reqwest::header::HeaderValue::as_bytes);
    if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err(HubError::silence(
            "the stream was not opened",
            "its Sec-WebSocket-Accept is not the answer to our key",
        ));
    }
    let upgraded = answer.upgrade().await.map_err(lost)?;
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX));
    Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
}

/// Reads until it ends, one way or the other.
async fn read(
    mut socket: Socket,
    frames: mpsc::UnboundedSender<String>,
    waiting_bytes: Arc<AtomicUsize>,
    mut left: oneshot::Receiver<()>,
) -> Ending {
    let mut asked = false;
    let ending = loop {
        let patience = if asked { PONG_TIME_MAX } else { SILENCE_MAX };
        let message = tokio::select! {
            message = timeout(patience, socket.next()) => message,
            _ = &mut left => break Ending::Left,
        };
        let is_silent = message.is_err();
        match message {
            Err(_) if asked => break Ending::Silent,
            Err(_) => {
                if socket.send(Message::text(r#"{"action":"ping"}"#)).await.is_err() {
                    break Ending::Lost;
                }
            }
            Ok(Some(Ok(Message::Text(text)))) => {
                let waiting = waiting_bytes.fetch_add(text.len(), Ordering::Relaxed) + text.len();
                if frames.send(text.to_string()).is_err() {
                    break Ending::Left;
                }
                if waiting > WAITING_BYTES_MAX {
                    break Ending::Full;
                }
            }
            Ok(Some(Ok(Message::Close(frame)))) => break Ending::Closed(frame.map_or(1005, |frame| frame.code.into())),
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(_)) | None) => break Ending::Lost,
        }
        asked = is_silent;
    };
    // Nobody waits for the answer, and a connection that is lost cannot be told.
    drop(timeout(CLOSE_TIME_MAX, socket.close(None)).await);
    ending
}
