//! A world with a cast: the place where every scenario of the law begins.

use std::collections::HashMap;

use nexus_core::Caller;
use nexus_types::channels::{Channel, CreateChannel, UpdateChannel};
use nexus_types::guilds::CreateGuild;
use nexus_types::ids::{ChannelId, GuildId, MessageId, RoleId};
use nexus_types::invites::CreateInvite;
use nexus_types::messages::CreateMessage;
use nexus_types::permissions::{Overwrite, OverwriteKind, Permissions};

use crate::worlds::{Person, World};

/// Everybody on the stage: an owner, a member who sees what is open, a member who also sees the secret channel, somebody who may
/// join, and somebody who has nothing to do with the guild.
pub const CAST: [&str; 5] = ["owner", "member", "confidant", "joiner", "stranger"];

/// The stage: one guild `Harbour` with an open and a secret channel, some messages in both, and a guild of the stranger.
pub struct Stage {
    /// The application with its clock.
    pub world: World,
    /// The cast, by role.
    pub people: HashMap<&'static str, Person>,
    /// The guild.
    pub guild: GuildId,
    /// The channel that every member sees.
    pub open: ChannelId,
    /// The channel that only the owner and the confidant see.
    pub secret: ChannelId,
    /// A message of the member in the open channel that the owner has not read, and one after it.
    pub messages: [MessageId; 2],
    /// An invite to the guild.
    pub code: String,
}

/// Hides a channel from everybody but these.
pub fn only_for(guild: GuildId, people: &[&Person]) -> Vec<Overwrite> {
    let everyone = Overwrite {
        id: guild.everyone(),
        kind: OverwriteKind::Role,
        allow: Permissions::NONE,
        deny: Permissions::VIEW_CHANNEL,
    };
    let one = |person: &&Person| Overwrite {
        id: RoleId(person.caller.user.0),
        kind: OverwriteKind::Member,
        allow: Permissions::VIEW_CHANNEL,
        deny: Permissions::NONE,
    };
    std::iter::once(everyone).chain(people.iter().map(one)).collect()
}

impl Stage {
    /// Builds it in a world.
    pub async fn build(world: World) -> Self {
        let people = world.people(&CAST).await;
        let app = &world.app;
        let (owner, member, confidant) = (people["owner"].caller, people["member"].caller, people["confidant"].caller);
        world.pass(1_000);
        let made = app
            .guilds()
            .create(owner, CreateGuild { name: "Harbour".into() })
            .await
            .expect("the guild is made");
        let (guild, open) = (made.guild.id, made.channels[0].id);
        let hidden = only_for(guild, &[&people["confidant"]]);
        let code = app
            .invites()
            .create(owner, open, CreateInvite::default())
            .await
            .expect("the invite is made")
            .code;
        for who in [member, confidant] {
            world.pass(1_000);
            app.invites().join(who, &code).await.expect("they join");
        }
        let draft = CreateChannel {
            name: "secret".into(),
            kind: None,
            topic: None,
            permission_overwrites: Some(hidden),
        };
        let secret = app.channels().create(owner, guild, draft).await.expect("the channel is made").id;
        app.guilds()
            .create(people["stranger"].caller, CreateGuild { name: "Elsewhere".into() })
            .await
            .expect("the guild is made");
        let mut stage = Self {
            world,
            people,
            guild,
            open,
            secret,
            messages: [MessageId(0); 2],
            code,
        };
        stage.say("owner", open, "Welcome").await;
        stage.say("confidant", secret, "Between us").await;
        stage.messages = [
            stage.say("member", open, "Hello").await,
            stage.say("member", open, "Anybody here?").await,
        ];
        stage.pass();
        stage
    }

    /// A second passes.
    pub fn pass(&self) {
        self.world.pass(1_000);
    }

    /// Somebody of the cast, as use cases know them.
    pub fn caller(&self, who: &str) -> Caller {
        self.people[who].caller
    }

    /// Somebody sends a message.
    pub async fn say(&self, who: &str, channel: ChannelId, content: &str) -> MessageId {
        self.pass();
        let draft = CreateMessage {
            content: Some(content.into()),
            nonce: None,
        };
        self.world
            .app
            .messages()
            .send(self.caller(who), channel, draft)
            .await
            .expect("the message is sent")
            .id
    }

    /// The owner changes a channel.
    pub async fn change(&self, channel: ChannelId, draft: UpdateChannel) -> Channel {
        self.pass();
        self.world
            .app
            .channels()
            .update(self.caller("owner"), channel, draft)
            .await
            .expect("the channel is changed")
    }

    /// The owner replaces a channel's exceptions.
    pub async fn overwrite(&self, channel: ChannelId, overwrites: Vec<Overwrite>) -> Channel {
        self.change(
            channel,
            UpdateChannel {
                permission_overwrites: Some(overwrites),
                ..UpdateChannel::default()
            },
        )
        .await
    }
}
