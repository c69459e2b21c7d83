//! Who may look into the hub, and the tickets with which a browser opens a stream: a WebSocket there can't carry a header.
//!
//! Tickets live in memory only. A restart ends those that were given out, and their owners ask for others.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexus_types::ErrorCode;
use nexus_types::hub::EventType;
use nexus_types::ids::{LoginId, UserId};
use nexus_types::limits::{SECOND_MS, TICKET_MS, TICKETS_MAX, TICKETS_OF_SOURCES_MAX, TICKETS_PER_READER_MAX};
use sha2::{Digest, Sha256};

use super::sources::SourceAccess;
use crate::clock::Clock;
use crate::errors::{Error, Result};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Whoever has an administrator's token.
    Admin,
    /// A person who is an administrator.
    Administrator {
        /// Who.
        user: UserId,
        /// With which login; when it ends, so do the streams.
        login: LoginId,
    },
    /// A source.
    Source(SourceAccess),
}

impl Access {
    /// May this type be read?
    pub fn may_read(&self, kind: &EventType) -> bool {
        match self {
            Self::Admin | Self::Administrator { .. } => true,
            Self::Source(source) => source.reads && source.may(kind),
        }
    }

    /// May anything be read?
    pub fn is_reader(&self) -> bool {
        match self {
            Self::Admin | Self::Administrator { .. } => true,
            Self::Source(source) => source.reads,
        }
    }

    /// May the hub be looked after?
    pub fn is_admin(&self) -> bool {
        !matches!(self, Self::Source(_))
    }

    /// Is this the same source, login or kind of token, whatever its rights?
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Source(one), Self::Source(other)) => one.name == other.name,
            (one, other) => one == other,
        }
    }

    /// In words, for a list of who listens.
    pub fn words(&self) -> String {
        match self {
            Self::Admin => "an administrator's token".to_owned(),
            Self::Administrator { user, .. } => format!("administrator {user}"),
            Self::Source(source) => format!("source {}", source.name),
        }
    }
}

/// Tickets that were given out and not used.
#[derive(Default)]
pub(super) struct Tickets(Mutex<HashMap<[u8; 32], (Access, i64)>>);

/// Is there no room for one more ticket of this access? Each may hold some, and all sources together leave some to administrators.
fn is_full(tickets: &HashMap<[u8; 32], (Access, i64)>, access: &Access) -> bool {
    let of = |counted: &dyn Fn(&Access) -> bool| tickets.values().filter(|(access, _)| counted(access)).count();
    let is_source = |access: &Access| !access.is_admin();
    tickets.len() >= TICKETS_MAX
        || of(&|other| other.is_like(access)) >= TICKETS_PER_READER_MAX
        || is_source(access) && of(&is_source) >= TICKETS_OF_SOURCES_MAX
}

/// The use cases of tickets.
pub struct AccessView<'a> {
    pub(super) tickets: &'a Tickets,
    pub(super) clock: &'a Clock,
}

impl AccessView<'_> {
    /// A ticket that opens one stream within [`TICKET_MS`].
    ///
    /// # Errors
    /// [`ErrorCode::MissingPermission`] for who may not read, [`ErrorCode::RateLimited`] if too many were given out and not used:
    /// to this reader, or altogether.
    pub fn ticket(&self, access: Access) -> Result<String> {
        if !access.is_reader() {
            return Err(ErrorCode::MissingPermission.into());
        }
        let now_ms = self.clock.now_ms();
        let mut tickets = self.tickets.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_full(&tickets, &access) {
            tickets.retain(|_, (_, until_ms)| now_ms < *until_ms);
        }
        if is_full(&tickets, &access) {
            return Err(Error::later(ErrorCode::RateLimited, SECOND_MS));
        }
        let ticket = URL_SAFE_NO_PAD.encode(self.clock.random::<32>());
        tickets.insert(Sha256::digest(&ticket).into(), (access, now_ms + TICKET_MS));
        assert!(tickets.len() <= TICKETS_MAX);
        Ok(ticket)
    }

    /// Whose ticket this is. It is used up by that.
    pub fn redeem(&self, ticket: &str) -> Option<Access> {
        let hash: [u8; 32] = Sha256::digest(ticket).into();
        let mut tickets = self.tickets.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (access, until_ms) = tickets.remove(&hash)?;
        (self.clock.now_ms() < until_ms).then_some(access)
    }
}

#[cfg(test)]
mod tests {
    use super::super::SecretMark;
    use super::*;

    #[test]
    fn a_ticket_opens_one_stream_and_soon() {
        let (tickets, clock) = (Tickets::default(), Clock::fixed(1_795_166_227_000));
        let view = AccessView {
            tickets: &tickets,
            clock: &clock,
        };
        let ticket = view.ticket(Access::Admin).expect("a ticket");
        assert_eq!(view.redeem(&ticket), Some(Access::Admin));
        assert_eq!(view.redeem(&ticket), None, "once");
        let late = view.ticket(Access::Admin).expect("a ticket");
        clock.set(1_795_166_227_000 + TICKET_MS);
        assert_eq!(view.redeem(&late), None, "too late");
        assert_eq!(view.redeem("nobody's"), None);
    }

    fn source(number: usize) -> Access {
        Access::Source(SourceAccess {
            name: format!("gauge-{number}").into(),
            patterns: vec![].into(),
            reads: true,
            secret: SecretMark::default(),
        })
    }

    fn is_refused(given: Result<String>) -> bool {
        given.is_err_and(|error| error.code() == Some(ErrorCode::RateLimited))
    }

    #[test]
    fn tickets_are_bounded_and_old_ones_make_room() {
        let (tickets, clock) = (Tickets::default(), Clock::fixed(1_795_166_227_000));
        let view = AccessView {
            tickets: &tickets,
            clock: &clock,
        };
        for access in [Access::Admin, source(1)] {
            for _ in 0..TICKETS_PER_READER_MAX {
                view.ticket(access.clone()).expect("there is room");
            }
            assert!(is_refused(view.ticket(access)));
        }
        assert!(view.ticket(source(2)).is_ok(), "others have theirs");
        // Other rights are no other source.
        let Access::Source(wider) = source(1) else { panic!("a source") };
        let patterns = vec![nexus_types::hub::Pattern::All].into();
        assert!(is_refused(view.ticket(Access::Source(SourceAccess { patterns, ..wider }))));
        clock.set(1_795_166_227_000 + TICKET_MS);
        for access in [Access::Admin, source(1)] {
            assert!(view.ticket(access).is_ok());
        }
    }

    #[test]
    fn sources_leave_tickets_to_administrators() {
        let (tickets, clock) = (Tickets::default(), Clock::fixed(1_795_166_227_000));
        let view = AccessView {
            tickets: &tickets,
            clock: &clock,
        };
        {
            let mut tickets = tickets.0.lock().expect("nobody panicked");
            for number in 1..TICKETS_OF_SOURCES_MAX {
                let mut hash = [0; 32];
                hash[..8].copy_from_slice(&number.to_le_bytes());
                tickets.insert(hash, (source(number), i64::MAX));
            }
        }
        assert!(view.ticket(source(0)).is_ok());
        assert!(is_refused(view.ticket(source(0))));
        let (user, login) = (UserId(1), LoginId(1));
        for access in [Access::Admin, Access::Administrator { user, login }] {
            for _ in 0..TICKETS_PER_READER_MAX {
                view.ticket(access.clone()).expect("there is room");
            }
        }
        assert_eq!(tickets.0.lock().expect("nobody panicked").len(), TICKETS_MAX);
        let login = LoginId(2);
        assert!(is_refused(view.ticket(Access::Administrator { user, login })));
    }
}
