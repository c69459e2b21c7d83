//! Requests whose answers do not end: sockets and event streams of the relay.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::server::Server;
use crate::wire::{Answer, Ask, connect};

/// Sends a request.
pub(crate) fn open(ask: &Ask, port: u16) -> TcpStream {
    let mut stream = connect(port);
    stream.write_all(&ask.bytes()).expect("it is sent");
    stream
}

/// Reads up to some words.
pub(crate) fn until(stream: &mut TcpStream, words: &str) -> String {
    let (mut read, mut byte) = (vec![], [0]);
    while !read.ends_with(words.as_bytes()) {
        stream.read_exact(&mut byte).expect("there is more");
        read.extend(byte);
    }
    String::from_utf8(read).expect("it is text")
}

/// A session of the relay over an event stream.
pub(crate) struct Session {
    pub(crate) head: String,
    id: &'static str,
    token: String,
    _stream: TcpStream,
}

impl Session {
    pub(crate) fn begin(server: &Server, id: &'static str) -> Self {
        let mut stream = open(&server.ask("GET", &format!("/ws/{id}/events")), server.port);
        let head = until(&mut stream, "\"}\n\n");
        let token = head.split("\"token\":\"").nth(1).and_then(|rest| rest.split('"').next());
        Self {
            token: token.expect("a token").to_owned(),
            head,
            id,
            _stream: stream,
        }
    }

    pub(crate) fn ask(&self, server: &Server) -> Ask {
        let ask = server.ask("POST", &format!("/ws/{}/frames", self.id));
        ask.header("authorization", &format!("Bearer {}", self.token))
    }

    pub(crate) fn post(&self, server: &Server, frame: &Value) -> Answer {
        self.ask(server).json(frame).send()
    }
}
