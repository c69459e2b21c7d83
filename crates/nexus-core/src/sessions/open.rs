//! Opening a session: READY and the snapshot of each guild.

use nexus_store::{log, sql};
use nexus_types::dispatches::{Dispatch, guild_create};
use nexus_types::gateway::{PartialApplication, Ready, UnavailableGuild, VERSION};
use nexus_types::ids::{GuildId, Position};
use nexus_types::limits::MEMBERS_IN_SNAPSHOT_MAX;
use nexus_types::scopes::Viewer;

use super::{Sessions, Token, require_live};
use crate::Caller;
use crate::errors::{Error, Result};

/// A session that begins.
#[derive(Debug)]
pub struct Opening {
    /// READY; `resume_gateway_url` is the gateway's to fill in.
    pub ready: Ready,
    /// The guilds to send, each by [`Sessions::guild`].
    pub guilds: Vec<GuildId>,
    /// READY is complete up to here. The guilds, read later, are complete up to here or beyond, which does no harm.
    pub base: Position,
}

impl Sessions<'_> {
    /// Begins a session: who the user is, which guilds will follow, how far the user has read.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open(&self, caller: Caller, intents: Option<i64>, shard: Option<[u32; 2]>) -> Result<Opening> {
        let (base, epoch, user, guilds, read_state) = self
            .0
            .db
            .read(async move |tx| {
                require_live(tx, caller).await?;
                let base = log::head(tx).await?;
                let epoch = log::epoch(tx).await?;
                let user = sql::users::current(tx, caller.user).await?;
                let user = user.ok_or_else(|| Error::internal("open a session", "the user is gone"))?;
                let members = sql::members::of_user(tx, caller.user).await?;
                let guilds: Vec<_> = members
                    .into_iter()
                    .filter(|(_, _, deleted)| !deleted)
                    .map(|(guild, _, _)| guild)
                    .collect();
                let read_state = sql::read_states::of_user(tx, caller.user).await?;
                Ok::<_, Error>((base, epoch, user, guilds, read_state))
            })
            .await?;
        let token = Token {
            user: caller.user.0,
            login: caller.require_login()?.0,
            intents,
            shard,
            base,
            epoch,
        };
        let ready = Ready {
            v: VERSION,
            user,
            guilds: guilds
                .iter()
                .map(|id| UnavailableGuild {
                    id: *id,
                    unavailable: true,
                })
                .collect(),
            private_channels: vec![],
            session_id: self.seal(&token),
            resume_gateway_url: String::new(),
            shard,
            application: PartialApplication { id: caller.user, flags: 0 },
            read_state,
        };
        Ok(Opening {
            ready,
            guilds,
            base: Position(base),
        })
    }

    /// GUILD_CREATE of one guild for one user; `None` if the user is no member (any more).
    ///
    /// # Errors
    /// [`ErrorCode::Unauthorized`](nexus_types::ErrorCode::Unauthorized) if the login has ended meanwhile.
    pub async fn guild(&self, caller: Caller, guild: GuildId) -> Result<Option<Dispatch>> {
        self.0
            .db
            .read(async move |tx| {
                let user = caller.user;
                require_live(tx, caller).await?;
                let Some(roles) = sql::members::roles(tx, guild, user).await? else {
                    return Ok(None);
                };
                let snapshot = sql::guilds::snapshot(tx, guild, user, MEMBERS_IN_SNAPSHOT_MAX).await?;
                Ok(snapshot.map(|snapshot| guild_create(&snapshot, Viewer { user, roles: &roles })))
            })
            .await
    }
}
