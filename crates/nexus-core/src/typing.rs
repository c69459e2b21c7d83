//! Who is writing. A notice is told to whoever listens and kept nowhere; under pressure it is dropped.

use nexus_store::{Fleeting, sql};
use nexus_types::ErrorCode;
use nexus_types::dispatches::typing_start;
use nexus_types::ids::ChannelId;
use nexus_types::permissions::Permissions;

use crate::errors::{Error, Result};
use crate::{App, Caller, scopes};

/// The use cases of typing.
pub struct Typing<'a>(pub(crate) &'a App);

/// The kind of a typing notice on the bus.
pub const TYPING: i64 = 1;

impl Typing<'_> {
    /// Tells that the caller is writing; good for [`nexus_types::limits::TYPING_MS`].
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::MissingPermission`] for who may not send.
    pub async fn start(&self, caller: Caller, channel: ChannelId) -> Result<()> {
        let now = self.0.clock.now();
        let fleeting = self
            .0
            .db
            .read(async move |tx| {
                let (standing, channel) = scopes::in_channel(tx, caller.user, channel).await?;
                standing.require_in(&channel, Permissions::SEND_MESSAGES)?;
                let member = sql::members::load(tx, channel.guild_id, caller.user).await?;
                let member = member.ok_or(Error::refused(ErrorCode::UnknownChannel))?;
                let dispatch = typing_start(channel.guild_id, channel.id, caller.user, &member, now);
                let body = dispatch.head();
                Ok::<_, Error>(Fleeting {
                    kind: TYPING,
                    topic: channel.guild_id.0,
                    channel: channel.id.0,
                    subject: caller.user.0,
                    body,
                })
            })
            .await?;
        self.0.db.bus().send_fleeting(fleeting);
        Ok(())
    }
}
