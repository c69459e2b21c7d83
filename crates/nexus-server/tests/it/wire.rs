//! HTTP as bytes: a client so plain that it can also be wrong on purpose.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A request to be sent.
pub(crate) struct Ask {
    port: u16,
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(port: u16, method: &str, path: &str) -> Self {
        Self {
            port,
            line: format!("{method} {path} HTTP/1.1"),
            headers: vec![("host".into(), format!("localhost:{port}"))],
            body: vec![],
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        let asked = if kind.is_empty() { self } else { self.header("content-type", kind) };
        asked.header("content-length", &length)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// The request as bytes; the connection may be used again.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.line).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    pub(crate) fn send(self) -> Answer {
        let port = self.port;
        let bytes = self.header("connection", "close").bytes();
        raw(port, &bytes).unwrap_or_else(|| panic!("no answer to {}", String::from_utf8_lossy(&bytes[..bytes.len().min(300)])))
    }
}

/// A connection to a server of this machine.
pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream
}

/// Sends bytes and reads until the end; `None` if the connection was closed without a word.
pub(crate) fn raw(port: u16, bytes: &[u8]) -> Option<Answer> {
    let mut stream = connect(port);
    // A server that refuses early may close before it has read everything; its answer is there nevertheless.
    stream.write_all(bytes).ok();
    read(&mut stream)
}

/// Reads an answer up to the end of the connection.
pub(crate) fn read(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = vec![];
    stream.read_to_end(&mut bytes).ok();
    let text = String::from_utf8(bytes).expect("answers are UTF-8");
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some(Answer {
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status line")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|cause| panic!("{cause}: {self:?}"))
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status(), status, "{self:?}");
        self.json()
    }

    /// Checks a refusal and its body's shape.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, word: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["error"], word, "{body}");
        assert_eq!(body["request_id"].as_str(), self.header("x-request-id"), "{self:?}");
        assert!(body["code"].is_u64() && body["message"].is_string(), "{body}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(!self.head.to_ascii_lowercase().contains("access-control"), "{self:?}");
        body
    }
}
