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
use nexus_types::limits::{SECOND_MS, TICKET_MS, TICKETS_MAX};
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

/// The use cases of tickets.
pub struct AccessView<'a> {
    pub(super) tickets: &'a Tickets,
    pub(super) clock: &'a Clock,
}

impl AccessView<'_> {
    /// A ticket that opens one stream within [`TICKET_MS`].
    ///
    /// # Errors
    /// [`ErrorCode::MissingPermission`] for who may not read, [`ErrorCode::RateLimited`] if too many were given out and not used.
    pub fn ticket(&self, access: Access) -> Result<String> {
        if !access.is_reader() {
            return Err(ErrorCode::MissingPermission.into());
        }
        let now_ms = self.clock.now_ms();
        let mut tickets = self.tickets.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tickets.len() >= TICKETS_MAX {
            tickets.retain(|_, (_, until_ms)| now_ms < *until_ms);
        }
        if tickets.len() >= TICKETS_MAX {
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

    #[test]
    fn tickets_are_bounded_and_old_ones_make_room() {
        let (tickets, clock) = (Tickets::default(), Clock::fixed(1_795_166_227_000));
        let view = AccessView {
            tickets: &tickets,
            clock: &clock,
        };
        for _ in 0..TICKETS_MAX {
            view.ticket(Access::Admin).expect("there is room");
        }
        assert_eq!(view.ticket(Access::Admin).expect_err("full").code(), Some(ErrorCode::RateLimited));
        clock.set(1_795_166_227_000 + TICKET_MS);
        assert!(view.ticket(Access::Admin).is_ok());
    }
}
