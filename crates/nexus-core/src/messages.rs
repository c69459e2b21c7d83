//! Messages: send, show, history.

pub(crate) mod send;

use nexus_store::sql;
use nexus_types::ErrorCode;
use nexus_types::ids::{ChannelId, MessageId};
use nexus_types::limits::HISTORY_PAGE_MAX;
use nexus_types::messages::{Anchor, Message};
use nexus_types::permissions::Permissions;

use crate::errors::{Error, Result};
use crate::{App, Caller, scopes};

/// The use cases of messages.
pub struct Messages<'a>(pub(crate) &'a App);

impl Messages<'_> {
    /// A page of a channel's history, newest first; empty for who may not read what was sent before.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::InvalidLimit`].
    pub async fn history(&self, caller: Caller, channel: ChannelId, anchor: Anchor, limit: i64) -> Result<Vec<Message>> {
        if !(1..=HISTORY_PAGE_MAX).contains(&limit) {
            return Err(ErrorCode::InvalidLimit.into());
        }
        self.0
            .db
            .read(async move |tx| {
                let (standing, channel) = scopes::in_channel(tx, caller.user, channel).await?;
                if standing.require_in(&channel, Permissions::READ_MESSAGE_HISTORY).is_err() {
                    return Ok(vec![]);
                }
                Ok(sql::messages::history(tx, channel.place(), anchor, limit).await?)
            })
            .await
    }

    /// One message.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::UnknownMessage`], [`ErrorCode::MissingPermission`] without READ_MESSAGE_HISTORY.
    pub async fn show(&self, caller: Caller, channel: ChannelId, id: MessageId) -> Result<Message> {
        self.0
            .db
            .read(async move |tx| {
                let (standing, channel) = scopes::in_channel(tx, caller.user, channel).await?;
                standing.require_in(&channel, Permissions::READ_MESSAGE_HISTORY)?;
                let found = sql::messages::load(tx, channel.place(), id).await?;
                found.ok_or(Error::refused(ErrorCode::UnknownMessage))
            })
            .await
    }
}
