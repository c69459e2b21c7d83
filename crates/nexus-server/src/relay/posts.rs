//! Frames that are posted to an event stream.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use nexus_types::limits::{BODY_MS_MAX, RELAY_POST_MS_MAX};
use tokio::sync::oneshot;
use tungstenite::Utf8Bytes;

use super::closings::Closing;
use super::event_streams::Post;
use super::transports::Share;
use super::{Relay, Stream, refuse, session_id};

/// Bytes beyond the limit that are still read, so that a client that is still sending gets to read the answer instead of a reset.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;

/// Why a body is no frame.
enum BadBody {
    TooLarge,
    /// Memory is scarce.
    Scarce,
    TooSlow,
    CutOff,
}

impl Relay {
    /// Takes a frame for the session of a stream.
    pub(super) async fn post(&self, request: Request) -> Response {
        let stream = session_id(request.uri().path(), "/frames").and_then(|id| {
            let stream = self.streams().get(bearer(request.headers())?).cloned()?;
            (stream.id == id).then_some(stream)
        });
        let Some(Stream { events, .. }) = stream else {
            return refuse(
                StatusCode::UNAUTHORIZED,
                "This is not the token of an open event stream of this session.",
            );
        };
        // It counts until the frame is handled.
        let mut share = Share::new(self.0.hub.waiting_bytes.clone());
        let text = match collect(request.into_body(), self.0.config.frame_bytes_max, &mut share).await {
            Ok(bytes) => Utf8Bytes::try_from(bytes),
            Err(BadBody::TooLarge) => {
                events.close(Closing::TooBig);
                return refuse(StatusCode::PAYLOAD_TOO_LARGE, Closing::TooBig.reason());
            }
            Err(BadBody::Scarce) => {
                let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE, "There is no room for this frame now.");
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
                return response;
            }
            Err(BadBody::TooSlow) => return refuse(StatusCode::REQUEST_TIMEOUT, "The frame took too long to come."),
            Err(BadBody::CutOff) => return refuse(StatusCode::BAD_REQUEST, "The frame was cut off."),
        };
        let Ok(text) = text else {
            events.close(Closing::Encoding);
            return refuse(StatusCode::BAD_REQUEST, Closing::Encoding.reason());
        };
        let (handled, done) = oneshot::channel();
        let at_most = Duration::from_millis(RELAY_POST_MS_MAX.cast_unsigned());
        match events.posts.send_timeout(Post { text, handled }, at_most).await {
            Ok(()) => {}
            Err(tokio::sync::mpsc::error::SendTimeoutError::Timeout(_)) => {
                let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, "Frames come too fast.");
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                return response;
            }
            Err(tokio::sync::mpsc::error::SendTimeoutError::Closed(_)) => return gone(),
        }
        match done.await {
            Ok(()) => Response::builder()
                .status(StatusCode::NO_CONTENT)
                .body(Body::empty())
                .expect("a status alone is a valid answer"),
            Err(_) => gone(),
        }
    }
}

fn gone() -> Response {
    refuse(StatusCode::UNAUTHORIZED, "The session has ended.")
}

/// What names a stream to those who may post to it: 256 random bits in hexadecimal digits.
pub(super) fn draw_token() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("four bits are a digit");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

async fn collect(body: Body, bytes_max: usize, share: &mut Share) -> Result<Bytes, BadBody> {
    let at_most = Duration::from_millis(BODY_MS_MAX.cast_unsigned());
    tokio::time::timeout(at_most, read(body, bytes_max, share))
        .await
        .unwrap_or(Err(BadBody::TooSlow))
}

async fn read(mut body: Body, bytes_max: usize, share: &mut Share) -> Result<Bytes, BadBody> {
    let (mut whole, mut beyond) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BadBody::CutOff)?.into_data() else {
            continue;
        };
        if beyond > 0 || whole.len() + data.len() > bytes_max {
            beyond += data.len();
            if beyond > DISCARDED_BYTES_MAX {
                break;
            }
        } else {
            if !share.take_in(whole.len() + data.len()) {
                return Err(BadBody::Scarce);
            }
            whole.extend_from_slice(&data);
        }
    }
    if beyond > 0 { Err(BadBody::TooLarge) } else { Ok(whole.freeze()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use nexus_types::limits::{RELAY_FRAME_BYTES, RELAY_QUEUES_BYTES_MAX};

    use super::*;

    #[tokio::test]
    async fn a_posted_frame_counts_while_it_comes_and_is_refused_when_memory_is_scarce() {
        let all = Arc::new(AtomicUsize::new(0));
        let mut share = Share::new(all.clone());
        let read = async |share: &mut Share, len: usize| read(Body::from(vec![b'x'; len]), RELAY_FRAME_BYTES, share).await;
        assert!(read(&mut share, RELAY_FRAME_BYTES).await.is_ok());
        assert!(all.load(Ordering::Relaxed) > RELAY_FRAME_BYTES / 2);
        all.fetch_add(RELAY_QUEUES_BYTES_MAX, Ordering::Relaxed);
        assert!(matches!(read(&mut share, RELAY_FRAME_BYTES).await, Err(BadBody::Scarce)));
        assert!(read(&mut share, 1_000).await.is_ok(), "a small one costs next to nothing");
        drop(share);
        assert_eq!(all.load(Ordering::Relaxed), RELAY_QUEUES_BYTES_MAX);
    }
}
