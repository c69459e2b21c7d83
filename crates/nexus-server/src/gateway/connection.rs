//! The task of one connection: it reads what the client sends, opens or resumes a session as fast as the socket takes it, joins the
//! live stream, and watches the clock. In between a shard writes to the socket without waking this task.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use nexus_core::sessions::Resumption;
use nexus_core::{Caller, Error};
use nexus_types::dispatches::Dispatch;
use nexus_types::gateway::{self, CloseCode, Identify, Resume};
use nexus_types::ids::{GuildId, Position};
use nexus_types::limits::REPLAY_ENTRIES_MAX;
use tokio::time::{Instant, sleep_until};

use super::fanout::{Joining, ends};
use super::frames::{self, Prepared};
use super::session::{Command, Session};
use super::socket::Socket;
use super::{Gateway, Seat};
use crate::websockets::Incoming;

/// How long a closed socket may take to send what it still has to.
const CLOSING: Duration = Duration::from_secs(2);

/// What the connection is about.
enum Phase {
    /// Nobody said who they are.
    New,
    /// READY is out; these guilds follow. The newest frame waits, because the last one carries `base`.
    Opening {
        guilds: VecDeque<GuildId>,
        waiting: Dispatch,
        base: Position,
    },
    /// Reading the log from here up to the live stream.
    CatchingUp { position: Position, resuming: Option<Resuming> },
    /// A shard writes.
    Live,
}

/// What RESUMED will say.
struct Resuming {
    last: Position,
    replayed: usize,
}

struct Connection {
    gateway: Gateway,
    socket: Arc<Socket>,
    url: String,
    session: Session,
    started: Instant,
    phase: Phase,
    holder: Option<Caller>,
    seat: Option<Seat>,
}

/// Serves one connection until it ends.
pub(super) async fn run(gateway: Gateway, socket: Arc<Socket>, url: String, version_known: bool) {
    let started = Instant::now();
    let session = Session::new(0);
    let mut connection = Connection {
        gateway,
        socket,
        url,
        session,
        started,
        phase: Phase::New,
        holder: None,
        seat: None,
    };
    if version_known {
        connection.socket.push(frames::text(gateway::hello()), None);
    } else {
        connection.socket.close(CloseCode::InvalidVersion);
    }
    connection.serve().await;
    connection.gateway.shard(connection.socket.key).leave(connection.socket.key).await;
    connection.finish().await;
}

impl Connection {
    fn now_ms(&self) -> i64 {
        self.started.elapsed().as_millis() as i64
    }

    /// The loop: read, go on with opening or replaying while the socket takes it, wait.
    async fn serve(&mut self) {
        loop {
            loop {
                match self.socket.read() {
                    Incoming::Text(text) => self.obey(&text).await,
                    // Some libraries send JSON in binary frames.
                    Incoming::Binary(bytes) => match str::from_utf8(&bytes) {
                        Ok(text) => self.obey(text).await,
                        Err(_) => self.socket.close(CloseCode::Decode),
                    },
                    Incoming::Control | Incoming::TurnOver if !self.session.admit(self.now_ms()) => {
                        self.socket.close(CloseCode::RateLimited);
                    }
                    Incoming::Control => {}
                    // Readiness alone does not count against a task's share of its thread.
                    Incoming::TurnOver => tokio::task::yield_now().await,
                    Incoming::Nothing => break,
                    Incoming::Gone => return,
                }
                if self.socket.is_closing() {
                    return;
                }
            }
            if let Some(code) = self.session.tick(self.now_ms()) {
                self.socket.close(code);
            }
            self.socket.flush();
            if self.socket.is_closing() || self.socket.is_broken() {
                return;
            }
            if let Some(position) = self.socket.take_left_at() {
                self.phase = Phase::CatchingUp {
                    position: Position(position),
                    resuming: None,
                };
            }
            // What is pulled is pulled as the socket drains.
            if !self.socket.has_backlog() && !matches!(self.phase, Phase::New | Phase::Live) {
                if let Err(error) = self.pull().await {
                    self.fail(&error);
                }
                continue;
            }
            let deadline = self.started + Duration::from_millis(self.session.deadline_ms().max(0) as u64);
            tokio::select! {
                () = self.socket.ready() => {}
                () = self.socket.wake.notified() => {}
                () = sleep_until(deadline) => {}
            }
        }
    }

    /// Sends what must still go out, then lets go.
    async fn finish(&self) {
        let last_words = async {
            while self.socket.has_backlog() && !self.socket.is_broken() {
                self.socket.writable().await;
                self.socket.flush();
            }
        };
        // A client that does not read its close frame loses it.
        drop(tokio::time::timeout(CLOSING, last_words).await);
    }

    async fn obey(&mut self, text: &str) {
        match self.session.handle(self.now_ms(), text) {
            Command::Nothing => {}
            Command::Acknowledge => self.socket.answer(frames::text(gateway::HEARTBEAT_ACK)),
            Command::Close(code) => self.socket.close(code),
            Command::Identify(identify) => {
                if let Err(error) = self.identify(identify).await {
                    self.fail(&error);
                }
            }
            Command::Resume(resume) => {
                if let Err(error) = self.resume(resume).await {
                    self.fail(&error);
                }
            }
        }
    }

    /// Ends a connection over an error: a refusal is about the token, all else is ours and can be resumed.
    fn fail(&self, error: &Error) {
        if let Some(code) = error.code() {
            tracing::debug!(code = code.word(), "a session was refused");
            self.socket.close(CloseCode::AuthenticationFailed);
        } else {
            tracing::error!(error = error as &dyn std::error::Error, "a session failed");
            self.socket.close(CloseCode::Unknown);
        }
    }

    /// Seats the caller of a token; false if it has too many sockets.
    async fn authenticate(&mut self, token: &str) -> Result<Option<Caller>, Error> {
        let caller = self.gateway.0.app.logins().authenticate(token).await?;
        self.seat = None;
        self.seat = self.gateway.seat(caller.require_login()?);
        if self.seat.is_none() {
            self.socket.close(CloseCode::RateLimited);
            return Ok(None);
        }
        self.holder = Some(caller);
        Ok(Some(caller))
    }

    async fn identify(&mut self, identify: Identify) -> Result<(), Error> {
        let Some(caller) = self.authenticate(&identify.token).await? else {
            return Ok(());
        };
        let mut opening = self.gateway.0.app.sessions().open(caller, identify.intents, identify.shard).await?;
        opening.ready.resume_gateway_url.clone_from(&self.url);
        let data = serde_json::to_string(&opening.ready).map_err(|cause| Error::internal("encode READY", cause))?;
        let waiting = Dispatch { name: "READY", data };
        self.phase = Phase::Opening {
            guilds: opening.guilds.into(),
            waiting,
            base: opening.base,
        };
        Ok(())
    }

    async fn resume(&mut self, resume: Resume) -> Result<(), Error> {
        let Some(caller) = self.authenticate(&resume.token).await? else {
            return Ok(());
        };
        match self.gateway.0.app.sessions().resume(caller, &resume.session_id, resume.seq).await? {
            Resumption::Go(position) => {
                // Until something is replayed, the session stands where its client said.
                self.socket.stand_at(resume.seq);
                self.phase = Phase::CatchingUp {
                    position,
                    resuming: Some(Resuming {
                        last: position,
                        replayed: 0,
                    }),
                };
            }
            Resumption::Stale => self.refuse_session(),
            Resumption::InvalidSeq => self.socket.close(CloseCode::InvalidSeq),
        }
        Ok(())
    }

    /// Op 9: the client identifies anew on this connection or another.
    fn refuse_session(&mut self) {
        self.socket.push(frames::text(gateway::INVALID_SESSION), None);
        self.session.begin_anew(self.now_ms());
        self.phase = Phase::New;
    }

    /// One step of what is pulled.
    async fn pull(&mut self) -> Result<(), Error> {
        let Some(holder) = self.holder else { return Ok(()) };
        match std::mem::replace(&mut self.phase, Phase::New) {
            phase @ (Phase::New | Phase::Live) => self.phase = phase,
            Phase::Opening { guilds, waiting, base } => self.phase = self.open(holder, guilds, waiting, base).await?,
            Phase::CatchingUp { position, resuming } => {
                if let Some(next) = self.catch_up(holder, position, resuming).await? {
                    self.phase = next;
                }
            }
        }
        Ok(())
    }

    /// Sends the frame that waited and reads the next guild; the very last frame carries `base`, all before it one less.
    async fn open(&self, holder: Caller, mut guilds: VecDeque<GuildId>, waiting: Dispatch, base: Position) -> Result<Phase, Error> {
        while let Some(id) = guilds.pop_front() {
            // Who left in between gets no snapshot, and GUILD_DELETE from the log.
            if let Some(next) = self.gateway.0.app.sessions().guild(holder, id).await? {
                self.socket.push(frames::text(waiting.frame(base.0 - 1)), Some(base.0 - 1));
                return Ok(Phase::Opening {
                    guilds,
                    waiting: next,
                    base,
                });
            }
        }
        self.socket.push(frames::text(waiting.frame(base.0)), Some(base.0));
        Ok(Phase::CatchingUp {
            position: base,
            resuming: None,
        })
    }

    /// Sends a page of the log; after the last one says RESUMED and joins the live stream. `None`: the session was ended or refused.
    async fn catch_up(&mut self, holder: Caller, position: Position, resuming: Option<Resuming>) -> Result<Option<Phase>, Error> {
        let page = self.gateway.0.app.sessions().page(holder.user, position).await?;
        if page.is_gap {
            // It took so long to read that the sweep has passed it. RESUME will say op 9.
            self.socket.close(CloseCode::Unknown);
            return Ok(None);
        }
        let mut resuming = resuming;
        for entry in &page.entries {
            if ends(entry, holder) {
                self.socket.close(CloseCode::AuthenticationFailed);
                return Ok(None);
            }
            let prepared = Prepared::new(entry).map_err(|cause| Error::internal("read the log", cause))?;
            let pieces = page.pieces(entry, &prepared.event);
            for (frame, s) in prepared.frames_for(&pieces, self.socket.s()) {
                self.socket.push(frame, Some(s));
            }
            if let Some(resuming) = &mut resuming {
                resuming.last = if pieces.is_empty() {
                    resuming.last
                } else {
                    Position(entry.position)
                };
                resuming.replayed += usize::from(!pieces.is_empty());
                if resuming.replayed > REPLAY_ENTRIES_MAX {
                    self.refuse_session();
                    return Ok(None);
                }
            }
        }
        if !page.complete {
            let position = page.entries.last().map_or(page.head, |entry| Position(entry.position));
            return Ok(Some(Phase::CatchingUp { position, resuming }));
        }
        if let Some(Resuming { last, .. }) = resuming {
            let resumed = Dispatch {
                name: "RESUMED",
                data: r#"{"_trace":[]}"#.into(),
            };
            self.socket.push(frames::text(resumed.frame(last.0)), Some(last.0));
        }
        self.socket.flush();
        if self.socket.has_backlog() {
            // It joins once this has gone out: the limit on what waits counts live dispatches only.
            return Ok(Some(Phase::CatchingUp {
                position: page.head,
                resuming: None,
            }));
        }
        let joining = Joining {
            socket: self.socket.clone(),
            holder,
            position: page.head,
            guilds: page.guilds,
        };
        let joined = self.gateway.shard(self.socket.key).join(joining).await;
        Ok(Some(if joined {
            Phase::Live
        } else {
            Phase::CatchingUp {
                position: page.head,
                resuming: None,
            }
        }))
    }
}
