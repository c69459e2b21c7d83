//! Sending a message: the hot path. One job loads what it rests on, decides, claims the nonce, writes and appends.

use std::collections::HashMap;

use nexus_store::{Tx, sql};
use nexus_types::events::{Event, MessageCreate};
use nexus_types::ids::{ChannelId, MessageId, UserId};
use nexus_types::members::Member;
use nexus_types::messages::{Body, CreateMessage, Message, Nonce, Place};
use nexus_types::permissions::Permissions;
use nexus_types::scopes::{GuildScope, Viewer};
use nexus_types::{ErrorCode, FieldErrors};

use super::Messages;
use crate::clock::Clock;
use crate::errors::{Error, Result};
use crate::{Caller, events};

impl Messages<'_> {
    /// Sends a message, and answers when it is durable.
    ///
    /// The same nonce with the same text answers with the first message and sends nothing.
    ///
    /// # Errors
    /// A bad text, [`ErrorCode::UnknownChannel`], [`ErrorCode::MissingPermission`], [`ErrorCode::NonceConflict`].
    pub async fn send(&self, caller: Caller, channel: ChannelId, draft: CreateMessage) -> Result<Message> {
        let Some(content) = draft.content else {
            return Err(FieldErrors::one("content", "BASE_TYPE_REQUIRED", "This field is required").into());
        };
        let body = Body::parse(&content)?;
        let draft = Draft {
            channel,
            body,
            nonce: draft.nonce,
        };
        let clock = self.0.clock.clone();
        self.0.db.write(async move |tx| send_in(tx, &clock, caller.user, draft).await).await
    }
}

/// A message as its author wants it.
pub(crate) struct Draft {
    pub(crate) channel: ChannelId,
    pub(crate) body: Body,
    pub(crate) nonce: Option<Nonce>,
}

/// Inside a job: sends a message. What is refused has changed nothing; the ids of a job's messages grow in the order of commit.
///
/// # Errors
/// [`ErrorCode::UnknownChannel`], [`ErrorCode::MissingPermission`], [`ErrorCode::NonceConflict`].
pub(crate) async fn send_in(tx: &mut Tx<'_>, clock: &Clock, author: UserId, draft: Draft) -> Result<Message> {
    let Draft { channel, body, nonce } = draft;
    let found = sql::messages::sending(tx, channel, author).await?;
    let found = found.ok_or(Error::refused(ErrorCode::UnknownChannel))?;
    let roles: HashMap<_, _> = sql::guilds::role_bits(tx, found.guild).await?.into_iter().collect();
    let scope = GuildScope {
        id: found.guild,
        owner: found.owner,
        roles,
        channels: HashMap::new(),
    };
    let granted = scope.under(
        Viewer {
            user: author,
            roles: &found.roles,
        },
        &found.overwrites,
    );
    if !granted.contains(Permissions::VIEW_CHANNEL) {
        return Err(ErrorCode::UnknownChannel.into());
    }
    if !granted.contains(Permissions::SEND_MESSAGES) {
        return Err(ErrorCode::MissingPermission.into());
    }
    let place = Place {
        guild_id: found.guild,
        channel_id: channel,
    };
    // Drawn inside the job, so that ids grow in the order of commit.
    let id = MessageId(clock.next_id());
    if let Some(nonce) = &nonce
        && let Some(first) = sql::messages::claim_nonce(tx, channel, author, nonce.as_str(), id).await?
    {
        return match sql::messages::load(tx, place, first).await? {
            Some(message) if message.content == body.as_str() => Ok(Message {
                nonce: Some(nonce.clone()),
                ..message
            }),
            _ => Err(ErrorCode::NonceConflict.into()),
        };
    }
    let now = clock.now();
    let mut message = Message::new(id, place, found.author, body.into_string(), now);
    message.nonce = nonce;
    sql::messages::insert(tx, &message).await?;
    sql::read_states::advance(tx, author, channel, id).await?;
    let member = Member::new(None, found.roles, found.joined_at);
    events::append(tx, now.0, &Event::MessageCreate(MessageCreate::new(&message, &member))).await?;
    Ok(message)
}
