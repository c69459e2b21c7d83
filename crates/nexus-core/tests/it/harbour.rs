//! A guild with an owner, a member and somebody outside: where the tests of guilds, channels, members and messages begin.

use nexus_core::{App, Caller};
use nexus_types::channels::{Channel, CreateChannel};
use nexus_types::guilds::CreateGuild;
use nexus_types::ids::{ChannelId, GuildId, RoleId};
use nexus_types::invites::CreateInvite;
use nexus_types::messages::{CreateMessage, Message, Nonce};
use nexus_types::permissions::{Overwrite, OverwriteKind, Permissions};

use crate::support::World;

/// The scene.
pub(crate) struct Harbour {
    pub(crate) world: World,
    pub(crate) owner: Caller,
    pub(crate) member: Caller,
    pub(crate) outsider: Caller,
    pub(crate) guild: GuildId,
    pub(crate) channel: ChannelId,
    pub(crate) code: String,
}

impl std::ops::Deref for Harbour {
    type Target = App;
    fn deref(&self) -> &App {
        &self.world.app
    }
}

/// A message to be sent.
pub(crate) fn text(content: &str) -> CreateMessage {
    CreateMessage {
        content: Some(content.into()),
        nonce: None,
    }
}

/// A message with a nonce.
pub(crate) fn noted(content: &str, nonce: &str) -> CreateMessage {
    CreateMessage {
        nonce: Some(Nonce::parse(nonce).expect("a good nonce")),
        ..text(content)
    }
}

/// A channel to be made.
pub(crate) fn named(name: &str) -> CreateChannel {
    CreateChannel {
        name: name.into(),
        kind: None,
        topic: None,
        permission_overwrites: None,
    }
}

/// An exception for everybody.
pub(crate) fn everyone(guild: GuildId, allow: Permissions, deny: Permissions) -> Overwrite {
    Overwrite {
        id: guild.everyone(),
        kind: OverwriteKind::Role,
        allow,
        deny,
    }
}

/// An exception for one.
pub(crate) fn one(who: Caller, allow: Permissions, deny: Permissions) -> Overwrite {
    Overwrite {
        id: RoleId(who.user.0),
        kind: OverwriteKind::Member,
        allow,
        deny,
    }
}

impl Harbour {
    pub(crate) async fn build() -> Self {
        let world = World::open();
        let mut people = vec![];
        for name in ["owner", "member", "outsider"] {
            people.push(world.caller(&world.register(name).await).await);
        }
        let [owner, member, outsider] = people[..] else {
            panic!("three people")
        };
        world.pass(1_000);
        let made = world
            .guilds()
            .create(owner, CreateGuild { name: "Harbour".into() })
            .await
            .expect("it is made");
        let (guild, channel) = (made.guild.id, made.channels[0].id);
        let code = world
            .invites()
            .create(owner, channel, CreateInvite::default())
            .await
            .expect("it is made")
            .code;
        world.pass(1_000);
        world.invites().join(member, &code).await.expect("they join");
        world.pass(1_000);
        Self {
            world,
            owner,
            member,
            outsider,
            guild,
            channel,
            code,
        }
    }

    pub(crate) async fn say(&self, who: Caller, content: &str) -> Message {
        self.messages().send(who, self.channel, text(content)).await.expect("it is sent")
    }

    /// A channel that only the owner sees.
    pub(crate) async fn secret(&self) -> Channel {
        let hidden = vec![everyone(self.guild, Permissions::NONE, Permissions::VIEW_CHANNEL)];
        let draft = CreateChannel {
            permission_overwrites: Some(hidden),
            ..named("secret")
        };
        self.channels().create(self.owner, self.guild, draft).await.expect("it is made")
    }

    /// Entries in the log: what was refused leaves none.
    pub(crate) fn entries(&self) -> usize {
        self.world.log().len()
    }
}
