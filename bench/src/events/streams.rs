//! Streams: WebSockets on which events come, all read by one thread with one buffer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpSocket;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::payments::{number_after, signature};
use crate::Outcome;
use crate::frames::{CLOSE, Reader, TEXT, masked};
use crate::http::Client;

/// The example key of RFC 6455, section 1.3, and the server's answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const PING: u8 = 9;
const BUFFER_BYTES: usize = 64 * 1024;
/// Streams from one address alone would exhaust its ports.
const ADDRESSES: usize = 8;
/// How long a stream may take to open.
const OPENING: Duration = Duration::from_secs(20);

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
}

/// What a stream shall bring.
pub(super) struct Wanted<'a> {
    pub(super) events: &'a [&'a str],
    /// Everything after this position; `None` for what comes from now on.
    pub(super) since: Option<i64>,
}

/// What came.
pub(super) enum Heard<'a> {
    /// An event: its position and its JSON.
    Event(i64, &'a [u8]),
    /// Everything of the past was sent.
    CaughtUp,
}

/// An open stream with a subscription.
pub(super) struct Stream {
    reading: OwnedReadHalf,
    writing: OwnedWriteHalf,
    reader: Reader,
    /// What came together with the answer to the subscription.
    early: Vec<Vec<u8>>,
    over: Option<String>,
}

#[derive(Deserialize)]
struct Ticket {
    ticket: String,
}

/// A ticket that opens one stream.
pub(super) async fn ticket(client: &mut Client, address: SocketAddr) -> Outcome<String> {
    let time_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().to_string();
    let signature = signature(&[&time_s, ".", "{}"]);
    let request = format!(
        "POST /events/tickets HTTP/1.1\r\nHost: {address}\r\nX-Nexus-Signature: {signature}\r\nX-Nexus-Timestamp: {time_s}\r\n\
         Content-Length: 2\r\n\r\n{{}}"
    );
    let answer = client.exchange(request.as_bytes()).await?;
    if answer.status != 200 {
        return Err(format!("a ticket was answered {}", answer.status).into());
    }
    Ok(serde_json::from_slice::<Ticket>(&answer.body)?.ticket)
}

impl Stream {
    /// Opens a stream and waits until it is subscribed. `number` spreads streams over addresses.
    pub(super) async fn open(address: SocketAddr, number: usize, wanted: &Wanted<'_>) -> Outcome<Self> {
        let mut client = Client::connect(address).await?;
        let ticket = ticket(&mut client, address).await?;
        Self::open_with(address, number, &ticket, wanted).await
    }

    pub(super) async fn open_with(address: SocketAddr, number: usize, ticket: &str, wanted: &Wanted<'_>) -> Outcome<Self> {
        let socket = TcpSocket::new_v4()?;
        let own = Ipv4Addr::new(127, 0, 0, 1 + (number % ADDRESSES) as u8);
        socket.bind((own, 0).into())?;
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let (reading, writing) = stream.into_split();
        let mut stream = Self {
            reading,
            writing,
            reader: Reader::default(),
            early: vec![],
            over: None,
        };
        let opened = tokio::time::timeout(OPENING, stream.begin(address, ticket, wanted)).await;
        opened.map_err(|_| "a stream did not open in time")??;
        Ok(stream)
    }

    async fn begin(&mut self, address: SocketAddr, ticket: &str, wanted: &Wanted<'_>) -> Outcome<()> {
        let request = format!(
            "GET /events/stream?token={ticket} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        self.say(request.as_bytes()).await?;
        let mut head = vec![];
        // The server says nothing before it was asked something, so the head is all there is.
        while !head.ends_with(b"\r\n\r\n") {
            if !self.read(|_, bytes| head.extend_from_slice(bytes)).await? {
                return Err("the server closed a connection before the upgrade".into());
            }
        }
        if !head.starts_with(b"HTTP/1.1 101 ") || !head.windows(ACCEPT.len()).any(|window| window == ACCEPT) {
            return Err(format!("no upgrade: {}", String::from_utf8_lossy(&head)).into());
        }
        let mut command = json!({ "action": "subscribe", "events": wanted.events });
        if let Some(since) = wanted.since {
            command["since"] = since.into();
        }
        self.say(&masked(&command.to_string())).await?;

        let mut answer: Option<Vec<u8>> = None;
        while answer.is_none() {
            let more = self
                .read(|stream, bytes| {
                    let mut reader = std::mem::take(&mut stream.reader);
                    reader.take(bytes, |opcode, payload| match (opcode, &answer) {
                        (TEXT, None) => answer = Some(payload.to_vec()),
                        (TEXT, Some(_)) => stream.early.push(payload.to_vec()),
                        _ => {}
                    });
                    stream.reader = reader;
                })
                .await?;
            if !more {
                return Err("the server closed a stream before it answered".into());
            }
        }
        let answer = answer.unwrap_or_default();
        if answer.starts_with(br#"{"status":"subscribed""#) && answer.windows(19).any(|window| window == br#""invalidEvents":[],"#) {
            return Ok(());
        }
        Err(format!("a subscription was answered {}", String::from_utf8_lossy(&answer)).into())
    }

    async fn say(&self, bytes: &[u8]) -> Outcome<()> {
        self.writing.writable().await?;
        if self.writing.try_write(bytes)? == bytes.len() {
            Ok(())
        } else {
            Err("the kernel took half a command".into())
        }
    }

    /// Reads once. False: there will be no more.
    async fn read(&mut self, mut take: impl FnMut(&mut Self, &[u8])) -> std::io::Result<bool> {
        poll_fn(|context| self.poll(context, &mut take)).await
    }

    fn poll(&mut self, context: &mut Context<'_>, take: &mut impl FnMut(&mut Self, &[u8])) -> Poll<std::io::Result<bool>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.reading).poll_read(context, &mut buffer))?;
            take(self, buffer.filled());
            Poll::Ready(Ok(!buffer.filled().is_empty()))
        })
    }

    /// Hands on what comes until `each` says false. That the server ends it before is an error.
    pub(super) async fn listen(mut self, mut each: impl FnMut(Heard<'_>) -> bool) -> Outcome<()> {
        let mut goes_on = true;
        let mut frame = |opcode: u8, payload: &[u8], stream: &mut Self| {
            if goes_on && stream.over.is_none() {
                match hear(opcode, payload, &stream.writing) {
                    Ok(Some(heard)) => goes_on = each(heard),
                    Ok(None) => {}
                    Err(fault) => stream.over = Some(fault),
                }
            }
            goes_on
        };
        for payload in std::mem::take(&mut self.early) {
            frame(TEXT, &payload, &mut self);
        }
        loop {
            if let Some(reason) = self.over {
                return Err(reason.into());
            }
            let mut wanted = true;
            let more = self
                .read(|stream, bytes| {
                    let mut reader = std::mem::take(&mut stream.reader);
                    reader.take(bytes, |opcode, payload| wanted = frame(opcode, payload, stream));
                    stream.reader = reader;
                })
                .await?;
            if !wanted {
                return Ok(());
            }
            if !more {
                return Err("the server closed a stream".into());
            }
        }
    }
}

/// What a frame says, if it is of interest.
fn hear<'a>(opcode: u8, payload: &'a [u8], writing: &OwnedWriteHalf) -> Result<Option<Heard<'a>>, String> {
    match opcode {
        TEXT if payload.starts_with(br#"{"position":"#) => {
            let position = number_after(payload, br#""position":"#).ok_or("an event without a position")?;
            Ok(Some(Heard::Event(position.cast_signed(), payload)))
        }
        TEXT if payload.starts_with(br#"{"status":"caught_up""#) => Ok(Some(Heard::CaughtUp)),
        TEXT => Err(format!("a stream said {}", String::from_utf8_lossy(payload))),
        PING => {
            let mut pong = vec![0x8a, 0x80 | payload.len() as u8, 0, 0, 0, 0];
            pong.extend_from_slice(payload);
            // So small that the kernel always takes it.
            writing.try_write(&pong).map_err(|error| error.to_string())?;
            Ok(None)
        }
        CLOSE => {
            let code = payload.get(..2).map_or(0, |code| u16::from_be_bytes([code[0], code[1]]));
            Err(format!("the server closed a stream with {code}"))
        }
        _ => Ok(None),
    }
}
