//! The bytes of frames. A server does not mask, so the same bytes serve every socket.

use bytes::Bytes;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

fn bytes(frame: Frame) -> Bytes {
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).expect("a vector takes every byte");
    bytes.into()
}

/// A text frame as it goes on the wire.
pub(crate) fn text(payload: impl Into<Bytes>) -> Bytes {
    bytes(Frame::message(payload, OpCode::Data(Data::Text), true))
}

/// A close frame.
pub(crate) fn close(code: u16, reason: &'static str) -> Bytes {
    bytes(Frame::close(Some(CloseFrame {
        code: code.into(),
        reason: reason.into(),
    })))
}

/// A ping without a word.
pub(crate) fn ping() -> Bytes {
    bytes(Frame::ping(Bytes::new()))
}
