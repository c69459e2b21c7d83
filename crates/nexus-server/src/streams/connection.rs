//! The task of one stream: it reads commands, reads the past as fast as the socket takes it, joins its desk, and watches the clock. In
//! between the desk writes to the socket without waking this task.

use std::sync::Arc;
use std::time::Duration;

use nexus_core::Error;
use nexus_core::hub::Hub;
use nexus_store::{Entry, Window};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use super::closings::Closing;
use super::desks::{Desk, Joining};
use super::session::{Asked, Log, Session, Tick};
use super::socket::Socket;
use super::wants::Stretch;
use crate::metrics;
use crate::websockets::{self, Incoming, frames};

/// How long a closed socket may take to send what it still has to, and then to read it.
const CLOSING: Duration = Duration::from_secs(2);
/// Entries of the ring that are looked at in one step.
const RING_ENTRIES: usize = 64;
/// Bytes of the past that are read before the socket has to take them.
const PAGE_BYTES: usize = 256 * 1024;
/// Events in one page of the past: at least, and at most while they are small.
const PAGE_EVENTS: std::ops::RangeInclusive<i64> = 4..=256;

/// What became of a step.
enum Pulled {
    /// There may be more.
    More,
    /// There is nothing to be read, or a desk writes.
    Nothing,
    /// The hub has to record something first.
    Waits,
}

/// What a stream needs beside its socket.
pub(super) struct Connection<'a> {
    hub: &'a Hub,
    desk: &'a Desk,
    socket: Arc<Socket>,
    session: Session,
    started: Instant,
    /// Does the desk write?
    live: bool,
    /// How many streams may read from the database at once.
    turns: &'a Semaphore,
    /// Up to where all of the past can be read.
    recorded: watch::Receiver<i64>,
    /// Events in the next page of the past.
    page: i64,
}

impl<'a> Connection<'a> {
    pub(super) fn new((hub, desk, turns): (&'a Hub, &'a Desk, &'a Semaphore), socket: Arc<Socket>, session: Session) -> Self {
        Self {
            hub,
            desk,
            socket,
            session,
            started: Instant::now(),
            live: false,
            turns,
            recorded: hub.recorded(),
            page: 16,
        }
    }

    fn now_ms(&self) -> i64 {
        self.started.elapsed().as_millis() as i64
    }

    /// Serves the stream until it ends. What is done now and then is kept elsewhere, so that an idle stream has no room for it.
    pub(super) async fn serve(&mut self) {
        // From here on the desk hears of what ends the access; this is for what happened since it was judged.
        Box::pin(self.check_access()).await;
        while self.read().await {
            self.watch_clock().await;
            self.socket.flush();
            if self.socket.ends() {
                return;
            }
            if let Some(position) = self.socket.take_left_at() {
                self.live = false;
                self.session.wants.stand_at(position);
            }
            let mut waits = false;
            // What is pulled is pulled as the socket drains.
            if !self.live && !self.socket.has_backlog() {
                match Box::pin(self.pull()).await {
                    Ok(Pulled::More) => {
                        // What comes from memory is read without waiting for anything; others get their turn all the same.
                        tokio::task::coop::consume_budget().await;
                        continue;
                    }
                    Ok(Pulled::Nothing) => {}
                    Ok(Pulled::Waits) => waits = true,
                    Err(error) => {
                        self.fail(&error);
                        return;
                    }
                }
            }
            self.rest(waits).await;
        }
    }

    async fn rest(&mut self, waits: bool) {
        let now_ms = self.now_ms();
        let deadline = self.started + Duration::from_millis(self.session.deadline_ms(now_ms).max(0).cast_unsigned());
        tokio::select! {
            () = self.socket.ready(self.session.reads(now_ms)) => {}
            () = self.socket.wake.notified() => {}
            changed = self.recorded.changed(), if waits => if changed.is_err() {
                // The hub has stopped, and so will this process.
                self.socket.close(Closing::Restart);
            },
            () = sleep_until(deadline) => {}
        }
    }

    /// Sends what must still go out.
    pub(super) async fn finish(socket: &Socket) {
        let last_words = async {
            while socket.has_backlog() && !socket.is_broken() {
                socket.writable().await;
                socket.flush();
            }
        };
        // A client that does not read its close frame loses it.
        drop(tokio::time::timeout(CLOSING, last_words).await);
    }

    /// Gives the client time to read it.
    pub(super) async fn linger(socket: &Socket) {
        websockets::linger(socket.tcp(), CLOSING).await;
    }

    /// Does what has come in; false at the end.
    async fn read(&mut self) -> bool {
        while self.session.reads(self.now_ms()) {
            let (incoming, has_begun) = self.socket.read();
            if matches!(incoming, Incoming::Nothing) {
                return true;
            }
            let now_ms = self.now_ms();
            self.session.spend(now_ms);
            match incoming {
                Incoming::Text(text) => {
                    self.session.hear(now_ms);
                    if let Err(error) = Box::pin(self.obey(&text)).await {
                        self.fail(&error);
                    }
                }
                Incoming::Binary(_) => self.socket.close(Closing::Binary),
                // Who begins a frame has to finish it, and can't hold it by pings in between.
                Incoming::Control if has_begun => {}
                Incoming::Control => self.session.hear(now_ms),
                // Readiness alone does not count against a task's share of its thread.
                Incoming::TurnOver => tokio::task::yield_now().await,
                Incoming::Nothing | Incoming::Gone => return false,
            }
            if self.socket.ends() {
                return false;
            }
        }
        true
    }

    async fn watch_clock(&mut self) {
        match self.session.tick(self.now_ms()) {
            Tick::Nothing => {}
            Tick::Silent => self.socket.close(Closing::Silent),
            Tick::Ping => {
                self.socket.ping();
                Box::pin(self.check_access()).await;
            }
        }
    }

    async fn check_access(&self) {
        let turn = self.turns.acquire().await;
        let holds = self.hub.holds(&self.socket.access).await;
        drop(turn);
        match holds {
            Ok(true) => {}
            Ok(false) => self.socket.close(Closing::AccessEnded),
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&self, error: &Error) {
        tracing::error!(error = error as &dyn std::error::Error, "a stream failed");
        self.socket.close(Closing::Failed);
    }

    async fn obey(&mut self, text: &str) -> Result<(), Error> {
        let answer = match self.session.handle(self.now_ms(), text) {
            Asked::Answer(answer) => answer,
            Asked::Subscribe(subscription) => {
                let floor = if subscription.looks_back() { self.floor().await? } else { 0 };
                self.pause().await;
                let head = self.hub.db().bus().head();
                self.session.subscribe(&subscription, Log { head, floor })
            }
            Asked::Unsubscribe(patterns) => {
                self.pause().await;
                self.session.unsubscribe(&patterns)
            }
        };
        self.socket.show(self.session.wants.patterns().cloned());
        self.socket.answer(answer);
        Ok(())
    }

    async fn floor(&self) -> Result<i64, Error> {
        let _turn = self.turns.acquire().await;
        self.hub.floor().await
    }

    /// Takes the stream back from its desk.
    async fn pause(&mut self) {
        if !std::mem::take(&mut self.live) {
            return;
        }
        let paused = self.desk.pause(self.socket.key).await;
        // If it is neither, it was closed.
        if let Some(position) = paused.or_else(|| self.socket.take_left_at()) {
            self.session.wants.stand_at(position);
        }
    }

    /// One step of what is pulled.
    async fn pull(&mut self) -> Result<Pulled, Error> {
        let bus = self.hub.db().bus();
        let Some(stretch) = self.session.wants.next() else {
            self.say_caught_up(bus.head());
            return Ok(Pulled::Nothing);
        };
        match bus.after(stretch.after, RING_ENTRIES) {
            Window::Entries(entries) => {
                let is_all = self.pull_ring(&stretch, &entries);
                self.socket.flush();
                Ok(if is_all { self.join().await } else { Pulled::More })
            }
            Window::Gone => self.pull_past(&stretch).await,
        }
    }

    /// Sends what the ring holds. True: that was everything there is of all that is wanted.
    fn pull_ring(&mut self, stretch: &Stretch, entries: &[Arc<Entry>]) -> bool {
        let until = stretch.until.unwrap_or(i64::MAX);
        let (mut reached, mut bytes, mut count) = (stretch.after, 0, 0);
        for entry in entries.iter().take_while(|entry| entry.position <= until) {
            reached = entry.position;
            let event = stretch.may_want(entry.kind).then(|| self.hub.stream_event(entry)).flatten();
            if let Some(event) = event.filter(|event| stretch.wants(&event.kind)) {
                bytes += event.json.len();
                count += 1;
                self.socket.push(frames::text(event.json));
            }
            if bytes >= PAGE_BYTES {
                break;
            }
        }
        metrics::streamed(count);
        let reaches_end = entries.len() < RING_ENTRIES || entries.last().is_some_and(|last| last.position > until);
        let is_whole = reaches_end && bytes < PAGE_BYTES;
        if is_whole && stretch.until.is_some() {
            // The others stand there, and nothing lies between.
            reached = until;
        }
        self.advance(stretch, reached);
        is_whole && stretch.until.is_none()
    }

    /// Sends a page of what the hub recorded: the ring no longer reaches back that far.
    async fn pull_past(&mut self, stretch: &Stretch) -> Result<Pulled, Error> {
        let end = stretch.until.unwrap_or(i64::MAX).min(*self.recorded.borrow_and_update());
        if stretch.after >= end {
            return Ok(Pulled::Waits);
        }
        let turn = self.turns.acquire().await;
        let events = self.hub.past(stretch.after, stretch.patterns.clone(), self.page).await?;
        // Whoever reads so slowly that old events are deleted before it has come to them is told when it comes back.
        let floor = self.hub.floor().await?;
        drop(turn);
        if floor > stretch.after.max(stretch.told) {
            self.socket.close(Closing::Slow);
            return Ok(Pulled::Nothing);
        }
        let is_full = events.len() as i64 == self.page;
        let last = events.last().map_or(end, |event| event.position);
        let (mut bytes, mut count) = (0, 0);
        for event in events.into_iter().take_while(|event| event.position <= end) {
            bytes += event.json.len();
            count += 1;
            self.socket.push(frames::text(event.json));
        }
        metrics::streamed(count);
        let page = if bytes < PAGE_BYTES / 4 {
            self.page * 2
        } else if bytes > PAGE_BYTES {
            self.page / 2
        } else {
            self.page
        };
        self.page = page.clamp(*PAGE_EVENTS.start(), *PAGE_EVENTS.end());
        self.advance(stretch, if is_full { last.min(end) } else { end });
        Ok(Pulled::More)
    }

    fn advance(&mut self, stretch: &Stretch, reached: i64) {
        self.session.wants.advance(stretch, reached);
        self.socket.stand_at(self.session.wants.position().unwrap_or(reached));
    }

    fn say_caught_up(&mut self, position: i64) {
        if let Some(answer) = self.session.caught_up(position) {
            self.socket.answer(answer);
        }
    }

    /// Joins the desk, unless something still waits to go out: the limit on what waits counts live events only.
    async fn join(&mut self) -> Pulled {
        let Some(position) = self.session.wants.position() else {
            return Pulled::Nothing;
        };
        self.say_caught_up(position);
        self.socket.flush();
        if self.socket.has_backlog() {
            return Pulled::More;
        }
        let joining = Joining {
            socket: self.socket.clone(),
            cover: self.session.wants.cover(),
            position,
        };
        self.live = self.desk.join(joining).await;
        if self.live { Pulled::Nothing } else { Pulled::More }
    }
}
