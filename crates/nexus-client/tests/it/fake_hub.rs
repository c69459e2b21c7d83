//! A hub of a hundred lines: routes that answer what a test wants, streams that a test drives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use nexus_client::{Builder, NexusClient};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;

pub(crate) const SECRET: &str = "an example secret of 32 bytes ok";

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

/// Status, more header lines, and body; status 0 hangs up.
pub(crate) type Answer = (u16, &'static str, Value);

pub(crate) struct FakeHub {
    pub(crate) url: String,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    streams: mpsc::UnboundedReceiver<HubStream>,
}

/// The hub's end of one stream.
pub(crate) struct HubStream {
    pub(crate) path: String,
    /// The client's first command.
    pub(crate) command: Value,
    socket: WebSocketStream<TcpStream>,
}

impl FakeHub {
    /// One that answers everything but streams with this.
    pub(crate) async fn start(answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (sender, streams) = mpsc::unbounded_channel();
        let answer = Arc::new(Mutex::new(answer));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, sender, answer) = (Arc::clone(&log), sender.clone(), Arc::clone(&answer));
                tokio::spawn(async move {
                    serve(stream, &log, &sender, |asked| (answer.lock().expect("not poisoned"))(asked)).await;
                });
            }
        });
        Self { url, asked, streams }
    }

    /// One that gives tickets.
    pub(crate) async fn with_tickets() -> Self {
        Self::start(|_| (200, "", json!({ "ticket": "t/1", "expires_in": 30 }))).await
    }

    pub(crate) fn builder(&self) -> Builder {
        NexusClient::builder(&self.url).secret(SECRET)
    }

    /// The next stream that is opened.
    pub(crate) async fn stream(&mut self) -> HubStream {
        let stream = tokio::time::timeout(Duration::from_secs(5), self.streams.recv());
        stream.await.expect("a stream is opened in time").expect("the hub runs")
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

impl HubStream {
    pub(crate) async fn give(&mut self, frames: &[Value]) {
        for frame in frames {
            self.socket
                .send(Message::text(frame.to_string()))
                .await
                .expect("the client listens");
        }
    }

    pub(crate) async fn begin(&mut self, position: i64, gap: bool) {
        self.give(&[
            json!({ "status": "subscribed", "events": [], "validEvents": [], "invalidEvents": [], "position": position, "gap": gap }),
        ])
        .await;
    }

    pub(crate) async fn close(mut self, code: u16) {
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        self.socket.close(Some(frame)).await.expect("the client listens");
        self.ended().await;
    }

    /// Waits until the client is gone.
    pub(crate) async fn ended(&mut self) {
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}

pub(crate) fn event(position: i64) -> Value {
    json!({ "id": position.to_string(), "position": position, "event": "GAUGE:READING", "payload": {}, "source": "default", "timestamp": 5 })
}

async fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Asked>>,
    streams: &mpsc::UnboundedSender<HubStream>,
    mut answer: impl FnMut(&Asked) -> Answer,
) {
    while let Some(asked) = read(&mut stream).await {
        if let Some(key) = asked.headers.get("sec-websocket-key") {
            let accept = derive_accept_key(key.as_bytes());
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.expect("the client listens");
            let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
            let Some(Ok(Message::Text(command))) = socket.next().await else {
                return;
            };
            let command = serde_json::from_str(&command).expect("a command is JSON");
            drop(streams.send(HubStream {
                path: asked.path,
                command,
                socket,
            }));
            return;
        }
        log.lock().expect("not poisoned").push(asked.clone());
        let (status, headers, body) = answer(&asked);
        if status == 0 {
            return;
        }
        let body = body.to_string();
        let text = format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(text.as_bytes()).await.expect("the client listens");
    }
}

/// One request; none when the client hung up.
async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("a head is text");
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().expect("a number"))];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).expect("a body is text");
    Some(Asked {
        method,
        path,
        headers,
        body,
    })
}
