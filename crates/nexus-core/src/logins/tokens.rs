//! What this process knows of access tokens, and of those of bots, without asking the store.
//!
//! # Invariant
//! A login that ended is refused from then on, though its access tokens were verified before and have not expired. It may be
//! forgotten only when the last of them has.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use nexus_store::sql;
use nexus_store::sql::logins::ENDED_LOGIN_MS;
use nexus_types::ids::LoginId;
use nexus_types::limits::VERIFIED_TOKENS_MAX;
use nexus_types::timestamps::Timestamp;

use super::Caller;
use crate::{App, Result};

/// Access tokens that were verified, by their SHA-256, and logins that ended.
#[derive(Default)]
pub struct Tokens(RwLock<Known>);

#[derive(Default)]
struct Known {
    /// Verified lately. When it is half of what we may keep, it replaces `older`.
    newer: HashMap<[u8; 32], Verified>,
    older: HashMap<[u8; 32], Verified>,
    /// Until when each must be remembered.
    ended: HashMap<LoginId, i64>,
    /// The number of ended logins at which those that may be forgotten are looked for.
    sweep_at: usize,
}

#[derive(Clone, Copy)]
struct Verified {
    caller: Caller,
    expires_ms: i64,
}

impl Tokens {
    /// Learns from the store which logins ended lately. To be called at the start, before anybody is let in.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn rebuild(app: &App) -> Result<()> {
        let since = Timestamp(app.clock.now_ms() - ENDED_LOGIN_MS);
        let ended: Vec<(LoginId, Timestamp)> = app.db.read(async move |tx| sql::logins::ended_after(tx, since).await).await?;
        let mut known = app.tokens.0.write().unwrap_or_else(PoisonError::into_inner);
        for (login, at) in ended {
            known.ended.insert(login, at.0 + ENDED_LOGIN_MS);
        }
        Ok(())
    }

    /// Remembers that a login ended. From this moment on its access tokens are refused.
    pub fn ended(&self, login: LoginId, now_ms: i64) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.ended.insert(login, now_ms + ENDED_LOGIN_MS);
        if known.ended.len() >= known.sweep_at.max(1_024) {
            known.ended.retain(|_, until_ms| *until_ms > now_ms);
            known.sweep_at = known.ended.len() * 2;
        }
    }

    /// Did this login end a short while ago?
    pub fn has_ended(&self, login: LoginId) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).ended.contains_key(&login)
    }

    /// Whose token this is, if it was verified before.
    pub(crate) fn verified(&self, hash: &[u8; 32], now_ms: i64) -> Option<Caller> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_new = known.newer.get(hash);
        let found = *is_new.or_else(|| known.older.get(hash))?;
        let is_old = is_new.is_none();
        let has_ended = found.caller.login.is_some_and(|login| known.ended.contains_key(&login));
        let good = now_ms < found.expires_ms && !has_ended;
        drop(known);
        if good && is_old {
            self.remember(*hash, found.caller, found.expires_ms);
        }
        good.then_some(found.caller)
    }

    /// Remembers a verified token.
    pub(crate) fn remember(&self, hash: [u8; 32], caller: Caller, expires_ms: i64) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.newer.len() >= VERIFIED_TOKENS_MAX / 2 {
            known.older = std::mem::take(&mut known.newer);
        }
        known.newer.insert(hash, Verified { caller, expires_ms });
        assert!(
            known.newer.len() + known.older.len() <= VERIFIED_TOKENS_MAX,
            "verified tokens are bounded"
        );
    }
}

#[cfg(test)]
mod tests {
    use nexus_types::ids::UserId;

    use super::*;

    fn caller(login: i64) -> Caller {
        Caller {
            user: UserId(1),
            login: Some(LoginId(login)),
        }
    }

    fn hash(number: usize) -> [u8; 32] {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        hash
    }

    #[test]
    fn a_verified_token_is_good_until_it_expires_or_its_login_ends() {
        let tokens = Tokens::default();
        tokens.remember(hash(1), caller(1), 100);
        tokens.remember(hash(2), caller(2), 100);
        assert_eq!(tokens.verified(&hash(1), 99), Some(caller(1)));
        assert_eq!(tokens.verified(&hash(1), 100), None);
        assert_eq!(tokens.verified(&hash(3), 0), None);
        tokens.ended(LoginId(1), 0);
        assert_eq!(tokens.verified(&hash(1), 50), None);
        assert_eq!(tokens.verified(&hash(2), 50), Some(caller(2)));
    }

    #[test]
    fn verified_tokens_are_bounded_and_those_in_use_stay() {
        let tokens = Tokens::default();
        for number in 0..3 * VERIFIED_TOKENS_MAX {
            tokens.remember(hash(number), caller(1), i64::MAX);
            assert!(tokens.verified(&hash(0), 0).is_some(), "used all the time, at {number}");
        }
        assert!(tokens.verified(&hash(1), 0).is_none(), "never used again");
    }

    #[test]
    fn ended_logins_are_remembered_as_long_as_needed_and_not_longer() {
        let tokens = Tokens::default();
        for number in 0..10_000 {
            tokens.ended(LoginId(number), number * 1_000);
            assert!(tokens.has_ended(LoginId(number)));
        }
        assert!(tokens.has_ended(LoginId(10_000 - ENDED_LOGIN_MS / 1_000)));
        assert!(!tokens.has_ended(LoginId(1)));
        assert!(tokens.0.read().expect("no panic").ended.len() < 4_000);
    }
}
