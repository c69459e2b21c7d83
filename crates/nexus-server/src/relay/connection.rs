//! The task of one session, over whichever transport: it claims the session's id, or has it proven, does what frames ask for, and
//! watches the clock. What others send to it goes out without waking this task.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nexus_types::limits::RELAY_IDS_PER_SESSION_MAX;
use tokio::time::Instant;
use tungstenite::Utf8Bytes;

use super::arrivals::Arrival;
use super::closings::Closing;
use super::hub::{Claim, Hub, Route, Seat};
use super::proofs::{self, Proof};
use super::session::{Command, Reply, Session, Tick};
use super::transports::{Inbox, Incoming};
use super::{Keys, KeysUnavailable, frames};
use crate::metrics;

/// What a session needs beside its transport.
pub(super) struct Connection {
    pub(super) hub: Arc<Hub>,
    pub(super) keys: Keys,
    pub(super) seat: Seat,
    pub(super) session: Session,
    /// When its time began.
    pub(super) started: Instant,
    /// For how long the key log may take.
    pub(super) patience: Duration,
}

impl Connection {
    fn now_ms(&self) -> i64 {
        self.started.elapsed().as_millis() as i64
    }

    fn at(&self, ms: i64) -> Instant {
        self.started + Duration::from_millis(ms.max(0).cast_unsigned())
    }

    fn send(&self, text: &str) {
        // If it can't be put in the queue, the session ends anyway.
        self.seat.peer.transport.send(text);
    }

    /// Serves the session until it ends. `arrival` is over once it has its id, or knows what is to be proven.
    pub(super) async fn run(mut self, mut inbox: Inbox, arrival: Arrival) {
        self.begin().await;
        drop(arrival);
        loop {
            match self.session.tick(self.now_ms()) {
                Tick::Nothing => {}
                Tick::Ping => drop(self.seat.peer.transport.ping()),
                Tick::Close(closing) => self.seat.peer.transport.close(closing),
            }
            let next_ms = self.session.next_ms();
            let reading = next_ms <= self.now_ms();
            let deadline_ms = if reading { i64::MAX } else { next_ms };
            let deadline = self.at(deadline_ms.min(self.session.deadline_ms()));
            match inbox.next(reading, deadline).await {
                Incoming::Frame(text, handled) => {
                    self.note(1, true);
                    self.obey(&text).await;
                    if handled.is_some_and(|handled| handled.send(()).is_err()) {
                        tracing::trace!("who posted it has gone");
                    }
                }
                Incoming::Alive => self.note(1, true),
                Incoming::Turn => self.note(1, false),
                Incoming::Due => {}
                Incoming::Gone => break,
            }
            // What has come already is read without waiting for anything; others get their turn all the same.
            tokio::task::coop::consume_budget().await;
        }
        self.seat.release();
        let transport = self.seat.peer.transport.clone();
        transport.finish().await;
        drop(self.seat);
        transport.linger().await;
    }

    fn note(&mut self, cost: usize, alive: bool) {
        let now_ms = self.now_ms();
        self.session.spend(now_ms, cost);
        if alive {
            self.session.hear(now_ms);
        }
    }

    /// Claims the session's own id, if nothing proves it, or asks for the proof.
    async fn begin(&mut self) {
        let id = self.seat.peer.id.clone();
        match self.proof_of(&id).await {
            Err(KeysUnavailable) => self.seat.peer.transport.close(Closing::TryLater),
            Ok(Some(proof)) => self.expect(id, proof),
            Ok(None) => match self.seat.claim(&id, false) {
                Claim::Granted => self.session.open(),
                Claim::Occupied => self.seat.peer.transport.close(Closing::Occupied),
            },
        }
    }

    /// What proves an id; `None` if nothing does.
    async fn proof_of(&self, id: &Arc<str>) -> Result<Option<Proof>, KeysUnavailable> {
        // The form goes first: nobody takes a secret's id away by registering it as a DID.
        if let Some(hash) = proofs::hash_in(id) {
            return Ok(Some(Proof::Secret(hash)));
        }
        let key = tokio::time::timeout(self.patience, (self.keys)(id.clone()));
        Ok(key.await.map_err(|_| KeysUnavailable)??.map(Proof::Key))
    }

    fn expect(&mut self, id: Arc<str>, proof: Proof) {
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).expect("the system has random bytes");
        if let Some(challenge) = self.session.expect(id, proof, nonce, self.now_ms()) {
            self.send(&challenge);
        }
    }

    async fn obey(&mut self, text: &Utf8Bytes) {
        let command = self.session.handle(self.now_ms(), text);
        match command {
            Command::Relay { from, to } => self.relay(text, &from, &to).await,
            Command::Claim(id) => self.claim(&id),
            Command::Listen(ids) => self.listen(ids).await,
            Command::Reply(reply) => self.reply(reply),
        }
    }

    fn reply(&self, reply: Reply) {
        match reply {
            Reply::Answer(text) => self.send(&text),
            Reply::Pong => self.send(&frames::pong(wall_ms())),
            Reply::Close(closing) => self.seat.peer.transport.close(closing),
        }
    }

    /// Passes the very text on.
    async fn relay(&mut self, text: &str, from: &str, to: &str) {
        let mut route = self.hub.route(self.seat.peer.key, from, to);
        if matches!(route, Route::Nobody) && self.hub.arrivals.over(to).await {
            route = self.hub.route(self.seat.peer.key, from, to);
        }
        let delivered = match route {
            Route::Mismatch => {
                metrics::relayed("mismatch");
                let reply = self.session.fault(self.now_ms(), frames::error("sender_mismatch"));
                return self.reply(reply);
            }
            Route::Nobody => false,
            Route::To(peer) => peer.transport.send(text),
        };
        metrics::relayed(if delivered { "delivered" } else { "undeliverable" });
        if !delivered && let Some(answer) = self.session.undeliverable(self.now_ms(), to) {
            self.send(&answer);
        }
    }

    /// Takes a proven id.
    fn claim(&mut self, id: &Arc<str>) {
        let granted = self.seat.claim(id, true);
        assert_eq!(granted, Claim::Granted, "a proof is always granted");
        if self.session.is_open() {
            self.send(&frames::listening(id));
        } else {
            self.session.open();
            self.send(&frames::ready(id));
        }
    }

    /// Asks for the proofs of further ids.
    async fn listen(&mut self, ids: Vec<Cow<'_, str>>) {
        if self.seat.ids() + self.session.expected() + ids.len() > RELAY_IDS_PER_SESSION_MAX {
            let reply = self.session.fault(self.now_ms(), frames::error("too_many_ids"));
            return self.reply(reply);
        }
        for id in ids {
            let id: Arc<str> = id.into();
            if self.seat.has(&id) {
                self.send(&frames::listening(&id));
                continue;
            }
            let word = match self.proof_of(&id).await {
                Ok(Some(proof)) => {
                    self.expect(id, proof);
                    continue;
                }
                Ok(None) => "unprovable",
                Err(KeysUnavailable) => "unavailable",
            };
            let reply = self.session.fault(self.now_ms(), frames::error_about(word, &id));
            self.reply(reply);
        }
    }
}

/// What the clock on the wall says.
fn wall_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}
