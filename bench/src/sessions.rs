//! Many gateway sessions in one thread: they identify or resume, receive, and check that nothing is missing, twice or out of order.
//!
//! Every message carries its number as its nonce. The first session that gets a message decides its place in the common order;
//! every other one must get the same number at the same place.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpSocket;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

use crate::Outcome;
use crate::frames::{CLOSE, Reader, TEXT, masked, sequence, text_after};
use crate::report::histogram;

/// The example key of RFC 6455, section 1.3, and the server's answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// Shared by all sessions, as one thread reads for all of them.
const BUFFER_BYTES: usize = 64 * 1024;
/// Sessions heard of all at once would exhaust one address's ports after a few storms.
const ADDRESSES: usize = 8;
/// Well below the interval that the server asks for.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Faults that are kept.
const FAULTS_MAX: usize = 5;

/// How a session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Identify,
    Resume,
}

/// All sessions of a bench, and what they know together.
pub(crate) struct Crowd {
    pub(crate) common: Rc<Common>,
    members: Vec<Rc<Member>>,
    tasks: Vec<JoinHandle<()>>,
    heart: JoinHandle<()>,
}

/// What sessions and senders share.
pub(crate) struct Common {
    address: SocketAddr,
    origin: Instant,
    /// Sessions that are identified or resumed.
    ready: Cell<usize>,
    delivered: Cell<u64>,
    /// Numbers in the order of the log.
    order: RefCell<Vec<u32>>,
    /// When each number was due, in microseconds after `origin`, and how many sessions still lack it.
    sent: RefCell<Vec<Sent>>,
    /// Microseconds from due to received.
    pub(crate) latency: RefCell<Histogram<u64>>,
    /// Something that somebody may wait for has happened.
    changed: Notify,
    /// A permit for each message that has reached everybody.
    pub(crate) complete: Semaphore,
    faults: RefCell<Vec<String>>,
}

#[derive(Clone, Copy)]
struct Sent {
    due_us: u64,
    lacking: usize,
}

/// One session across its connections.
struct Member {
    number: usize,
    token: String,
    id: RefCell<String>,
    s: Cell<i64>,
    /// Its place in the common order.
    at: Cell<usize>,
    writer: RefCell<Option<OwnedWriteHalf>>,
}

impl Common {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            origin: Instant::now(),
            ready: Cell::new(0),
            delivered: Cell::new(0),
            order: RefCell::default(),
            sent: RefCell::default(),
            latency: RefCell::new(histogram()),
            changed: Notify::new(),
            complete: Semaphore::new(0),
            faults: RefCell::default(),
        }
    }

    fn now_us(&self) -> u64 {
        self.origin.elapsed().as_micros() as u64
    }

    /// Draws the next number, of a message that is due at this moment and that so many sessions will get.
    pub(crate) fn number(&self, due: Instant, receivers: usize) -> u32 {
        let mut sent = self.sent.borrow_mut();
        sent.push(Sent {
            due_us: due.duration_since(self.origin).as_micros() as u64,
            lacking: receivers,
        });
        let number = sent.len() as u32 - 1;
        if receivers == 0 {
            // Nobody will give it its place.
            self.order.borrow_mut().push(number);
        }
        number
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.get()
    }

    fn fault(&self, text: impl FnOnce() -> String) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < FAULTS_MAX {
            faults.push(text());
        }
        self.changed.notify_waiters();
    }

    /// Takes a message's number in.
    fn receive(&self, member: &Member, number: u32, now_us: u64) {
        let at = member.at.get();
        let mut order = self.order.borrow_mut();
        if at == order.len() {
            order.push(number);
        }
        if order[at] != number {
            self.fault(|| format!("session {} got message {number} where {} was next", member.number, order[at]));
            return;
        }
        member.at.set(at + 1);
        self.delivered.set(self.delivered.get() + 1);
        let mut all_sent = self.sent.borrow_mut();
        let Some(sent) = all_sent.get_mut(number as usize) else {
            return self.fault(|| format!("message {number} was never sent"));
        };
        self.latency.borrow_mut().saturating_record(now_us.saturating_sub(sent.due_us));
        sent.lacking = sent.lacking.saturating_sub(1);
        if sent.lacking == 0 {
            self.complete.add_permits(1);
            self.changed.notify_waiters();
        }
    }

    fn is_ready(&self) {
        self.ready.set(self.ready.get() + 1);
        self.changed.notify_waiters();
    }

    /// Waits until something holds, or somebody found a fault.
    async fn until(&self, at_most: Duration, what: &str, holds: impl Fn() -> bool) -> Outcome<()> {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if holds() || !self.faults.borrow().is_empty() {
                    return;
                }
                changed.await;
            }
        };
        let in_time = tokio::time::timeout(at_most, wait).await.is_ok();
        match self.faults.borrow().first() {
            Some(fault) => Err(fault.clone().into()),
            None if !in_time => Err(format!("{what} did not happen within {} s", at_most.as_secs()).into()),
            None => Ok(()),
        }
    }
}

impl Crowd {
    /// Nobody yet. To be called where tasks can be spawned.
    pub(crate) fn new(address: SocketAddr) -> Self {
        let common = Rc::new(Common::new(address));
        let heart = tokio::task::spawn_local(async {});
        Self {
            common,
            members: vec![],
            tasks: vec![],
            heart,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Adds sessions of these tokens, so many at a time, and waits until they are identified.
    pub(crate) async fn add(&mut self, tokens: &[String], at_once: usize) -> Outcome<()> {
        for tokens in tokens.chunks(at_once.max(1)) {
            let first = self.members.len();
            for token in tokens {
                self.members.push(Rc::new(Member::new(self.members.len(), token.clone())));
            }
            self.start(first, Way::Identify);
            self.until_ready().await?;
        }
        self.keep_alive();
        Ok(())
    }

    /// Starts every session from this one on. Nothing may be under way.
    fn start(&mut self, first: usize, way: Way) {
        self.tasks.truncate(first);
        for member in &self.members[first..] {
            if way == Way::Identify {
                member.at.set(self.common.order.borrow().len());
            }
            let (common, member) = (self.common.clone(), member.clone());
            self.tasks.push(tokio::task::spawn_local(async move {
                if let Err(error) = serve(&common, &member, way).await {
                    common.fault(|| format!("session {}: {error}", member.number));
                }
            }));
        }
    }

    async fn until_ready(&self) -> Outcome<()> {
        let wanted = self.members.len();
        self.common
            .until(Duration::from_mins(1), "everybody's arrival", || self.common.ready.get() == wanted)
            .await
    }

    /// Cuts every connection without a word.
    pub(crate) fn cut(&mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
        for member in &self.members {
            drop(member.writer.take());
        }
        self.common.ready.set(0);
    }

    /// Everybody comes back at once.
    pub(crate) async fn come_back(&mut self, way: Way) -> Outcome<()> {
        self.start(0, way);
        self.until_ready().await
    }

    /// Waits until every session has every message that was numbered.
    pub(crate) async fn until_complete(&self) -> Outcome<()> {
        let all_have_all = || {
            let wanted = self.common.sent.borrow().len();
            self.members.iter().all(|member| member.at.get() == wanted)
        };
        let done = self
            .common
            .until(Duration::from_secs(30), "the delivery of every message", all_have_all)
            .await;
        done.map_err(|error| {
            let lacking = self
                .members
                .iter()
                .filter(|member| member.at.get() != self.common.sent.borrow().len())
                .count();
            format!("{error}; {lacking} sessions lack something").into()
        })
    }

    /// Checks that every number has its one place in the common order. That every session stood at its end was waited for.
    pub(crate) fn verify(&self) -> Outcome<()> {
        let mut order = self.common.order.borrow().clone();
        order.sort_unstable();
        let sent = self.common.sent.borrow().len();
        if order.len() != sent || order.iter().enumerate().any(|(index, number)| index != *number as usize) {
            return Err(format!("{sent} messages were sent, {} places are taken", order.len()).into());
        }
        Ok(())
    }

    /// Sends everybody's heartbeats from now on.
    fn keep_alive(&mut self) {
        self.heart.abort();
        let members = self.members.clone();
        let common = self.common.clone();
        self.heart = tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                for member in &members {
                    if let Err(error) = member.say(&format!(r#"{{"op":1,"d":{}}}"#, member.s.get())) {
                        common.fault(|| format!("the heartbeat of session {}: {error}", member.number));
                    }
                }
            }
        });
    }
}

impl Member {
    fn new(number: usize, token: String) -> Self {
        let (id, s, at, writer) = (RefCell::default(), Cell::new(0), Cell::new(0), RefCell::new(None));
        Self {
            number,
            token,
            id,
            s,
            at,
            writer,
        }
    }

    /// Sends a command, which is so small that the kernel always takes it; nothing if the connection is cut.
    fn say(&self, payload: &str) -> Outcome<()> {
        let writer = self.writer.borrow();
        let Some(writer) = &*writer else { return Ok(()) };
        let frame = masked(payload);
        if writer.try_write(&frame)? == frame.len() {
            Ok(())
        } else {
            Err("the kernel took half a command".into())
        }
    }
}

/// How far a connection is.
enum Phase {
    /// Waiting for 101; what came of it so far.
    Upgrading(Vec<u8>),
    /// Waiting for HELLO, READY, GUILD_CREATE or RESUMED.
    Opening,
    Live,
}

/// A connection of a session.
struct Link<'a> {
    common: &'a Common,
    member: &'a Member,
    way: Way,
    phase: Phase,
    reader: Reader,
    over: Option<String>,
}

/// Serves one connection until the server ends it, which is a fault.
async fn serve(common: &Common, member: &Member, way: Way) -> Outcome<()> {
    let socket = TcpSocket::new_v4()?;
    let own = Ipv4Addr::new(127, 0, 0, 1 + (member.number % ADDRESSES) as u8);
    socket.bind((own, 0).into())?;
    let stream = socket.connect(common.address).await?;
    stream.set_nodelay(true)?;
    let (mut reading, writing) = stream.into_split();
    let request = format!(
        "GET /gateway?v=10&encoding=json HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n",
        common.address
    );
    writing.writable().await?;
    if writing.try_write(request.as_bytes())? != request.len() {
        return Err("the kernel took half a request".into());
    }
    *member.writer.borrow_mut() = Some(writing);

    let mut link = Link {
        common,
        member,
        way,
        phase: Phase::Upgrading(vec![]),
        reader: Reader::default(),
        over: None,
    };
    while poll_fn(|context| link.read(&mut reading, context)).await? {
        if let Some(reason) = link.over {
            return Err(reason.into());
        }
    }
    Err("the server closed the connection".into())
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
}

impl Link<'_> {
    /// Reads once and takes in what came. False: there will be no more.
    fn read(&mut self, reading: &mut OwnedReadHalf, context: &mut Context<'_>) -> Poll<std::io::Result<bool>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(Pin::new(reading).poll_read(context, &mut buffer))?;
            self.take(buffer.filled());
            Poll::Ready(Ok(!buffer.filled().is_empty()))
        })
    }

    fn take(&mut self, bytes: &[u8]) {
        if let Phase::Upgrading(head) = &mut self.phase {
            head.extend_from_slice(bytes);
            let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
                return;
            };
            let head = std::mem::take(head);
            if !head.starts_with(b"HTTP/1.1 101 ") || !head.windows(ACCEPT.len()).any(|window| window == ACCEPT) {
                self.over = Some(format!("no upgrade: {}", String::from_utf8_lossy(&head)));
                return;
            }
            self.phase = Phase::Opening;
            return self.take(&head[end + 4..]);
        }
        let now_us = self.common.now_us();
        let mut reader = std::mem::take(&mut self.reader);
        reader.take(bytes, |opcode, payload| self.frame(opcode, payload, now_us));
        self.reader = reader;
    }

    fn frame(&mut self, opcode: u8, payload: &[u8], now_us: u64) {
        match opcode {
            TEXT if payload.starts_with(br#"{"t":"MESSAGE_CREATE""#) => self.message(payload, now_us),
            TEXT => self.other(payload),
            CLOSE => {
                let code = payload.get(..2).map_or(0, |code| u16::from_be_bytes([code[0], code[1]]));
                self.over = Some(format!("the server closed it with {code}"));
            }
            _ => {}
        }
    }

    fn message(&mut self, payload: &[u8], now_us: u64) {
        let number = text_after(payload, br#""nonce":""#).and_then(|nonce| nonce.parse().ok());
        match (sequence(payload), number) {
            (Some(s), Some(number)) => {
                if s <= self.member.s.get() {
                    self.over = Some(format!("s went from {} to {s}", self.member.s.get()));
                }
                self.member.s.set(s);
                self.common.receive(self.member, number, now_us);
            }
            _ => self.over = Some("a message without number or s".into()),
        }
    }

    fn other(&mut self, payload: &[u8]) {
        if let Some(s) = sequence(payload) {
            self.member.s.set(s);
        }
        let dispatch = payload
            .strip_prefix(br#"{"t":""#)
            .and_then(|rest| rest.split(|byte| *byte == b'"').next());
        match (dispatch, self.way) {
            (Some(b"READY"), Way::Identify) => {
                let id = text_after(payload, br#""session_id":""#).unwrap_or_default();
                id.clone_into(&mut self.member.id.borrow_mut());
            }
            // Everybody is in one guild.
            (Some(b"GUILD_CREATE"), Way::Identify) | (Some(b"RESUMED"), Way::Resume) if !matches!(self.phase, Phase::Live) => {
                self.phase = Phase::Live;
                self.common.is_ready();
            }
            (None, _) if payload.windows(7).any(|window| window == b"\"op\":10") => self.begin(),
            (None, _) if payload.windows(6).any(|window| window == b"\"op\":9") => self.over = Some("the session may not go on".into()),
            _ => {}
        }
    }

    /// The answer to HELLO.
    fn begin(&mut self) {
        let token = &self.member.token;
        let command = match self.way {
            Way::Identify => {
                format!(r#"{{"op":2,"d":{{"token":"{token}","properties":{{"os":"linux","browser":"bench","device":"bench"}}}}}}"#)
            }
            Way::Resume => {
                let (id, s) = (self.member.id.borrow(), self.member.s.get());
                format!(r#"{{"op":6,"d":{{"token":"{token}","session_id":"{id}","seq":{s}}}}}"#)
            }
        };
        if let Err(error) = self.member.say(&command) {
            self.over = Some(error.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sessions get three messages, each in its order.
    fn check(one: &[u32], other: &[u32], fault: Option<&str>) {
        let common = Common::new(SocketAddr::from(([127, 0, 0, 1], 1)));
        for _ in 0..3 {
            common.number(Instant::now(), 2);
        }
        for (index, numbers) in [one, other].into_iter().enumerate() {
            let member = Member::new(index, String::new());
            for number in numbers {
                common.receive(&member, *number, common.now_us());
            }
        }
        let first = common.faults.borrow().first().cloned();
        assert_eq!(first.as_deref(), fault, "{one:?} {other:?}");
        assert!(fault.is_some() || common.complete.available_permits() == 3);
    }

    #[test]
    fn a_gap_a_repeat_and_a_swap_are_faults() {
        check(&[1, 0, 2], &[1, 0, 2], None);
        check(&[0, 1, 2], &[0, 2], Some("session 1 got message 2 where 1 was next"));
        check(&[0, 1, 2], &[0, 0, 1, 2], Some("session 1 got message 0 where 1 was next"));
        check(&[0, 1, 2], &[1, 0, 2], Some("session 1 got message 1 where 0 was next"));
        check(&[0, 1, 2], &[0, 1, 2, 7], Some("message 7 was never sent"));
    }
}
