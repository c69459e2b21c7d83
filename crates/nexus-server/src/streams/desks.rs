//! Desks: each follows the log and hands every event to those of its streams that want it.
//!
//! A stream is present at its desk from its first moment, so that it ends when its login does. It is live while its patterns are in the
//! desk's index; it becomes so only where both have taken in the log up to the same position, so that nothing falls between its past
//! and what is new, and nothing comes twice.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use nexus_core::hub::{Access, Hub};
use nexus_store::{Entry, Window};
use nexus_types::events::Kind;
use nexus_types::hub::{EventType, Pattern};
use nexus_types::ids::LoginId;
use tokio::sync::{mpsc, oneshot};

use super::closings::Closing;
use super::socket::{Pushed, Socket, SocketKey};
use super::wants;
use crate::metrics;
use crate::websockets::frames;

/// Entries taken from the ring at once.
const BATCH_ENTRIES: usize = 64;
/// Bytes of frames after which the sockets are flushed: less than a fast reader's queue may hold, so that it is never taken for a slow
/// one.
const BATCH_BYTES: usize = 256 * 1024;
/// Sockets flushed before others get a turn on this core.
const FLUSHES_PER_TURN: usize = 64;
/// Streams that may wait for a desk.
const CONTROLS_MAX: usize = 1024;

/// A stream that wants to be live.
pub(super) struct Joining {
    pub(super) socket: Arc<Socket>,
    /// What it wants; no two want one type.
    pub(super) cover: Vec<Pattern>,
    /// Everything of it up to here was sent.
    pub(super) position: i64,
}

enum Control {
    /// It is present, and has heard which logins ended up to a position.
    Arrive(Arc<Socket>, i64),
    Join(Joining, oneshot::Sender<bool>),
    Pause(SocketKey, oneshot::Sender<Option<i64>>),
    Leave(SocketKey),
}

/// A handle on a desk's task, which lives until the handle is dropped.
pub(super) struct Desk {
    controls: mpsc::Sender<Control>,
}

impl Desk {
    pub(super) fn start(hub: Hub) -> Self {
        let (controls, inbox) = mpsc::channel(CONTROLS_MAX);
        tokio::spawn(run(hub, inbox));
        Self { controls }
    }

    /// A stream is here; its access was good at this position.
    pub(super) async fn arrive(&self, socket: Arc<Socket>, position: i64) {
        self.tell(Control::Arrive(socket, position)).await;
    }

    /// Makes a stream live. False: it has to read the log up to a newer position first.
    pub(super) async fn join(&self, joining: Joining) -> bool {
        let (answer, joined) = oneshot::channel();
        self.tell(Control::Join(joining, answer)).await;
        joined.await.unwrap_or(false)
    }

    /// Makes it live no longer, and says up to where it has everything; `None` if it was not live.
    pub(super) async fn pause(&self, key: SocketKey) -> Option<i64> {
        let (answer, paused) = oneshot::channel();
        self.tell(Control::Pause(key, answer)).await;
        paused.await.ok().flatten()
    }

    /// It is gone.
    pub(super) async fn leave(&self, key: SocketKey) {
        self.tell(Control::Leave(key)).await;
    }

    async fn tell(&self, control: Control) {
        // A desk that is gone has no streams, and whoever waits for its answer hears that.
        drop(self.controls.send(control).await);
    }
}

/// A stream that is here.
struct Present {
    socket: Arc<Socket>,
    /// What of it is in the index: nothing unless it is live.
    cover: Vec<Pattern>,
}

struct State {
    hub: Hub,
    /// Every entry up to here was taken in.
    position: Arc<AtomicI64>,
    present: HashMap<SocketKey, Present>,
    logins: HashMap<LoginId, Vec<SocketKey>>,
    /// The live streams by what they want.
    index: HashMap<Pattern, HashMap<SocketKey, Arc<Socket>>>,
    /// Patterns in the index that the platform's own events may match.
    platform: usize,
    /// Streams that read further than this desk, which waits for its own entries to catch up.
    early: Vec<(Joining, oneshot::Sender<bool>)>,
    /// Sockets with something new in their queue.
    dirty: Vec<Arc<Socket>>,
    /// Bytes of the frames that were made since the last flush.
    bytes: usize,
    /// Deliveries since then.
    delivered: u64,
}

async fn run(hub: Hub, mut inbox: mpsc::Receiver<Control>) {
    let mut head = hub.db().bus().watch();
    let mut state = State::new(hub);
    loop {
        tokio::select! {
            biased;
            control = inbox.recv() => match control {
                Some(control) => state.obey(control),
                None => return,
            },
            // Nobody is woken for nobody.
            changed = head.changed(), if !state.present.is_empty() => if changed.is_err() { return },
        }
        while !state.present.is_empty() && state.at() < *head.borrow_and_update() {
            match state.hub.db().bus().after(state.at(), BATCH_ENTRIES) {
                Window::Entries(entries) if entries.is_empty() => break,
                Window::Entries(entries) => {
                    for entry in entries {
                        state.take_in(&entry);
                        if state.bytes >= BATCH_BYTES {
                            state.flush().await;
                        }
                    }
                }
                Window::Gone => state.lose_track(),
            }
            state.flush().await;
            state.admit_early();
        }
        state.flush().await;
    }
}

impl State {
    fn new(hub: Hub) -> Self {
        Self {
            hub,
            position: Arc::default(),
            present: HashMap::new(),
            logins: HashMap::new(),
            index: HashMap::new(),
            platform: 0,
            early: vec![],
            dirty: vec![],
            bytes: 0,
            delivered: 0,
        }
    }

    fn at(&self) -> i64 {
        self.position.load(Ordering::Relaxed)
    }

    fn move_to(&self, position: i64) {
        self.position.store(position, Ordering::Relaxed);
    }

    fn obey(&mut self, control: Control) {
        match control {
            Control::Arrive(socket, position) => self.arrive(socket, position),
            Control::Join(joining, answer) => self.join(joining, answer),
            Control::Pause(key, answer) => {
                // Whoever asked may be gone.
                answer.send(self.pause(key)).ok();
            }
            Control::Leave(key) => self.leave(key),
        }
    }

    fn arrive(&mut self, socket: Arc<Socket>, position: i64) {
        if self.present.is_empty() {
            // It followed nothing for nobody.
            self.move_to(position);
        }
        if let Access::Administrator { login, .. } = socket.access {
            self.logins.entry(login).or_default().push(socket.key);
            if self.may_have_ended(login, position) {
                socket.close(Closing::AccessEnded);
            }
        }
        let (key, cover) = (socket.key, vec![]);
        self.present.insert(key, Present { socket, cover });
    }

    /// Did this login end in what this desk has taken in after a position? Yes, if nobody knows any more.
    fn may_have_ended(&self, login: LoginId, after: i64) -> bool {
        if after >= self.at() {
            return false;
        }
        match self.hub.db().bus().after(after, usize::MAX) {
            Window::Entries(entries) => entries.iter().any(|entry| ended(entry) == Some(login)),
            Window::Gone => true,
        }
    }

    fn join(&mut self, joining: Joining, answer: oneshot::Sender<bool>) {
        if joining.position > self.at() {
            self.early.push((joining, answer));
            return;
        }
        let joined = self.bring_forward(&joining);
        if joined {
            self.seat(joining);
        }
        // Whoever asked may be gone.
        answer.send(joined).ok();
    }

    /// Gives a stream that has taken in less of the log than this desk what lies between. False: that is too much, and it must read on
    /// by itself.
    fn bring_forward(&mut self, joining: &Joining) -> bool {
        let (mut between, mut bytes, mut position) = (vec![], 0, joining.position);
        while position < self.at() {
            let Window::Entries(entries) = self.hub.db().bus().after(position, BATCH_ENTRIES) else {
                return false;
            };
            between.extend(
                entries
                    .into_iter()
                    .take_while(|entry| entry.position <= self.at())
                    .inspect(|entry| {
                        bytes += entry.body.len();
                        position = entry.position;
                    }),
            );
            if bytes > BATCH_BYTES {
                return false;
            }
        }
        joining.socket.go_live(self.position.clone(), joining.position);
        for entry in between {
            let event = self.hub.stream_event(&entry);
            if let Some(event) = event.filter(|event| joining.cover.iter().any(|pattern| pattern.matches(&event.kind))) {
                let frame = frames::text(event.json);
                let pushed = joining.socket.push_live(&frame, entry.position);
                self.note(&joining.socket, &pushed);
            }
        }
        true
    }

    fn seat(&mut self, Joining { socket, cover, .. }: Joining) {
        let Some(present) = self.present.get_mut(&socket.key) else { return };
        for pattern in &cover {
            let before = self.index.entry(pattern.clone()).or_default().insert(socket.key, socket.clone());
            assert!(before.is_none(), "a stream joins once");
            self.platform += usize::from(wants::is_platforms(pattern));
        }
        present.cover = cover;
    }

    /// Takes a stream out of the index.
    fn unseat(&mut self, key: SocketKey) -> Option<Arc<Socket>> {
        let present = self.present.get_mut(&key)?;
        let socket = present.socket.clone();
        for pattern in std::mem::take(&mut present.cover) {
            self.platform -= usize::from(wants::is_platforms(&pattern));
            if let Slot::Occupied(mut bucket) = self.index.entry(pattern) {
                bucket.get_mut().remove(&key);
                if bucket.get().is_empty() {
                    bucket.remove();
                }
            }
        }
        Some(socket)
    }

    fn pause(&mut self, key: SocketKey) -> Option<i64> {
        if self.present.get(&key)?.cover.is_empty() {
            return None;
        }
        self.unseat(key)?.leave_live(self.at());
        Some(self.at())
    }

    fn leave(&mut self, key: SocketKey) {
        let Some(socket) = self.unseat(key) else { return };
        self.present.remove(&key);
        if let Access::Administrator { login, .. } = socket.access
            && let Slot::Occupied(mut keys) = self.logins.entry(login)
        {
            keys.get_mut().retain(|other| *other != key);
            if keys.get().is_empty() {
                keys.remove();
            }
        }
    }

    fn admit_early(&mut self) {
        for (joining, answer) in std::mem::take(&mut self.early) {
            self.join(joining, answer);
        }
    }

    /// The ring was overrun: every stream reads the log itself and joins again. Whose login may have ended meanwhile comes anew.
    fn lose_track(&mut self) {
        tracing::warn!(
            streams = self.present.len(),
            "a desk fell behind the ring; its streams read the log"
        );
        let keys: Vec<_> = self.present.keys().copied().collect();
        for key in keys {
            let is_live = !self.present[&key].cover.is_empty();
            let Some(socket) = self.unseat(key) else { continue };
            if matches!(socket.access, Access::Administrator { .. }) {
                socket.close(Closing::Failed);
            } else if is_live {
                socket.send_back(self.at());
            }
        }
        assert!(self.index.is_empty() && self.platform == 0);
        self.move_to(self.hub.db().bus().head());
    }

    fn take_in(&mut self, entry: &Entry) {
        assert!(entry.position > self.at(), "a desk takes in the log in order");
        if let Some(login) = ended(entry) {
            for key in self.logins.get(&login).into_iter().flatten() {
                self.present[key].socket.close(Closing::AccessEnded);
            }
        } else if !self.index.is_empty()
            && (self.platform > 0 || entry.kind == Kind::HubEvent as i64)
            && let Some(event) = self.hub.stream_event(entry)
        {
            self.deliver(&event.kind, &frames::text(event.json), entry.position);
        }
        self.move_to(entry.position);
    }

    /// The hot path: one frame, everybody who wants its type.
    fn deliver(&mut self, kind: &EventType, frame: &Bytes, position: i64) {
        self.bytes += frame.len();
        let patterns = [
            Pattern::Exact(kind.clone()),
            Pattern::Namespace(kind.namespace().into()),
            Pattern::All,
        ];
        for bucket in patterns.iter().filter_map(|pattern| self.index.get(pattern)) {
            for socket in bucket.values() {
                match socket.push_live(frame, position) {
                    Pushed::First => self.dirty.push(socket.clone()),
                    Pushed::Another => {}
                    Pushed::Not => continue,
                }
                self.delivered += 1;
            }
        }
    }

    fn note(&mut self, socket: &Arc<Socket>, pushed: &Pushed) {
        if *pushed == Pushed::First {
            self.dirty.push(socket.clone());
        }
        self.delivered += u64::from(*pushed != Pushed::Not);
    }

    async fn flush(&mut self) {
        for (turn, socket) in self.dirty.drain(..).enumerate() {
            socket.flush_live();
            if (turn + 1) % FLUSHES_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        self.bytes = 0;
        metrics::streamed(std::mem::take(&mut self.delivered));
    }
}

/// Which login an entry ends.
fn ended(entry: &Entry) -> Option<LoginId> {
    (entry.kind == Kind::LoginEnd as i64).then_some(LoginId(entry.object))
}
