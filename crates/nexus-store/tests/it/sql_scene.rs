//! A guild of two members with two channels, in rows: where the laws of the nouns begin.

use nexus_store::sql::users::NewUser;
use nexus_store::sql::{channels, guilds, members, users};
use nexus_store::{Db, StoreError, Tx};
use nexus_types::channels::Channel;
use nexus_types::guilds::{Constants, Guild};
use nexus_types::ids::{ChannelId, GuildId, MessageId, RoleId, UserId};
use nexus_types::messages::{Message, Place};
use nexus_types::permissions::Permissions;
use nexus_types::roles::Role;
use nexus_types::timestamps::Timestamp;
use nexus_types::users::User;

pub(crate) const OWNER: UserId = UserId(1);
pub(crate) const MEMBER: UserId = UserId(2);
pub(crate) const STRANGER: UserId = UserId(3);
pub(crate) const GUILD: GuildId = GuildId(10);
pub(crate) const OTHER_GUILD: GuildId = GuildId(11);
pub(crate) const GENERAL: ChannelId = ChannelId(20);
pub(crate) const PIER: ChannelId = ChannelId(21);
pub(crate) const PLACE: Place = Place {
    guild_id: GUILD,
    channel_id: GENERAL,
};

/// Runs statements in a job of their own, and answers with what they answered.
macro_rules! job {
    ($db:expr, $tx:ident => $($statement:expr);+) => {
        $db.write(async move |$tx: &mut nexus_store::Tx<'_>| Ok::<_, nexus_store::StoreError>(($($statement.await?),+)))
            .await
            .expect("the job is kept")
    };
}

pub(crate) fn guild(id: GuildId, name: &str, owner_id: UserId) -> Guild {
    let everyone = Role::new(id.everyone(), "@everyone".into(), 0, Permissions::EVERYONE_DEFAULT);
    let high = Role::new(RoleId(id.0 + 1_000), "high".into(), 2, Permissions::KICK_MEMBERS);
    let low = Role::new(RoleId(id.0 + 2_000), "low".into(), 1, Permissions::NONE);
    Guild {
        id,
        name: name.into(),
        owner_id,
        roles: vec![everyone, low, high],
        constants: Constants::default(),
    }
}

pub(crate) fn message(id: i64, author: UserId, content: &str) -> Message {
    let name = ["", "owner", "member", "stranger"][author.0 as usize];
    Message::new(
        MessageId(id),
        PLACE,
        User::new(author, name.into()),
        content.into(),
        Timestamp(id * 10),
    )
}

/// Fills the tables.
pub(crate) async fn build(db: &Db) {
    db.write(async |tx: &mut Tx<'_>| {
        for (id, username) in [(OWNER, "owner"), (MEMBER, "member"), (STRANGER, "stranger")] {
            let user = NewUser {
                id,
                username,
                folded: username,
                password_hash: "hash",
                admin: false,
                created_at: Timestamp(1),
            };
            assert!(users::insert(tx, user).await?);
        }
        guilds::insert(tx, &guild(GUILD, "Harbour", OWNER)).await?;
        guilds::insert(tx, &guild(OTHER_GUILD, "Elsewhere", STRANGER)).await?;
        for (id, user, at) in [(GUILD, OWNER, 100), (GUILD, MEMBER, 200), (OTHER_GUILD, STRANGER, 300)] {
            assert!(members::insert(tx, id, user, Timestamp(at)).await?);
        }
        channels::insert(tx, &Channel::text(GENERAL, GUILD, "general".into(), 0)).await?;
        channels::insert(tx, &Channel::text(PIER, GUILD, "pier".into(), 1)).await?;
        Ok::<_, StoreError>(())
    })
    .await
    .expect("the scene is set");
}
