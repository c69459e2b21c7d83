//! Bots: accounts of programs. A bot has a token and no password, speaks over REST, and is in the guilds that it was put into.
//!
//! It deliberately has no login: there is nothing to refresh or to list, and the gateway, which counts sockets by login, refuses it so
//! far. The guide is `docs/guide/bots.md`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexus_store::{Db, StoreError, Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::ids::{GuildId, UserId};
use nexus_types::limits::{ACCESS_TOKEN_MS, BOTS_MAX, SECOND_MS};
use nexus_types::names::Username;
use nexus_types::timestamps::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::clock::Clock;
use crate::{App, Caller, Error, Result, members};

/// Longer texts are not looked at.
const TOKEN_BYTES_MAX: usize = 128;

/// The use cases of bots.
pub struct Bots<'a>(pub(crate) &'a App);

/// A token that was made. It is shown once, here, and never in a log.
pub struct NewToken {
    /// Whose it is.
    pub bot: UserId,
    /// The token.
    pub token: String,
    /// Is a former token of the bot no longer good?
    pub replaced: bool,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NewToken").field("bot", &self.bot).finish_non_exhaustive()
    }
}

impl Bots<'_> {
    /// Says which bot's token this is, without its `Bot`. A good one is remembered for as long as a person's access token.
    ///
    /// # Errors
    /// [`ErrorCode::Unauthorized`], or those of the store.
    pub async fn authenticate(&self, token: &str) -> Result<Caller> {
        let app = self.0;
        let bot = owner(token).ok_or(ErrorCode::Unauthorized)?;
        let (hash, now_ms) = (hash(token), app.clock.now_ms());
        if let Some(caller) = app.tokens.verified(&hash, now_ms) {
            return Ok(caller);
        }
        let stored = app
            .db
            .read::<_, StoreError, _>(async move |tx: &mut Tx<'_>| sql::bots::token_hash(tx, bot).await)
            .await?;
        if !stored.is_some_and(|stored| bool::from(stored.as_slice().ct_eq(&hash))) {
            return Err(ErrorCode::Unauthorized.into());
        }
        let caller = Caller { user: bot, login: None };
        app.tokens.remember(hash, caller, now_ms + ACCESS_TOKEN_MS);
        Ok(caller)
    }
}

/// Makes a bot with a token and puts it into a guild, if one is named. A bot that exists gets another token in place of the one it had.
///
/// # Errors
/// A bad name, [`ErrorCode::NotABot`], [`ErrorCode::TooManyBots`], [`ErrorCode::UnknownGuild`], [`ErrorCode::GuildFull`],
/// [`ErrorCode::TooManyGuilds`].
pub async fn create(db: &Db, clock: &Clock, name: &str, guild: Option<GuildId>) -> Result<NewToken> {
    let name = Username::parse(name)?;
    let clock = clock.clone();
    db.write(async move |tx: &mut Tx<'_>| {
        let bot = find_or_make(tx, &clock, &name).await?;
        let replaced = sql::bots::token_hash(tx, bot).await?.is_some();
        let token = new_token(&clock, bot);
        sql::bots::set_token_hash(tx, bot, &hash(&token)).await?;
        if let Some(guild) = guild {
            join(tx, clock.now(), bot, guild).await?;
        }
        Ok(NewToken { bot, token, replaced })
    })
    .await
}

/// Inside a job: the bot of this name, made without a token if there is none. A refusal has changed nothing.
///
/// # Errors
/// A bad name, [`ErrorCode::NotABot`] if a person has it or one that looks alike, [`ErrorCode::TooManyBots`].
pub async fn ensure(tx: &mut Tx<'_>, clock: &Clock, name: &str) -> Result<UserId> {
    find_or_make(tx, clock, &Username::parse(name)?).await
}

async fn find_or_make(tx: &mut Tx<'_>, clock: &Clock, name: &Username) -> Result<UserId> {
    let folded = name.folded();
    if let Some(found) = sql::users::named(tx, &folded).await? {
        return if found.bot { Ok(found.id) } else { Err(ErrorCode::NotABot.into()) };
    }
    let (id, now) = (UserId(clock.next_id()), clock.now());
    if !sql::bots::insert(tx, id, now, BOTS_MAX).await? {
        return Err(ErrorCode::TooManyBots.into());
    }
    if !sql::users::insert_bot(tx, id, name.as_str(), &folded, now).await? {
        return Err(Error::internal("make a bot", "its name was free and is taken"));
    }
    Ok(id)
}

/// Inside a job: puts a bot into a guild, unless it was there before and was removed or left. A refusal has changed nothing.
///
/// # Errors
/// [`ErrorCode::BotRemoved`], [`ErrorCode::UnknownGuild`], [`ErrorCode::GuildFull`], [`ErrorCode::TooManyGuilds`].
pub async fn join_once(tx: &mut Tx<'_>, clock: &Clock, bot: UserId, guild: GuildId) -> Result<()> {
    let is_member = sql::members::roles(tx, guild, bot).await?.is_some();
    let is_there = is_member || sql::guilds::load(tx, guild).await?.is_some();
    if is_there && !is_member && sql::bots::has_joined(tx, guild, bot).await? {
        return Err(ErrorCode::BotRemoved.into());
    }
    join(tx, clock.now(), bot, guild).await
}

async fn join(tx: &mut Tx<'_>, now: Timestamp, bot: UserId, guild: GuildId) -> Result<()> {
    if sql::members::roles(tx, guild, bot).await?.is_some() {
        return Ok(());
    }
    let (_, member_count) = sql::guilds::load(tx, guild).await?.ok_or(Error::refused(ErrorCode::UnknownGuild))?;
    members::add(tx, guild, member_count, bot, now).await?;
    sql::bots::note_join(tx, guild, bot).await?;
    Ok(())
}

/// Is this account a bot?
///
/// # Errors
/// Those of the store.
pub async fn is_bot(tx: &mut Tx<'_>, user: UserId) -> Result<bool> {
    Ok(sql::bots::exists(tx, user).await?)
}

/// A new token of a bot.
///
/// # Shape
/// `base64url(id in decimal).base64url(seconds since 1970, 4 bytes).base64url(32 random bytes)`, without padding: Discord's libraries
/// read the id out of the first part, and scanners for secrets know such tokens by their three parts.
fn new_token(clock: &Clock, bot: UserId) -> String {
    let seconds = (clock.now_ms() / SECOND_MS) as u32;
    let [id, made, secret] =
        [bot.to_string().as_bytes(), &seconds.to_be_bytes()[..], &clock.random::<32>()[..]].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{id}.{made}.{secret}")
}

/// The bot that a token names; `None` for what can't be a token.
fn owner(token: &str) -> Option<UserId> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (id, _) = token.split_once('.')?;
    let id = URL_SAFE_NO_PAD.decode(id).ok()?;
    std::str::from_utf8(&id).ok()?.parse().ok()
}

/// A token of 256 random bits needs no slow hash. The scheme is hashed too, so that a bot's token, once remembered as good, is never
/// taken for an access token.
fn hash(token: &str) -> [u8; 32] {
    Sha256::new().chain_update(b"Bot ").chain_update(token).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_three_parts_and_names_its_bot() {
        let clock = Clock::fixed(1_795_166_227_123);
        let token = new_token(&clock, UserId(1_234_567_890_123_456_789));
        let parts: Vec<_> = token.split('.').collect();
        assert_eq!(parts[..2], ["MTIzNDU2Nzg5MDEyMzQ1Njc4OQ", "awAQEw"]);
        assert_eq!(URL_SAFE_NO_PAD.decode(parts[2]).expect("base64").len(), 32);
        assert_eq!(parts.len(), 3);
        assert!(token.len() <= TOKEN_BYTES_MAX);
        assert_eq!(owner(&token), Some(UserId(1_234_567_890_123_456_789)));
        assert_ne!(token, new_token(&clock, UserId(1_234_567_890_123_456_789)));
    }

    #[test]
    fn what_names_nobody_is_no_token() {
        for bad in [
            "",
            ".",
            "a.b.c",
            "MA.b.c",
            "LTE.b.c",
            "MTI",
            "MTI=.b.c",
            "MTJ.b.c",
            &"MTI.".repeat(40),
        ] {
            assert_eq!(owner(bad), None, "{bad}");
        }
        assert_eq!(owner("MTI.b.c"), Some(UserId(12)));
    }
}
