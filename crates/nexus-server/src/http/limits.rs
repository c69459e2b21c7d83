//! How often somebody may do something: per user, per user and channel, per account and address.
//!
//! An address is the peer's, or what a proxy that the operator named says of it (see [`crate::networks`]); whatever else a header
//! says is ignored. Addresses are kept in memory only.
//!
//! # Source
//! The generic cell rate algorithm (ITU-T I.371, virtual scheduling): one number a key, no timers.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use nexus_core::Caller;
use nexus_types::ErrorCode;
use nexus_types::ids::{ChannelId, UserId};
use nexus_types::limits::{
    BAD_LOGINS_PER_ADDRESS_PER_MINUTE, BAD_LOGINS_PER_MINUTE, CHANNEL_CHANGES_PER_10_MIN, GUESSES_PER_MINUTE, GUILD_CHANGES_PER_10_MIN,
    GUILDS_PER_HOUR, INVITES_PER_10_MIN, JOINS_PER_10_MIN, MESSAGES_PER_5_S, RATE_LIMIT_KEYS_MAX, REGISTRATIONS_PER_HOUR,
    REQUESTS_PER_SECOND, TYPING_PER_10_S, USERNAME_CHARS_MAX,
};
use nexus_types::names::fold;

use super::error::ApiError;
use super::{Exchange, Node};
use crate::networks::{Net, net};

/// Parts of a limiter, each with a lock of its own.
const SHARDS: usize = 16;

/// What is left of a limit, for the headers of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    bucket: &'static str,
    limit: u32,
    remaining: u32,
    /// Until the whole limit is free again.
    reset_us: u64,
}

/// A limit that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted {
    quota: Quota,
    /// Until one more is allowed.
    retry_after_us: u64,
    /// It is the limit over all routes.
    pub global: bool,
}

impl Exhausted {
    /// When to come back, rounded up.
    pub(super) fn retry_after_ms(&self) -> i64 {
        self.retry_after_us.div_ceil(1_000).cast_signed()
    }
}

/// One limit for many keys.
struct Limiter<K> {
    bucket: &'static str,
    limit: u32,
    /// One is given back every so often.
    interval_us: u64,
    keys_max: usize,
    hasher: RandomState,
    shards: [Mutex<Shard<K>>; SHARDS],
}

struct Shard<K> {
    /// When everything that was used is given back, for each key.
    free_us: HashMap<K, u64>,
    swept_us: u64,
}

impl<K: Hash + Eq> Limiter<K> {
    fn new(bucket: &'static str, limit: u32, window_s: u64) -> Self {
        let shard = |_| {
            Mutex::new(Shard {
                free_us: HashMap::new(),
                swept_us: 0,
            })
        };
        Self {
            bucket,
            limit,
            interval_us: window_s * 1_000_000 / u64::from(limit),
            keys_max: RATE_LIMIT_KEYS_MAX / SHARDS,
            hasher: RandomState::new(),
            shards: std::array::from_fn(shard),
        }
    }

    fn shard(&self, key: &K) -> std::sync::MutexGuard<'_, Shard<K>> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses one, or says when to come back.
    fn take(&self, key: K, now_us: u64) -> Result<Quota, Exhausted> {
        let mut shard = self.shard(&key);
        let whole_us = self.interval_us * u64::from(self.limit);
        if shard.free_us.len() >= self.keys_max && !shard.free_us.contains_key(&key) {
            // At most once a second, so that a flood of keys can't make us walk over all of them each time.
            if now_us >= shard.swept_us + 1_000_000 {
                shard.free_us.retain(|_, free_us| *free_us > now_us);
                shard.swept_us = now_us;
            }
            if shard.free_us.len() >= self.keys_max {
                return Err(self.exhausted(whole_us, self.interval_us));
            }
        }
        let free_us = shard.free_us.entry(key).or_insert(0);
        let after_us = (*free_us).max(now_us) + self.interval_us;
        let used_us = after_us - now_us;
        if used_us > whole_us {
            return Err(self.exhausted(used_us - self.interval_us, used_us - whole_us));
        }
        *free_us = after_us;
        Ok(self.quota(used_us))
    }

    /// Gives one back.
    fn put_back(&self, key: &K) {
        if let Some(free_us) = self.shard(key).free_us.get_mut(key) {
            *free_us -= self.interval_us;
        }
    }

    fn quota(&self, used_us: u64) -> Quota {
        let remaining = self.limit - (used_us.div_ceil(self.interval_us) as u32).min(self.limit);
        Quota {
            bucket: self.bucket,
            limit: self.limit,
            remaining,
            reset_us: used_us,
        }
    }

    fn exhausted(&self, used_us: u64, retry_after_us: u64) -> Exhausted {
        Exhausted {
            quota: Quota {
                remaining: 0,
                ..self.quota(used_us)
            },
            retry_after_us,
            global: false,
        }
    }
}

/// All limits of a node.
pub(super) struct Limits {
    on: bool,
    started: Instant,
    names: RandomState,
    requests: Limiter<UserId>,
    messages: Limiter<(UserId, ChannelId)>,
    typing: Limiter<(UserId, ChannelId)>,
    guilds: Limiter<UserId>,
    guild_changes: Limiter<UserId>,
    joins: Limiter<UserId>,
    channels: Limiter<UserId>,
    invites: Limiter<UserId>,
    registrations: Limiter<Net>,
    guesses: Limiter<Net>,
    sign_ins: Limiter<(u64, Net)>,
    addresses: Limiter<Net>,
}

impl Limits {
    /// All limits, or none.
    pub(super) fn new(on: bool) -> Self {
        Self {
            on,
            started: Instant::now(),
            names: RandomState::new(),
            requests: Limiter::new("requests", REQUESTS_PER_SECOND, 1),
            messages: Limiter::new("messages", MESSAGES_PER_5_S, 5),
            typing: Limiter::new("typing", TYPING_PER_10_S, 10),
            guilds: Limiter::new("guilds", GUILDS_PER_HOUR, 3_600),
            guild_changes: Limiter::new("guild_changes", GUILD_CHANGES_PER_10_MIN, 600),
            joins: Limiter::new("joins", JOINS_PER_10_MIN, 600),
            channels: Limiter::new("channels", CHANNEL_CHANGES_PER_10_MIN, 600),
            invites: Limiter::new("invites", INVITES_PER_10_MIN, 600),
            registrations: Limiter::new("registrations", REGISTRATIONS_PER_HOUR, 3_600),
            guesses: Limiter::new("guesses", GUESSES_PER_MINUTE, 60),
            sign_ins: Limiter::new("sign_ins", BAD_LOGINS_PER_MINUTE, 60),
            addresses: Limiter::new("addresses", BAD_LOGINS_PER_ADDRESS_PER_MINUTE, 60),
        }
    }

    fn now_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    fn take<K: Hash + Eq>(&self, limiter: &Limiter<K>, key: K) -> Result<Option<Quota>, Exhausted> {
        if self.on {
            limiter.take(key, self.now_us()).map(Some)
        } else {
            Ok(None)
        }
    }

    /// One more request of a user, of whatever kind.
    pub(super) fn request(&self, caller: Caller) -> Result<(), Exhausted> {
        self.take(&self.requests, caller.user)
            .map(drop)
            .map_err(|exhausted| Exhausted { global: true, ..exhausted })
    }
}

/// One limit a second for each address, for routes that know nobody.
pub(super) struct AddressLimit {
    started: Instant,
    limiter: Option<Limiter<Net>>,
}

impl AddressLimit {
    /// So many a second, and as many at once; or no limit.
    pub(super) fn new(bucket: &'static str, per_second: Option<u32>) -> Self {
        Self {
            started: Instant::now(),
            limiter: per_second.map(|limit| Limiter::new(bucket, limit, 1)),
        }
    }

    /// One more from where this request came from.
    ///
    /// # Errors
    /// Too many came from there.
    pub(super) fn take(&self, exchange: &Exchange) -> Result<(), ApiError> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let taken = limiter.take(net(exchange.address), self.started.elapsed().as_micros() as u64);
        exchange.quota.note(match &taken {
            Ok(quota) => *quota,
            Err(exhausted) => exhausted.quota,
        });
        Ok(taken.map(drop)?)
    }
}

/// How often somebody may be wrong from one address before nobody listens there any more, for a minute's share.
pub(super) struct WrongLimit {
    started: Instant,
    limiter: Option<Limiter<Net>>,
}

impl WrongLimit {
    /// So many a minute; or no limit.
    pub(super) fn new(bucket: &'static str, per_minute: Option<u32>) -> Self {
        Self {
            started: Instant::now(),
            limiter: per_minute.map(|limit| Limiter::new(bucket, limit, 60)),
        }
    }

    /// Looks at something that may be wrong, which must not wait for anything: a slot is held meanwhile. Only what is wrong counts.
    ///
    /// # Errors
    /// Too much was wrong from there, so that nothing was looked at; or those of looking.
    pub(super) fn judge<T, E: Into<ApiError>>(&self, exchange: &Exchange, look: impl FnOnce() -> Result<T, E>) -> Result<T, ApiError> {
        let Some(limiter) = &self.limiter else {
            return look().map_err(E::into);
        };
        let key = net(exchange.address);
        limiter.take(key, self.started.elapsed().as_micros() as u64)?;
        let judged = look().map_err(E::into);
        if judged.is_ok() {
            limiter.put_back(&key);
        }
        judged
    }
}

/// The limits as one request sees them. What it uses stands in the headers of its answer.
pub(super) struct Slots {
    node: Node,
    exchange: Arc<Exchange>,
}

impl FromRequestParts<Node> for Slots {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, node: &Node) -> Result<Self, ApiError> {
        let exchange = parts
            .extensions
            .get::<Arc<Exchange>>()
            .expect("every request has its exchange")
            .clone();
        Ok(Self {
            node: node.clone(),
            exchange,
        })
    }
}

impl Slots {
    fn take<K: Hash + Eq>(&self, limiter: &Limiter<K>, key: K) -> Result<(), ApiError> {
        let taken = self.node.limits.take(limiter, key);
        let quota = match &taken {
            Ok(quota) => *quota,
            Err(exhausted) => Some(exhausted.quota),
        };
        if let Some(quota) = quota {
            self.exchange.quota.note(quota);
        }
        Ok(taken.map(drop)?)
    }

    fn net(&self) -> Net {
        net(self.exchange.address)
    }

    /// # Errors
    /// The caller sends too fast into this channel.
    pub(super) fn message(&self, caller: Caller, channel: ChannelId) -> Result<(), ApiError> {
        self.take(&self.node.limits.messages, (caller.user, channel))
    }

    /// # Errors
    /// The caller types too much.
    pub(super) fn typing(&self, caller: Caller, channel: ChannelId) -> Result<(), ApiError> {
        self.take(&self.node.limits.typing, (caller.user, channel))
    }

    /// # Errors
    /// The caller makes too many guilds.
    pub(super) fn guild(&self, caller: Caller) -> Result<(), ApiError> {
        self.take(&self.node.limits.guilds, caller.user)
    }

    /// # Errors
    /// The caller changes, deletes or leaves too many guilds, or removes too many members.
    pub(super) fn guild_change(&self, caller: Caller) -> Result<(), ApiError> {
        self.take(&self.node.limits.guild_changes, caller.user)
    }

    /// # Errors
    /// The caller joins too often.
    pub(super) fn join(&self, caller: Caller) -> Result<(), ApiError> {
        self.take(&self.node.limits.joins, caller.user)
    }

    /// # Errors
    /// The caller makes, changes or deletes too many channels.
    pub(super) fn channel(&self, caller: Caller) -> Result<(), ApiError> {
        self.take(&self.node.limits.channels, caller.user)
    }

    /// # Errors
    /// The caller makes too many invites.
    pub(super) fn invite(&self, caller: Caller) -> Result<(), ApiError> {
        self.take(&self.node.limits.invites, caller.user)
    }

    /// Tries to register: what the form gets wrong is not counted.
    ///
    /// # Errors
    /// Too many accounts came from this address, or those of the work itself.
    pub(super) async fn registering<T>(&self, work: impl Future<Output = nexus_core::Result<T>>) -> Result<T, ApiError> {
        let not_counted = |code| [ErrorCode::InvalidBody, ErrorCode::RegistrationClosed, ErrorCode::Busy].contains(&code);
        self.counting(&self.node.limits.registrations, self.net(), work, |result| {
            !result.is_some_and(not_counted)
        })
        .await
    }

    /// Tries a code that could be guessed: only wrong ones are counted.
    ///
    /// # Errors
    /// Too many wrong ones came from this address, or those of the work itself.
    pub(super) async fn guessing<T>(&self, work: impl Future<Output = nexus_core::Result<T>>) -> Result<T, ApiError> {
        let wrong = |code| [ErrorCode::UnknownInvite, ErrorCode::InviteInvalid, ErrorCode::InvalidSetupToken].contains(&code);
        self.counting(&self.node.limits.guesses, self.net(), work, |result| result.is_some_and(wrong))
            .await
    }

    /// Tries a password for a name: only wrong ones are counted.
    ///
    /// # Errors
    /// Too many wrong ones came from this address, for this account or for all together, or those of the work itself.
    pub(super) async fn signing_in<T>(&self, name: &str, work: impl Future<Output = nexus_core::Result<T>>) -> Result<T, ApiError> {
        // A longer text is nobody's name, and is not worth folding.
        let folded = if name.len() > 4 * USERNAME_CHARS_MAX {
            String::new()
        } else {
            fold(name)
        };
        let limits = &self.node.limits;
        let key = (limits.names.hash_one(folded), self.net());
        let wrong = |result| result == Some(ErrorCode::BadCredentials);
        let work = self.counting(&limits.addresses, self.net(), work, wrong);
        self.counting(&limits.sign_ins, key, work, wrong).await
    }

    /// Takes a slot before the work, so that many at once can't slip through, and gives it back if the result does not count.
    async fn counting<K: Hash + Eq + Copy, T, E: Into<ApiError>>(
        &self,
        limiter: &Limiter<K>,
        key: K,
        work: impl Future<Output = Result<T, E>>,
        counts: impl Fn(Option<ErrorCode>) -> bool,
    ) -> Result<T, ApiError> {
        self.take(limiter, key)?;
        let result = work.await.map_err(E::into);
        let refused = result.as_ref().err().and_then(ApiError::code);
        if self.node.limits.on && !counts(refused) {
            limiter.put_back(&key);
        }
        result
    }
}

/// What a request used. If it counted against several limits: of the one with the least left.
#[derive(Debug, Default)]
pub(super) struct QuotaCell(Mutex<Option<Quota>>);

impl QuotaCell {
    fn note(&self, quota: Quota) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.is_none_or(|noted| quota.remaining < noted.remaining) {
            *noted = Some(quota);
        }
    }

    pub(super) fn get(&self) -> Option<Quota> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes Discord's headers.
///
/// # Source
/// <https://discord.com/developers/docs/topics/rate-limits#header-format>
pub(super) fn write_headers(quota: &Quota, headers: &mut HeaderMap) {
    let reset_s = quota.reset_us as f64 / 1e6;
    let now_s = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64());
    let mut put = |name: &'static str, value: HeaderValue| headers.insert(HeaderName::from_static(name), value);
    let text = |text: String| HeaderValue::try_from(text).expect("a number is a header's value");
    put("x-ratelimit-limit", HeaderValue::from(quota.limit));
    put("x-ratelimit-remaining", HeaderValue::from(quota.remaining));
    put("x-ratelimit-reset", text(format!("{:.3}", now_s + reset_s)));
    put("x-ratelimit-reset-after", text(format!("{reset_s:.3}")));
    put("x-ratelimit-bucket", HeaderValue::from_static(quota.bucket));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    #[test]
    fn a_burst_is_allowed_and_then_one_at_a_time() {
        let limiter = Limiter::new("messages", 5, 5);
        for remaining in [4, 3, 2, 1, 0] {
            assert_eq!(limiter.take(1, 0).expect("allowed").remaining, remaining);
        }
        let exhausted = limiter.take(1, 0).expect_err("the sixth");
        assert_eq!(
            (exhausted.retry_after_ms(), exhausted.quota.remaining, exhausted.quota.reset_us),
            (1_000, 0, 5 * SECOND_US)
        );
        assert!(limiter.take(2, 0).is_ok(), "another key");
        assert_eq!(limiter.take(1, SECOND_US - 1).expect_err("still").retry_after_ms(), 1);
        assert!(limiter.take(1, SECOND_US).is_ok());
        assert!(limiter.take(1, SECOND_US).is_err());
        assert_eq!(limiter.take(1, 60 * SECOND_US).expect("all free again").remaining, 4);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let limiter = Limiter::new("sign_ins", 1, 60);
        limiter.take(1, 0).map(drop).expect("allowed");
        assert!(limiter.take(1, 0).is_err());
        limiter.put_back(&1);
        assert!(limiter.take(1, 0).is_ok());
    }

    #[test]
    fn keys_are_bounded_and_old_ones_make_room() {
        let mut limiter = Limiter::new("requests", 1, 10);
        limiter.keys_max = 8;
        let accepted = (0..10_000).filter(|key| limiter.take(*key, SECOND_US).is_ok()).count();
        assert_eq!(accepted, 8 * SHARDS);
        assert!(
            (0..10_000).all(|key| limiter.take(key, SECOND_US).is_err()),
            "known keys are used up, new ones refused"
        );
        assert!(limiter.take(77_777, 12 * SECOND_US).is_ok(), "old ones were dropped");
    }
}
