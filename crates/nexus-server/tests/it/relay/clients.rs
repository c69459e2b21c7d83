//! A client of the relay over either transport, by hand: it reads only when it is told to, and shows the very bytes that came.

use std::net::SocketAddr;
use std::time::Duration;

use nexus_testkit::wires::frame;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long the server may take for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Over what a session runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    WebSocket,
    EventStream,
}

/// What came from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Text(String),
    Ping,
    Closed(u16),
    /// The connection ended without a word.
    End,
}

/// What to connect with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    /// As it stands in the path.
    pub(super) id: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    /// The receive buffer, if it shall be small.
    pub(super) receive_bytes: Option<u32>,
}

impl<'a> Way<'a> {
    pub(super) fn new(kind: Kind, address: SocketAddr, id: &'a str) -> Self {
        Self {
            kind,
            address,
            id,
            headers: &[],
            receive_bytes: None,
        }
    }
}

/// One session.
pub(super) struct Client {
    pub(super) kind: Kind,
    address: SocketAddr,
    path: String,
    stream: BufReader<TcpStream>,
    /// For posting, over a connection of its own.
    pub(super) token: String,
    posts: Option<BufReader<TcpStream>>,
    /// What is left of the chunk that the last line was in.
    chunk: Vec<u8>,
}

async fn head(stream: &mut BufReader<TcpStream>) -> (u16, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let count = timeout(PATIENCE, stream.read_line(&mut head))
            .await
            .expect("it answers in time")
            .expect("it answers");
        assert_ne!(count, 0, "it answers");
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_ascii_lowercase())
}

/// What a page says, head and all.
pub(super) async fn page(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the request is sent");
    let mut page = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut page))
        .await
        .expect("it answers in time")
        .expect("it answers");
    page
}

impl Client {
    /// Asks to come in; the status if it is refused.
    pub(super) async fn try_connect(way: Way<'_>) -> Result<Self, u16> {
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(bytes) = way.receive_bytes {
            socket.set_recv_buffer_size(bytes).expect("a small buffer");
        }
        let stream = socket.connect(way.address).await.expect("the server listens");
        stream.set_nodelay(true).expect("it is set");
        let mut stream = BufReader::with_capacity(4_096, stream);
        let path = format!("/ws/{}", way.id);
        let mut request = match way.kind {
            Kind::WebSocket => format!(
                "GET {path} HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                 sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            ),
            Kind::EventStream => format!("GET {path}/events HTTP/1.1\r\naccept: text/event-stream\r\n"),
        };
        if !way.headers.iter().any(|(name, _)| *name == "host") {
            request.extend(["host: ", &way.address.to_string(), "\r\n"]);
        }
        for (name, value) in way.headers {
            request.extend([*name, ": ", *value, "\r\n"]);
        }
        request += "\r\n";
        stream.write_all(request.as_bytes()).await.expect("the request is sent");
        let (status, head) = head(&mut stream).await;
        let mut client = Self {
            kind: way.kind,
            address: way.address,
            path,
            stream,
            token: String::new(),
            posts: None,
            chunk: vec![],
        };
        match (way.kind, status) {
            (Kind::WebSocket, 101) => Ok(client),
            (Kind::EventStream, 200) => {
                assert!(head.contains("content-type: text/event-stream"), "{head}");
                client.token = client.opened().await;
                Ok(client)
            }
            (_, status) => Err(status),
        }
    }

    /// Comes in.
    pub(super) async fn connect(kind: Kind, address: SocketAddr, id: &str) -> Self {
        Self::try_connect(Way::new(kind, address, id)).await.expect("it is let in")
    }

    /// The token of the first event; none if the stream is closed at once.
    async fn opened(&mut self) -> String {
        let Some((name, data)) = self.event().await else {
            return String::new();
        };
        if name != "open" {
            // It can be heard again.
            let again = format!("event: {name}\ndata: {data}\n\n");
            self.chunk.splice(0..0, again.into_bytes());
            return String::new();
        }
        let data: Value = serde_json::from_str(&data).expect("JSON");
        data["token"].as_str().expect("a token").to_owned()
    }

    /// Sends a frame. Over posts, says the status.
    pub(super) async fn send(&mut self, text: &str) -> u16 {
        match self.kind {
            Kind::WebSocket => {
                self.send_raw(&frame(0x81, true, text.as_bytes())).await;
                204
            }
            Kind::EventStream => {
                let token = format!("Bearer {}", self.token);
                self.post(text.as_bytes(), &[("authorization", &token)]).await
            }
        }
    }

    /// Sends bytes of a WebSocket. Whether they arrive is the server's affair.
    pub(super) async fn send_raw(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes).await);
    }

    /// Posts a body.
    pub(super) async fn post(&mut self, body: &[u8], headers: &[(&str, &str)]) -> u16 {
        let mut stream = match self.posts.take() {
            Some(stream) => stream,
            None => BufReader::new(TcpStream::connect(self.address).await.expect("the server listens")),
        };
        let mut request = format!(
            "POST {}/frames HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n",
            self.path,
            self.address,
            body.len()
        );
        for (name, value) in headers {
            request.extend([*name, ": ", *value, "\r\n"]);
        }
        request += "\r\n";
        let bytes = [request.as_bytes(), body].concat();
        stream.write_all(&bytes).await.expect("the request is sent");
        let (status, head) = head(&mut stream).await;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut answer = vec![0; length.map_or(0, |length| length.trim().parse().expect("a length"))];
        stream.read_exact(&mut answer).await.expect("the answer is whole");
        if !head.contains("connection: close") {
            self.posts = Some(stream);
        }
        status
    }

    /// The next thing that is heard, whatever it is.
    pub(super) async fn hear(&mut self) -> Heard {
        timeout(PATIENCE, self.read()).await.expect("something comes in time")
    }

    /// The next frame or the end, pings left out.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            let heard = self.hear().await;
            if heard != Heard::Ping {
                return heard;
            }
        }
    }

    /// The next frame.
    pub(super) async fn text(&mut self) -> String {
        match self.next().await {
            Heard::Text(text) => text,
            other => panic!("a frame, not {other:?}"),
        }
    }

    /// The next frame as JSON.
    pub(super) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).expect("it is JSON")
    }

    /// The code that it is closed with, after whatever else.
    pub(super) async fn closed(&mut self) -> u16 {
        loop {
            match self.next().await {
                Heard::Closed(code) => return code,
                Heard::End => panic!("it ended without a code"),
                _ => {}
            }
        }
    }

    async fn read(&mut self) -> Heard {
        match self.kind {
            Kind::WebSocket => self.read_frame().await.unwrap_or(Heard::End),
            Kind::EventStream => self.read_event().await,
        }
    }

    async fn read_frame(&mut self) -> Option<Heard> {
        loop {
            let stream = &mut self.stream;
            let first = stream.read_u8().await.ok()?;
            let len = match stream.read_u8().await.ok()? {
                126 => usize::from(stream.read_u16().await.ok()?),
                127 => usize::try_from(stream.read_u64().await.ok()?).ok()?,
                len => usize::from(len),
            };
            let mut payload = vec![0; len];
            stream.read_exact(&mut payload).await.ok()?;
            match first {
                0x81 => return Some(Heard::Text(String::from_utf8(payload).expect("text is UTF-8"))),
                0x88 => {
                    self.send_raw(&frame(0x88, true, &payload)).await;
                    drop(self.stream.shutdown().await);
                    return payload.first_chunk::<2>().map(|code| Heard::Closed(u16::from_be_bytes(*code)));
                }
                0x89 => {
                    self.send_raw(&frame(0x8a, true, &payload)).await;
                    return Some(Heard::Ping);
                }
                0x8a => {}
                other => panic!("a frame that begins with {other:x}"),
            }
        }
    }

    async fn read_event(&mut self) -> Heard {
        let Some((name, data)) = self.event().await else {
            return Heard::End;
        };
        match &name[..] {
            "frame" => Heard::Text(data),
            "frame64" => {
                use base64::Engine as _;
                let bytes = base64::engine::general_purpose::STANDARD.decode(data).expect("base64");
                Heard::Text(String::from_utf8(bytes).expect("text is UTF-8"))
            }
            "ping" => Heard::Ping,
            "close" => {
                let data: Value = serde_json::from_str(&data).expect("JSON");
                Heard::Closed(data["code"].as_u64().and_then(|code| u16::try_from(code).ok()).expect("a code"))
            }
            other => panic!("an event {other}"),
        }
    }

    /// One event as the standard says: any of the three line ends, one space after the colon left out.
    async fn event(&mut self) -> Option<(String, String)> {
        let (mut name, mut data) = (String::new(), Vec::new());
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Some((name, data.join("\n")));
            }
            let (field, value) = line.split_once(':').expect("a field");
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "event" => name = value,
                "data" => data.push(value),
                other => panic!("a field {other}"),
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        let mut searched = 0;
        loop {
            let end = self.chunk[searched..].iter().position(|byte| [b'\n', b'\r'].contains(byte));
            if let Some(end) = end.map(|end| end + searched) {
                let crlf = self.chunk[end..].starts_with(b"\r\n");
                let line = String::from_utf8(self.chunk[..end].to_vec()).expect("events are UTF-8");
                self.chunk.drain(..end + 1 + usize::from(crlf));
                return Some(line);
            }
            searched = self.chunk.len();
            let mut size = String::new();
            self.stream.read_line(&mut size).await.ok().filter(|count| *count > 0)?;
            let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size");
            let start = self.chunk.len();
            self.chunk.resize(start + size + 2, 0);
            self.stream.read_exact(&mut self.chunk[start..]).await.ok()?;
            self.chunk.truncate(start + size);
            if size == 0 {
                return None;
            }
        }
    }
}
