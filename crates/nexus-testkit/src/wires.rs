//! A WebSocket by hand, for sending what no library would.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A TCP connection to a gateway.
pub struct Wire {
    stream: TcpStream,
}

/// A frame of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// 1 text, 8 close, 9 ping, 10 pong.
    pub opcode: u8,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of a close frame.
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk::<2>().filter(|_| self.opcode == 8)?;
        Some(u16::from_be_bytes(*code))
    }
}

/// A client's frame with any first byte, masked with zeros or not at all.
pub fn frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mask: u8 = if masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(mask | len as u8),
        len @ 126..65_536 => {
            bytes.push(mask | 0x7e);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(mask | 0x7f);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(if masked { &[0; 4][..] } else { &[] });
    bytes.extend(payload);
    bytes
}

impl Wire {
    /// Connects and asks for an upgrade; says the HTTP status.
    pub async fn open(address: SocketAddr, headers: &[(&str, &str)]) -> (Self, u16) {
        let mut stream = TcpStream::connect(address).await.expect("the server listens");
        let mut head = format!(
            "GET /gateway?v=10&encoding=json HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in headers {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).await.expect("the request is sent");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let byte = timeout(PATIENCE, stream.read_u8())
                .await
                .expect("it answers in time")
                .expect("it answers");
            answer.push(byte);
        }
        let answer = String::from_utf8(answer).expect("a head is ASCII");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (Self { stream }, status)
    }

    /// Connects, upgrades, and takes HELLO.
    pub async fn upgraded(address: SocketAddr) -> Self {
        let (mut wire, status) = Self::open(address, &[]).await;
        assert_eq!(status, 101);
        let hello = wire.next().await.expect("HELLO comes");
        assert_eq!(hello.opcode, 1);
        wire
    }

    /// Sends bytes. Whether they arrive is the server's affair.
    pub async fn send(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes).await);
    }

    /// The next frame; `None` when the connection ended.
    ///
    /// # Panics
    /// If nothing comes within twenty seconds.
    pub async fn next(&mut self) -> Option<Frame> {
        timeout(PATIENCE, self.read()).await.expect("something comes in time")
    }

    async fn read(&mut self) -> Option<Frame> {
        let opcode = self.stream.read_u8().await.ok()? & 0x0f;
        let len = match self.stream.read_u8().await.ok()? {
            126 => usize::from(self.stream.read_u16().await.ok()?),
            127 => usize::try_from(self.stream.read_u64().await.ok()?).ok()?,
            len => usize::from(len),
        };
        let mut payload = vec![0; len];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some(Frame { opcode, payload })
    }

    /// The code that the server closes with.
    ///
    /// # Panics
    /// If it ends the connection without one.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            let frame = self.next().await.expect("a close frame comes before the end");
            if let Some(code) = frame.close_code() {
                return code;
            }
        }
    }
}
