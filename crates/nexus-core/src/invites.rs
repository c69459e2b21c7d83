//! Invites: make, look at, join with, take back.

use nexus_store::sql;
use nexus_store::sql::invites::NewInvite;
use nexus_types::ErrorCode;
use nexus_types::ids::{ChannelId, GuildId};
use nexus_types::invites::{CreateInvite, Invite};
use nexus_types::limits::{INVITES_PER_GUILD_MAX, SECOND_MS};
use nexus_types::permissions::Permissions;

use crate::clock::Clock;
use crate::errors::{Error, Result};
use crate::{App, Caller, members, scopes};

/// The use cases of invites.
pub struct Invites<'a>(pub(crate) &'a App);

/// Crockford's base 32: letters and digits that nobody mistakes for one another when a code is read out.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 50 bits: at 20 guesses a minute nobody finds one.
const CODE_CHARS: usize = 10;

fn new_code(clock: &Clock) -> String {
    clock
        .random::<CODE_CHARS>()
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect()
}

impl Invites<'_> {
    /// Makes an invite into a channel (CREATE_INSTANT_INVITE in it).
    ///
    /// # Errors
    /// Bad terms, [`ErrorCode::UnknownChannel`], [`ErrorCode::MissingPermission`], [`ErrorCode::TooManyInvites`].
    pub async fn create(&self, caller: Caller, channel: ChannelId, draft: CreateInvite) -> Result<Invite> {
        let terms = draft.terms()?;
        let clock = self.0.clock.clone();
        self.0
            .db
            .write(async move |tx| {
                let (standing, channel) = scopes::in_channel(tx, caller.user, channel).await?;
                standing.require_in(&channel, Permissions::CREATE_INSTANT_INVITE)?;
                let now = clock.now();
                if sql::invites::count_live(tx, channel.guild_id, now).await? >= INVITES_PER_GUILD_MAX {
                    return Err(ErrorCode::TooManyInvites.into());
                }
                let code = new_code(&clock);
                let expires_ms = if terms.max_age_s == 0 {
                    0
                } else {
                    now.0 + terms.max_age_s * SECOND_MS
                };
                let row = NewInvite {
                    code: &code,
                    guild: channel.guild_id,
                    channel: channel.id,
                    inviter: caller.user,
                    max_uses: terms.max_uses,
                    created_at: now,
                    expires_ms,
                };
                sql::invites::insert(tx, row).await?;
                let found = sql::invites::load(tx, &code).await?;
                Ok(found
                    .ok_or_else(|| Error::internal("make an invite", "it is not there after its insert"))?
                    .invite)
            })
            .await
    }

    /// An invite that is still good, for anybody who has its code.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownInvite`], [`ErrorCode::InviteInvalid`].
    pub async fn show(&self, code: &str) -> Result<Invite> {
        let (code, now) = (code.to_owned(), self.0.clock.now());
        self.0
            .db
            .read(async move |tx| {
                let found = sql::invites::load(tx, &code)
                    .await?
                    .ok_or(Error::refused(ErrorCode::UnknownInvite))?;
                if !found.is_good(now) {
                    return Err(ErrorCode::InviteInvalid.into());
                }
                Ok(Invite {
                    approximate_member_count: Some(found.member_count),
                    ..found.invite
                })
            })
            .await
    }

    /// Joins the guild of an invite. A member already is told so by the same answer, and uses nothing up.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownInvite`], [`ErrorCode::InviteInvalid`], [`ErrorCode::TooManyGuilds`], [`ErrorCode::GuildFull`],
    /// [`ErrorCode::BotsNotAllowed`]: a bot is put in.
    pub async fn join(&self, caller: Caller, code: &str) -> Result<Invite> {
        caller.require_login()?;
        let (code, clock) = (code.to_owned(), self.0.clock.clone());
        self.0
            .db
            .write(async move |tx| {
                let now = clock.now();
                let found = sql::invites::load(tx, &code)
                    .await?
                    .ok_or(Error::refused(ErrorCode::UnknownInvite))?;
                let guild = found.invite.guild.id;
                if !found.revoked && sql::members::roles(tx, guild, caller.user).await?.is_some() {
                    return Ok(found.invite);
                }
                if !found.is_good(now) {
                    return Err(ErrorCode::InviteInvalid.into());
                }
                members::add(tx, guild, found.member_count, caller.user, now).await?;
                sql::invites::count_use(tx, &code).await?;
                Ok(Invite {
                    uses: found.invite.uses + 1,
                    ..found.invite
                })
            })
            .await
    }

    /// Takes an invite back: its maker, or who has MANAGE_CHANNELS in its channel or MANAGE_GUILD.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownInvite`] (also for who is no member), [`ErrorCode::MissingPermission`].
    pub async fn delete(&self, caller: Caller, code: &str) -> Result<Invite> {
        let code = code.to_owned();
        self.0
            .db
            .write(async move |tx| {
                let unknown = || Error::refused(ErrorCode::UnknownInvite);
                let found = sql::invites::load(tx, &code)
                    .await?
                    .filter(|found| !found.revoked)
                    .ok_or_else(unknown)?;
                let standing = scopes::in_guild(tx, caller.user, found.invite.guild.id)
                    .await
                    .map_err(|error| match error.code() {
                        Some(ErrorCode::UnknownGuild) => unknown(),
                        _ => error,
                    })?;
                if found.invite.inviter.id != caller.user && standing.require(Permissions::MANAGE_GUILD).is_err() {
                    let channel = sql::channels::load(tx, found.invite.channel.id).await?.ok_or_else(unknown)?;
                    standing.require_in(&channel, Permissions::MANAGE_CHANNELS)?;
                }
                sql::invites::revoke(tx, &code).await?;
                Ok(found.invite)
            })
            .await
    }

    /// The live invites of a guild (MANAGE_GUILD), newest first.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGuild`], [`ErrorCode::MissingPermission`].
    pub async fn list(&self, caller: Caller, guild: GuildId) -> Result<Vec<Invite>> {
        let now = self.0.clock.now();
        self.0
            .db
            .read(async move |tx| {
                scopes::in_guild(tx, caller.user, guild).await?.require(Permissions::MANAGE_GUILD)?;
                let all = sql::invites::of_guild(tx, guild).await?;
                Ok(all
                    .into_iter()
                    .filter(|found| found.is_good(now))
                    .map(|found| found.invite)
                    .collect())
            })
            .await
    }
}
