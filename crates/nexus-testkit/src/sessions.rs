//! The gateway side of a client: one session that keeps its state, resumes after every break, and identifies anew on op 9.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use nexus_types::gateway::op;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::{WebSocketStream, client_async};
use tungstenite::Message;

use crate::oracles::{Row, Stream};
use crate::states::{State, id};

/// How long a server may take for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Pause before another try to connect.
const PAUSE: Duration = Duration::from_millis(25);

/// What came from the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A dispatch; the state has it already.
    Dispatch(Value),
    /// Op 9: this session can't go on.
    Invalid,
    /// The connection ended, with a close code if the server said one.
    Closed(Option<u16>),
    /// Nothing within the time given.
    Silence,
    /// Anything else (HELLO, an acknowledged heartbeat).
    Other(Value),
}

/// A session and what it has lived through.
pub struct Session {
    /// Where the gateway is, or a proxy before it.
    pub address: SocketAddr,
    /// The access token.
    pub token: String,
    /// What it knows.
    pub state: State,
    /// Every dispatch since it last identified.
    pub frames: Vec<Value>,
    /// The dispatches of the sessions before this one, each ended by op 9.
    pub earlier: Vec<Vec<Value>>,
    /// How often it identified.
    pub identified: usize,
    /// How often RESUMED came.
    pub resumed: usize,
    /// The close codes it was told.
    pub closes: Vec<u16>,
    /// The receive buffer of its sockets, if it shall be small.
    pub receive_bytes: Option<u32>,
    socket: Option<WebSocketStream<TcpStream>>,
}

impl Session {
    /// A session that has not begun.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self {
            address,
            token: token.to_owned(),
            state: State::default(),
            frames: vec![],
            earlier: vec![],
            identified: 0,
            resumed: 0,
            closes: vec![],
            receive_bytes: None,
            socket: None,
        }
    }

    /// A session that has begun.
    ///
    /// # Panics
    /// If it does not within [`PATIENCE`].
    pub async fn begin(address: SocketAddr, token: &str) -> Self {
        let mut session = Self::new(address, token);
        session.recover().await;
        session
    }

    /// Opens a WebSocket and waits for HELLO.
    ///
    /// # Errors
    /// If the server is not there, refuses, or says something else.
    pub async fn connect(&mut self) -> io::Result<()> {
        self.socket = None;
        let opening = async {
            let tcp = TcpSocket::new_v4()?;
            if let Some(bytes) = self.receive_bytes {
                tcp.set_recv_buffer_size(bytes)?;
            }
            let tcp = tcp.connect(self.address).await?;
            tcp.set_nodelay(true)?;
            let url = format!("ws://{}/gateway?v=10&encoding=json", self.address);
            let (socket, _) = client_async(url, tcp).await.map_err(io::Error::other)?;
            Ok::<_, io::Error>(socket)
        };
        self.socket = Some(timeout(PATIENCE, opening).await??);
        match self.hear(PATIENCE).await {
            Heard::Other(hello) if hello["op"] == op::HELLO => Ok(()),
            other => Err(io::Error::other(format!("expected HELLO, heard {other:?}"))),
        }
    }

    /// Sends a frame. A connection that is gone is noticed by [`Session::hear`].
    pub async fn say(&mut self, frame: &Value) {
        self.say_raw(Message::text(frame.to_string())).await;
    }

    /// Sends any message.
    pub async fn say_raw(&mut self, message: Message) {
        if let Some(socket) = &mut self.socket {
            drop(socket.send(message).await);
        }
    }

    /// IDENTIFY.
    pub async fn identify(&mut self) {
        let token = self.token.clone();
        self.say(&json!({"op": op::IDENTIFY, "d": {"token": token, "intents": 0, "properties": {"os": "linux"}}}))
            .await;
    }

    /// RESUME after the last `s`.
    pub async fn resume(&mut self) {
        let seq = self.state.s;
        self.resume_from(seq).await;
    }

    /// RESUME after any `s`.
    pub async fn resume_from(&mut self, seq: i64) {
        let data = json!({"token": self.token, "session_id": self.state.session_id, "seq": seq});
        self.say(&json!({"op": op::RESUME, "d": data})).await;
    }

    /// Waits for what comes next, and takes it in.
    pub async fn hear(&mut self, at_most: Duration) -> Heard {
        let Some(socket) = &mut self.socket else {
            return Heard::Closed(None);
        };
        let deadline = Instant::now() + at_most;
        loop {
            let message = match timeout_at(deadline, socket.next()).await {
                Err(_) => return Heard::Silence,
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(_)) | None) => return self.closed(None),
            };
            match message {
                Message::Text(text) => {
                    let frame = serde_json::from_str(&text).expect("the server sends JSON");
                    return self.take_in(frame).await;
                }
                Message::Close(close) => return self.closed(close.map(|close| u16::from(close.code))),
                _ => {}
            }
        }
    }

    fn closed(&mut self, code: Option<u16>) -> Heard {
        self.socket = None;
        self.closes.extend(code);
        Heard::Closed(code)
    }

    async fn take_in(&mut self, frame: Value) -> Heard {
        match frame["op"].as_u64().and_then(|op| u8::try_from(op).ok()) {
            Some(op::DISPATCH) => {
                if frame["t"] == "READY" {
                    self.identified += 1;
                    if !self.frames.is_empty() {
                        self.earlier.push(std::mem::take(&mut self.frames));
                    }
                }
                self.resumed += usize::from(frame["t"] == "RESUMED");
                self.state.apply(&frame);
                self.frames.push(frame.clone());
                Heard::Dispatch(frame)
            }
            Some(op::INVALID_SESSION) => Heard::Invalid,
            Some(op::HEARTBEAT) => {
                self.say(&json!({"op": op::HEARTBEAT, "d": null})).await;
                Heard::Other(frame)
            }
            _ => Heard::Other(frame),
        }
    }

    /// Drops the connection without a word, as a broken network does.
    pub fn hang_up(&mut self) {
        self.socket = None;
    }

    /// Is there a connection?
    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// One try to be complete and live: connects, resumes or identifies, and takes in the burst or the replay. On op 9 it identifies
    /// anew on the same connection.
    ///
    /// # Errors
    /// If the connection ended before.
    pub async fn try_begin(&mut self) -> io::Result<()> {
        self.connect().await?;
        let mut resuming = self.state.session_id.is_some();
        if resuming {
            self.resume().await;
        } else {
            self.identify().await;
        }
        loop {
            match self.hear(PATIENCE).await {
                Heard::Dispatch(frame) if resuming && frame["t"] == "RESUMED" => return Ok(()),
                Heard::Dispatch(_) if !resuming && self.state.is_complete() => return Ok(()),
                Heard::Invalid => {
                    self.state.session_id = None;
                    resuming = false;
                    self.identify().await;
                }
                Heard::Dispatch(_) | Heard::Other(_) => {}
                heard @ (Heard::Closed(_) | Heard::Silence) => return Err(io::Error::other(format!("{heard:?}"))),
            }
        }
    }

    /// Tries until it is complete and live.
    ///
    /// # Panics
    /// If it is not within [`PATIENCE`].
    pub async fn recover(&mut self) {
        let deadline = Instant::now() + 2 * PATIENCE;
        while let Err(error) = self.try_begin().await {
            assert!(Instant::now() < deadline, "the session does not begin: {error}");
            sleep(PAUSE).await;
        }
    }

    /// Takes in what comes, recovering from every break, until a dispatch is the one.
    ///
    /// # Panics
    /// If it does not come within [`PATIENCE`].
    pub async fn until(&mut self, what: &str, mut is_it: impl FnMut(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut looked_at = self.frames.len();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "no {what} came; the last frames: {:?}",
                self.frames.iter().rev().take(3).collect::<Vec<_>>()
            );
            match self.hear(left).await {
                Heard::Dispatch(frame) => {
                    looked_at = self.frames.len();
                    if is_it(&frame) {
                        return frame;
                    }
                }
                Heard::Closed(_) => {
                    self.recover().await;
                    // What the recovery brought counts too; after op 9 everything is new.
                    let from = if looked_at <= self.frames.len() { looked_at } else { 0 };
                    if let Some(frame) = self.frames[from..].iter().find(|frame| is_it(frame)) {
                        return frame.clone();
                    }
                    looked_at = self.frames.len();
                }
                Heard::Invalid | Heard::Silence | Heard::Other(_) => {}
            }
        }
    }

    /// Waits until the message with this id is known as its channel's newest.
    ///
    /// # Panics
    /// If it is not within [`PATIENCE`].
    pub async fn until_message(&mut self, channel: i64, message: i64) {
        let newest = |state: &State| {
            let channel = state.guilds.values().find_map(|guild| guild.channels.get(&channel));
            channel
                .and_then(|channel| channel["last_message_id"].as_str())
                .map_or(0, |text| text.parse::<i64>().expect("an id"))
        };
        let deadline = Instant::now() + 2 * PATIENCE;
        while newest(&self.state) < message {
            assert!(
                Instant::now() < deadline,
                "message {message} does not come; the newest is {}",
                newest(&self.state)
            );
            if let Heard::Closed(_) = self.hear(Duration::from_millis(500)).await {
                self.recover().await;
            }
        }
    }

    /// Everything that comes until it is quiet for this long.
    pub async fn until_quiet(&mut self, quiet: Duration) -> Vec<Heard> {
        let mut all = Vec::new();
        loop {
            match self.hear(quiet).await {
                Heard::Silence => return all,
                heard @ Heard::Closed(_) => {
                    all.push(heard);
                    return all;
                }
                heard => all.push(heard),
            }
        }
    }

    /// What each of its sessions saw of a channel, for the oracle. What a burst already held is left out where it comes again,
    /// because that does no harm.
    pub fn streams(&self, name: &str, channel: i64) -> Vec<Stream> {
        let all = self
            .earlier
            .iter()
            .chain(std::iter::once(&self.frames))
            .filter(|frames| !frames.is_empty());
        let last = self.earlier.len();
        all.enumerate()
            .map(|(index, frames)| stream(&format!("{name}, session {index}"), channel, frames, index == last))
            .collect()
    }
}

fn stream(name: &str, channel: i64, frames: &[Value], is_last: bool) -> Stream {
    let wanted = channel.to_string();
    let held = frames
        .iter()
        .filter(|frame| frame["t"] == "GUILD_CREATE")
        .take(1_000)
        .find_map(|frame| {
            let channels = frame["d"]["channels"].as_array().expect("a guild has channels");
            channels
                .iter()
                .find(|channel| channel["id"] == wanted.as_str())
                .map(|channel| channel["last_message_id"].as_str().map_or(0, |text| text.parse().expect("an id")))
        });
    let messages = frames
        .iter()
        .filter(|frame| frame["t"] == "MESSAGE_CREATE" && frame["d"]["channel_id"] == wanted.as_str());
    let after = held.unwrap_or(i64::MAX);
    let rows: Vec<_> = messages.map(|frame| row(&frame["d"])).filter(|row| row.id > after).collect();
    // A session that ended claims what it saw; the last one claims everything.
    let until = if is_last {
        i64::MAX
    } else {
        rows.iter().map(|row| row.id).max().unwrap_or(after)
    };
    Stream {
        name: name.to_owned(),
        after,
        until,
        rows,
    }
}

/// A message as the oracle knows it.
pub fn row(message: &Value) -> Row {
    Row {
        id: id(message, "id"),
        key: message["content"].as_str().expect("a message has content").to_owned(),
    }
}
