//! One WebSocket without a lock, a task or a clock: tungstenite reads, whole frames wait in a queue and go out as the kernel takes
//! them. The gateway and the relay put their own state and lock around it.
//!
//! It deliberately neither fragments nor compresses what it sends: a frame is made once, and its bytes serve every socket.

mod boundaries;
pub(crate) mod frames;
pub(crate) mod handshakes;
mod outboxes;

use std::io::{self, Read, Write};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Message, Utf8Bytes};

use boundaries::Boundaries;
use outboxes::Outbox;

/// A message beyond this was read into a buffer that no idle socket shall keep.
const LARGE_BYTES: usize = 16 * 1024;
/// Bytes that are read and thrown away after the end, so that the close frame is not lost to a reset.
const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What one kind of socket takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intake {
    /// Bytes of a message or frame.
    pub(crate) message_bytes_max: usize,
    /// Bytes read at once, which an idle socket keeps room for.
    pub(crate) read_bytes: usize,
}

impl Intake {
    /// Bytes taken from the kernel before others get a turn: a client that sends without pause holds neither the lock nor the core. A
    /// message that it may send fits in one.
    const fn turn_bytes(self) -> usize {
        2 * self.message_bytes_max
    }

    fn context(self) -> WebSocketContext {
        let config = WebSocketConfig::default()
            .read_buffer_size(self.read_bytes)
            .write_buffer_size(0)
            .max_write_buffer_size(self.message_bytes_max)
            .max_message_size(Some(self.message_bytes_max))
            .max_frame_size(Some(self.message_bytes_max));
        WebSocketContext::new(Role::Server, Some(config))
    }
}

/// What came in. It holds what somebody said, so it has no `Debug`.
pub(crate) enum Incoming {
    /// Text.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
    /// A ping or pong; a ping is answered already.
    Control,
    /// Many bytes and no message in them; there may be more.
    TurnOver,
    /// Nothing for now.
    Nothing,
    /// The client is gone or going.
    Gone,
}

/// One WebSocket and what waits to go out on it.
pub(crate) struct WebSocket {
    context: WebSocketContext,
    outbox: Outbox,
    intake: Intake,
    boundaries: Boundaries,
    /// What was read beyond the end of a frame, and tungstenite has not seen: at most as much as is read at once.
    ahead: Bytes,
    closing: bool,
    broken: bool,
}

/// What tungstenite reads from and writes to: the kernel one way, the outbox the other.
struct Pipe<'a> {
    tcp: &'a TcpStream,
    outbox: &'a mut Outbox,
    boundaries: &'a mut Boundaries,
    ahead: &'a mut Bytes,
    /// Bytes that may still be read in this turn.
    turn: usize,
}

impl Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.ahead.is_empty() {
            let most = buffer.len().min(self.ahead.len());
            let taken = self.boundaries.take(&self.ahead[..most]);
            buffer[..taken].copy_from_slice(&self.ahead.split_to(taken));
            if self.ahead.is_empty() {
                // An empty part of a buffer would keep all of it.
                *self.ahead = Bytes::new();
            }
            return Ok(taken);
        }
        let most = buffer.len().min(self.turn);
        if most == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.tcp.try_read(&mut buffer[..most])?;
        self.turn -= count;
        let taken = self.boundaries.take(&buffer[..count]);
        *self.ahead = Bytes::copy_from_slice(&buffer[taken..count]);
        Ok(taken)
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

impl WebSocket {
    /// One whose handshake is done.
    pub(crate) fn new(intake: Intake, already_read: Vec<u8>) -> Self {
        Self {
            context: intake.context(),
            outbox: Outbox::default(),
            intake,
            boundaries: Boundaries::default(),
            ahead: already_read.into(),
            closing: false,
            broken: false,
        }
    }

    /// Reads one message.
    pub(crate) fn read(&mut self, tcp: &TcpStream) -> Incoming {
        let mut pipe = Pipe {
            tcp,
            outbox: &mut self.outbox,
            boundaries: &mut self.boundaries,
            ahead: &mut self.ahead,
            turn: self.intake.turn_bytes(),
        };
        match self.context.read(&mut pipe) {
            Ok(Message::Text(text)) => {
                self.let_go_after(text.len());
                Incoming::Text(text)
            }
            Ok(Message::Binary(bytes)) => {
                self.let_go_after(bytes.len());
                Incoming::Binary(bytes)
            }
            Ok(Message::Close(_)) => {
                // tungstenite has the answer ready; it goes out with the flush. Being told so again is no error.
                drop(self.context.flush(&mut pipe));
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
            Err(tungstenite::Error::Utf8(_)) => self.end(1007, "Text is UTF-8."),
            Err(tungstenite::Error::Capacity(_)) => self.end(1009, "Message too big."),
            Err(tungstenite::Error::Protocol(_)) => self.end(1002, "Not the WebSocket protocol."),
            Err(_) => {
                self.broken = true;
                Incoming::Gone
            }
        }
    }

    /// tungstenite keeps the buffer of the largest message. Nothing is in it when a message was taken, so it begins with a small one
    /// again.
    fn let_go_after(&mut self, len: usize) {
        if len > LARGE_BYTES && self.boundaries.begun() == 0 {
            self.context = self.intake.context();
        }
    }

    /// Bytes of a message that has begun and not ended.
    pub(crate) fn begun_bytes(&self) -> usize {
        self.boundaries.begun()
    }

    fn end(&mut self, code: u16, reason: &'static str) -> Incoming {
        self.close(code, reason);
        Incoming::Gone
    }

    /// Puts a frame in the queue, unless the end has begun.
    pub(crate) fn push(&mut self, frame: Bytes) {
        if !self.closing {
            self.outbox.push(frame);
        }
    }

    /// Puts the answer to a client's frame in the queue; false if too many wait already: it asks without reading.
    pub(crate) fn answer(&mut self, frame: Bytes) -> bool {
        self.closing || self.outbox.push_control(frame)
    }

    /// Begins the end: what waits is dropped, and the client is told why.
    pub(crate) fn close(&mut self, code: u16, reason: &'static str) {
        if !self.closing {
            self.closing = true;
            self.outbox.clear();
            self.outbox.push(frames::close(code, reason));
        }
    }

    /// Hands the kernel what it takes.
    pub(crate) fn flush(&mut self, tcp: &TcpStream) {
        self.broken |= self.outbox.flush(tcp).is_err();
    }

    /// The transport failed.
    pub(crate) fn break_off(&mut self) {
        self.broken = true;
    }

    /// Is the transport gone?
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Was it told to close?
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Frames that wait to go out.
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// Their bytes.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.outbox.bytes()
    }
}

/// Waits until there is something to read, if `reading`, or room for what waits to go out, if `waiting`; for ever if neither is of
/// interest.
///
/// # Errors
/// If the transport failed.
pub(crate) async fn ready(tcp: &TcpStream, reading: bool, waiting: bool) -> io::Result<()> {
    let interest = match (reading, waiting) {
        (true, true) => Interest::READABLE | Interest::WRITABLE,
        (true, false) => Interest::READABLE,
        (false, true) => Interest::WRITABLE,
        (false, false) => return std::future::pending().await,
    };
    tcp.ready(interest).await.map(drop)
}

/// After the last frame: says that nothing more comes, and reads what the client still sends. Closing with unread bytes would reset
/// the connection, and the close frame could be lost.
pub(crate) async fn linger(tcp: &TcpStream, at_most: Duration) {
    if let Err(cause) = socket2::SockRef::from(tcp).shutdown(std::net::Shutdown::Write) {
        tracing::trace!(%cause, "the client was gone already");
        return;
    }
    let mut left = LINGER_BYTES_MAX;
    let drain = async {
        let mut bytes = [0; 4096];
        while left > 0 && tcp.readable().await.is_ok() {
            match tcp.try_read(&mut bytes) {
                Ok(0) => return,
                Ok(count) => left = left.saturating_sub(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    // A client that neither closes nor sends has had its time.
    drop(tokio::time::timeout(at_most, drain).await);
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// A client's text frame, masked with zeros.
    fn frame(len: usize) -> Vec<u8> {
        let mut bytes = vec![0x81];
        match len {
            0..126 => bytes.push(0x80 | len as u8),
            126..65_536 => {
                bytes.push(0xfe);
                bytes.extend((len as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0xff);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.resize(bytes.len() + len, b'x');
        bytes
    }

    #[tokio::test]
    async fn it_knows_when_nothing_is_left_of_what_was_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut client = TcpStream::connect(address).await.expect("it listens");
        let (tcp, _) = listener.accept().await.expect("it came");
        let intake = Intake {
            message_bytes_max: 128 * 1024,
            read_bytes: 1024,
        };
        let lens = [0, 1, 125, 126, 127, LARGE_BYTES, LARGE_BYTES + 1, 65_535, 65_536, 128 * 1024];
        // The first one was read with the head of the request, the second one in part.
        let whole: Vec<u8> = lens.iter().flat_map(|len| frame(*len)).collect();
        let (before, after) = whole.split_at(8);
        let mut socket = WebSocket::new(intake, before.to_vec());
        let (sent, heard) = tokio::join!(client.write_all(after), async {
            let mut heard = vec![];
            while heard.len() < lens.len() {
                match socket.read(&tcp) {
                    Incoming::Text(text) => {
                        heard.push(text.len());
                        assert_eq!(socket.begun_bytes(), 0, "nothing of the next message is taken with this one");
                        assert!(socket.ahead.len() <= intake.read_bytes, "at most what is read at once");
                    }
                    Incoming::Nothing => tcp.readable().await.expect("more comes"),
                    _ => panic!("only text was sent"),
                }
            }
            heard
        });
        sent.expect("it is sent");
        assert_eq!((heard, socket.ahead.len()), (lens.to_vec(), 0));
    }
}
