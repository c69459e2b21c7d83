//! Shards: each follows the log and carries every entry to those of its sessions that may see it.
//!
//! A shard judges an entry at position p by the scopes at p, because it advances them by the same log, in order. A session joins a
//! shard only when both have taken in the log up to the same position, so that nothing falls between its replay and its live stream.

use std::collections::HashMap;
use std::sync::Arc;

use nexus_core::Caller;
use nexus_core::sessions::Membership;
use nexus_store::{Bus, Db, Entry, Fleeting, Window};
use nexus_types::dispatches::{Piece, pieces, tail};
use nexus_types::events::{Event, Kind};
use nexus_types::gateway::CloseCode;
use nexus_types::ids::{ChannelId, GuildId, LoginId, Position, RoleId, UserId};
use nexus_types::scopes::{GuildScope, Viewer};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::frames::{self, Prepared};
use super::socket::{Socket, SocketKey};

/// Entries taken in before the sockets are flushed: many dispatches then leave in one call.
const BATCH_ENTRIES: usize = 64;
/// Sockets flushed before others get a turn on this core.
const FLUSHES_PER_TURN: usize = 64;
/// Sessions that may wait to join a shard.
const CONTROLS_MAX: usize = 1024;

/// A session that wants the live stream.
pub(super) struct Joining {
    pub(super) socket: Arc<Socket>,
    pub(super) holder: Caller,
    /// What it has taken in.
    pub(super) position: Position,
    /// The user's guilds at that position.
    pub(super) guilds: HashMap<GuildId, Membership>,
}

enum Control {
    Join(Joining, oneshot::Sender<bool>),
    Leave(SocketKey),
}

/// A handle on a shard's task, which lives until the handle is dropped.
pub(super) struct Shard {
    controls: mpsc::Sender<Control>,
}

impl Shard {
    pub(super) fn start(db: Db) -> Self {
        let (controls, inbox) = mpsc::channel(CONTROLS_MAX);
        tokio::spawn(run(db, inbox));
        Self { controls }
    }

    /// Joins the live stream. False: the shard has moved on, read the log up to a newer position first.
    pub(super) async fn join(&self, joining: Joining) -> bool {
        let (answer, joined) = oneshot::channel();
        self.controls.send(Control::Join(joining, answer)).await.is_ok() && joined.await.unwrap_or(false)
    }

    /// Leaves it.
    pub(super) async fn leave(&self, key: SocketKey) {
        // A shard that is gone has no sessions to leave.
        drop(self.controls.send(Control::Leave(key)).await);
    }
}

/// A session in a shard.
struct Seat {
    socket: Arc<Socket>,
    holder: Caller,
    guilds: Vec<GuildId>,
}

/// A guild with sessions in this shard.
struct Guild {
    scope: GuildScope,
    viewers: HashMap<SocketKey, SeatInGuild>,
}

/// A member's session as its guild sees it.
struct SeatInGuild {
    socket: Arc<Socket>,
    user: UserId,
    roles: Vec<RoleId>,
}

impl SeatInGuild {
    fn viewer(&self) -> Viewer<'_> {
        Viewer {
            user: self.user,
            roles: &self.roles,
        }
    }
}

#[derive(Default)]
struct State {
    /// Every entry up to here was taken in.
    position: i64,
    seats: HashMap<SocketKey, Seat>,
    users: HashMap<UserId, Vec<SocketKey>>,
    guilds: HashMap<GuildId, Guild>,
    /// Sessions that read further than this shard, which waits for its own entries to catch up.
    early: Vec<(Joining, oneshot::Sender<bool>)>,
    /// Sockets with something new in their queue.
    dirty: HashMap<SocketKey, Arc<Socket>>,
}

async fn run(db: Db, mut inbox: mpsc::Receiver<Control>) {
    let bus = db.bus();
    let (mut head, mut fleeting) = (bus.watch(), bus.fleeting());
    let mut state = State {
        position: *head.borrow_and_update(),
        ..State::default()
    };
    loop {
        tokio::select! {
            biased;
            control = inbox.recv() => match control {
                Some(Control::Join(joining, answer)) => state.join(bus, joining, answer),
                Some(Control::Leave(key)) => state.leave(key),
                None => return,
            },
            changed = head.changed() => if changed.is_err() { return },
            notice = fleeting.recv() => match notice {
                Ok(notice) => state.notice(&notice),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
        }
        while state.position < *head.borrow_and_update() {
            match bus.after(state.position, BATCH_ENTRIES) {
                Window::Entries(entries) if entries.is_empty() => break,
                Window::Entries(entries) => {
                    for entry in entries {
                        state.take_in(&entry);
                    }
                }
                Window::Gone => state.lose_track(bus.head()),
            }
            state.flush().await;
            state.admit_early(bus);
        }
        state.flush().await;
    }
}

impl State {
    fn join(&mut self, bus: &Bus, joining: Joining, answer: oneshot::Sender<bool>) {
        if joining.position.0 > self.position {
            self.early.push((joining, answer));
            return;
        }
        let joined = self.bring_forward(bus, joining);
        answer.send(joined).ok();
    }

    /// Seats a session that has taken in less of the log than this shard: it first gets the entries between, in a shard of its own
    /// that ends where this one stands. Without it a busy log would always be one step ahead of whoever wants to join. False: the
    /// ring does not reach back that far, and the session must read the log itself.
    fn bring_forward(&mut self, bus: &Bus, joining: Joining) -> bool {
        let mut between = Vec::new();
        let mut position = joining.position.0;
        while position < self.position {
            let Window::Entries(entries) = bus.after(position, BATCH_ENTRIES) else {
                return false;
            };
            between.extend(entries.into_iter().take_while(|entry| entry.position <= self.position));
            position = between.last().map_or(self.position, |entry| entry.position);
        }
        let mut alone = Self {
            position: joining.position.0,
            ..Self::default()
        };
        alone.sit(joining);
        for entry in between {
            alone.take_in(&entry);
        }
        self.merge(alone);
        true
    }

    /// Takes over the sessions of a shard that stands at the same position, so that the scopes of a guild in both are the same.
    fn merge(&mut self, other: Self) {
        assert_eq!(other.position, self.position, "both have taken in the same");
        for (user, keys) in other.users {
            self.users.entry(user).or_default().extend(keys);
        }
        for (id, Guild { scope, viewers }) in other.guilds {
            let guild = self.guilds.entry(id).or_insert_with(|| Guild {
                scope,
                viewers: HashMap::new(),
            });
            guild.viewers.extend(viewers);
        }
        self.seats.extend(other.seats);
        self.dirty.extend(other.dirty);
    }

    fn admit_early(&mut self, bus: &Bus) {
        for (joining, answer) in std::mem::take(&mut self.early) {
            self.join(bus, joining, answer);
        }
    }

    fn sit(
        &mut self,
        Joining {
            socket, holder, guilds, ..
        }: Joining,
    ) {
        let key = socket.key;
        socket.go_live();
        self.users.entry(holder.user).or_default().push(key);
        self.seats.insert(
            key,
            Seat {
                socket,
                holder,
                guilds: vec![],
            },
        );
        for (id, Membership { scope, roles }) in guilds {
            self.sit_in(key, id, scope, roles);
        }
    }

    /// Gives a session its place in a guild. A guild known here already is at the same position, and so the same.
    fn sit_in(&mut self, key: SocketKey, id: GuildId, scope: GuildScope, roles: Vec<RoleId>) {
        let Some(seat) = self.seats.get_mut(&key) else { return };
        if !seat.guilds.contains(&id) {
            seat.guilds.push(id);
        }
        let viewer = SeatInGuild {
            socket: seat.socket.clone(),
            user: seat.holder.user,
            roles,
        };
        let guild = self.guilds.entry(id).or_insert_with(|| Guild {
            scope,
            viewers: HashMap::new(),
        });
        guild.viewers.insert(key, viewer);
    }

    fn stand_up_from(&mut self, key: SocketKey, id: GuildId) {
        if let Some(seat) = self.seats.get_mut(&key) {
            seat.guilds.retain(|guild| *guild != id);
        }
        if let Some(guild) = self.guilds.get_mut(&id) {
            guild.viewers.remove(&key);
            if guild.viewers.is_empty() {
                self.guilds.remove(&id);
            }
        }
    }

    fn leave(&mut self, key: SocketKey) {
        let Some(seat) = self.seats.remove(&key) else { return };
        for id in seat.guilds {
            self.stand_up_from(key, id);
        }
        if let Some(keys) = self.users.get_mut(&seat.holder.user) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.users.remove(&seat.holder.user);
            }
        }
    }

    /// The ring was overrun: every session reads the log itself and joins again.
    fn lose_track(&mut self, head: i64) {
        tracing::warn!(
            sessions = self.seats.len(),
            "a shard fell behind the ring; its sessions read the log"
        );
        for seat in self.seats.values() {
            seat.socket.leave_live(self.position);
        }
        *self = Self {
            position: head,
            early: std::mem::take(&mut self.early),
            ..Self::default()
        };
    }

    fn take_in(&mut self, entry: &Entry) {
        assert!(entry.position > self.position, "a shard takes in the log in order");
        if entry.is_scrubbed() {
            // What it said was erased; nobody gets it any more.
        } else if let Some(frame) = frames::message_create(entry) {
            self.deliver_message(entry, &frame);
        } else {
            match Prepared::new(entry) {
                Ok(prepared) => self.deliver(entry, &prepared),
                Err(error) => {
                    tracing::error!(
                        position = entry.position,
                        error = &error as &dyn std::error::Error,
                        "an entry can't be sent"
                    );
                    // Nobody may believe to have it all.
                    for seat in self.seats.values() {
                        seat.socket.close(CloseCode::Unknown);
                    }
                }
            }
        }
        self.position = entry.position;
    }

    /// The hot path: one frame, everybody in the guild who sees the channel.
    fn deliver_message(&mut self, entry: &Entry, frame: &bytes::Bytes) {
        let Some(guild) = self.guilds.get(&GuildId(entry.topic)) else {
            return;
        };
        let channel = ChannelId(entry.channel);
        let open = guild.scope.is_open(channel);
        for (key, seat) in &guild.viewers {
            if open || guild.scope.sees_channel(seat.viewer(), channel) {
                seat.socket.push_live(frame.clone(), entry.position);
                self.dirty.entry(*key).or_insert_with(|| seat.socket.clone());
            }
        }
    }

    fn deliver(&mut self, entry: &Entry, prepared: &Prepared) {
        let id = GuildId(entry.topic);
        if let Some(guild) = self.guilds.get(&id) {
            for (key, seat) in &guild.viewers {
                send(&seat.socket, prepared, &pieces(&prepared.event, seat.viewer(), Some(&guild.scope)));
                self.dirty.entry(*key).or_insert_with(|| seat.socket.clone());
            }
        }
        // Its subject may not be among the guild's viewers: a joiner is not yet, and some entries have no guild.
        let user = UserId(entry.subject);
        let keys = self.users.get(&user).cloned().unwrap_or_default();
        for key in &keys {
            let Some(seat) = self.seats.get(key) else { continue };
            if !seat.guilds.contains(&id) {
                send(&seat.socket, prepared, &pieces(&prepared.event, Viewer { user, roles: &[] }, None));
                self.dirty.entry(*key).or_insert_with(|| seat.socket.clone());
            }
        }
        self.advance(&prepared.event, &keys);
    }

    /// Takes in what an event changes of who may see what.
    fn advance(&mut self, event: &Event, subject: &[SocketKey]) {
        match event {
            Event::GuildCreate(snapshot) => {
                for key in subject {
                    self.sit_in(*key, snapshot.guild.id, GuildScope::of(snapshot), vec![]);
                }
            }
            Event::GuildMemberAdd { member, snapshot } => {
                for key in subject {
                    self.sit_in(*key, snapshot.guild.id, GuildScope::of(snapshot), member.roles.clone());
                }
            }
            Event::GuildMemberRemove { guild_id, .. } => {
                for key in subject {
                    self.stand_up_from(*key, *guild_id);
                }
            }
            Event::GuildDelete { id } => {
                let keys: Vec<_> = self
                    .guilds
                    .get(id)
                    .map(|guild| guild.viewers.keys().copied().collect())
                    .unwrap_or_default();
                for key in keys {
                    self.stand_up_from(key, *id);
                }
            }
            Event::LoginEnd { login_id, .. } => {
                for seat in subject
                    .iter()
                    .filter_map(|key| self.seats.get(key))
                    .filter(|seat| seat.holder.login == Some(*login_id))
                {
                    seat.socket.close(CloseCode::AuthenticationFailed);
                }
            }
            Event::GuildUpdate(guild) => self.advance_scope(guild.id, event),
            Event::GuildOwnerUpdate { snapshot, .. } => self.advance_scope(snapshot.guild.id, event),
            Event::ChannelCreate(channel)
            | Event::ChannelUpdate(channel)
            | Event::ChannelOverwriteUpdate { channel, .. }
            | Event::ChannelDelete(channel) => self.advance_scope(channel.guild_id, event),
            Event::MessageCreate(_) | Event::MessageAck { .. } | Event::HubEvent { .. } => {}
        }
    }

    fn advance_scope(&mut self, id: GuildId, event: &Event) {
        if let Some(guild) = self.guilds.get_mut(&id) {
            guild.scope.advance(event);
        }
    }

    /// A notice that is not in the log.
    fn notice(&mut self, notice: &Fleeting) {
        let Some(guild) = self.guilds.get(&GuildId(notice.topic)) else {
            return;
        };
        let channel = ChannelId(notice.channel);
        for (key, seat) in &guild.viewers {
            if guild.scope.sees_channel(seat.viewer(), channel) {
                seat.socket.push_fleeting(|s| frames::text(format!("{}{}", notice.body, tail(s))));
                self.dirty.entry(*key).or_insert_with(|| seat.socket.clone());
            }
        }
    }

    async fn flush(&mut self) {
        let mut turn = 0;
        for (_, socket) in self.dirty.drain() {
            socket.flush_live();
            turn += 1;
            if turn % FLUSHES_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Queues an entry's dispatches for one session.
fn send(socket: &Socket, prepared: &Prepared, pieces: &[Piece]) {
    for (frame, s) in prepared.frames_for(pieces, socket.s()) {
        socket.push_live(frame, s);
    }
}

/// Does an entry end this login?
pub(super) fn ends(entry: &Entry, holder: Caller) -> bool {
    entry.kind == Kind::LoginEnd as i64 && holder.login == Some(LoginId(entry.object))
}

#[cfg(test)]
mod tests {
    use nexus_store::{NewEntry, Options, StoreError};
    use nexus_types::permissions::Permissions;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const GUILD: GuildId = GuildId(1);
    const CHANNEL: ChannelId = ChannelId(2);

    async fn log_of(messages: usize) -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = Db::open(&folder.path().join("nexus.db"), Options::default()).expect("the database opens");
        for _ in 0..messages {
            let entry = NewEntry {
                at_ms: 1,
                kind: Kind::MessageCreate as i64,
                topic: GUILD.0,
                channel: CHANNEL.0,
                subject: 0,
                object: 3,
                body: "{}".into(),
            };
            let appended = db.write::<_, StoreError, _>(async move |tx| tx.append(entry).await).await;
            appended.expect("it is appended");
        }
        (folder, db)
    }

    async fn socket_pair() -> (Arc<Socket>, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("an address"))
            .await
            .expect("it connects");
        let (server, _) = listener.accept().await.expect("it is accepted");
        (Arc::new(Socket::new(SocketKey(7), server, vec![])), client)
    }

    fn joining(socket: Arc<Socket>, position: i64) -> Joining {
        let roles = HashMap::from([(GUILD.everyone(), Permissions::EVERYONE_DEFAULT)]);
        let scope = GuildScope {
            id: GUILD,
            owner: UserId(9),
            roles,
            channels: HashMap::from([(CHANNEL, vec![])]),
        };
        Joining {
            socket,
            holder: Caller {
                user: UserId(5),
                login: Some(LoginId(6)),
            },
            position: Position(position),
            guilds: HashMap::from([(GUILD, Membership { scope, roles: vec![] })]),
        }
    }

    #[tokio::test]
    async fn who_comes_late_gets_what_lies_between_and_is_seated() {
        let (_folder, db) = log_of(4).await;
        let (socket, mut client) = socket_pair().await;
        let mut state = State {
            position: 3,
            ..State::default()
        };
        let (answer, joined) = oneshot::channel();
        state.join(db.bus(), joining(socket, 1), answer);
        assert_eq!(joined.await, Ok(true));
        let Window::Entries(rest) = db.bus().after(3, 10) else {
            panic!("the ring holds it")
        };
        for entry in &rest {
            state.take_in(entry);
        }
        state.flush().await;
        let mut heard = vec![0; 1024];
        let count = client.read(&mut heard).await.expect("frames come");
        let heard = String::from_utf8_lossy(&heard[..count]).into_owned();
        let numbers: Vec<_> = heard.split("\"s\":").skip(1).filter_map(|rest| rest.split('}').next()).collect();
        assert_eq!(numbers, ["2", "3", "4"], "nothing is missing, nothing comes twice");
        db.close().await;
    }

    #[tokio::test]
    async fn who_comes_too_late_for_the_ring_reads_on() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = Options {
            ring_bytes_max: 1,
            ..Options::default()
        };
        let db = Db::open(&folder.path().join("nexus.db"), options).expect("the database opens");
        let (socket, _client) = socket_pair().await;
        let mut state = State {
            position: 3,
            ..State::default()
        };
        for _ in 0..3 {
            let entry = NewEntry {
                at_ms: 1,
                kind: Kind::GuildDelete as i64,
                topic: 4,
                channel: 0,
                subject: 0,
                object: 4,
                body: "{}".into(),
            };
            db.write::<_, StoreError, _>(async move |tx| tx.append(entry).await)
                .await
                .expect("it is appended");
        }
        let (answer, joined) = oneshot::channel();
        state.join(db.bus(), joining(socket, 1), answer);
        assert_eq!(joined.await, Ok(false));
        assert!(state.seats.is_empty());
        db.close().await;
    }
}
