//! How far a user has read.

use nexus_store::sql;
use nexus_types::ErrorCode;
use nexus_types::events::Event;
use nexus_types::ids::{ChannelId, MessageId};

use crate::errors::Result;
use crate::{App, Caller, events, scopes};

/// The use cases of read states.
pub struct ReadStates<'a>(pub(crate) &'a App);

impl ReadStates<'_> {
    /// Marks a channel read up to a message. Going back changes nothing.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::UnknownMessage`], [`ErrorCode::BotsNotAllowed`].
    pub async fn ack(&self, caller: Caller, channel_id: ChannelId, message_id: MessageId) -> Result<()> {
        caller.require_login()?;
        let clock = self.0.clock.clone();
        self.0
            .db
            .write(async move |tx| {
                let (_, channel) = scopes::in_channel(tx, caller.user, channel_id).await?;
                if sql::messages::load(tx, channel.place(), message_id).await?.is_none() {
                    return Err(ErrorCode::UnknownMessage.into());
                }
                if sql::read_states::advance(tx, caller.user, channel_id, message_id).await? {
                    let event = Event::MessageAck {
                        user_id: caller.user,
                        channel_id,
                        message_id,
                    };
                    events::append(tx, clock.now_ms(), &event).await?;
                }
                Ok(())
            })
            .await
    }
}
