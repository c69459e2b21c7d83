//! Guilds: making, showing, renaming, handing over, deleting, sweeping.

use nexus_core::sweeps;
use nexus_types::ErrorCode;
use nexus_types::guilds::{CreateGuild, UpdateGuild};
use nexus_types::ids::{GuildId, UserId};
use nexus_types::limits::{GUILD_NAME_CHARS_MAX, GUILDS_PER_USER_MAX, LOG_WINDOW_MS};
use nexus_types::permissions::Permissions;

use crate::harbour::Harbour;
use crate::support::{World, refused};

fn rename(name: &str) -> UpdateGuild {
    UpdateGuild {
        name: Some(name.into()),
        owner_id: None,
    }
}

fn hand_over(to: UserId) -> UpdateGuild {
    UpdateGuild {
        name: None,
        owner_id: Some(to),
    }
}

#[tokio::test]
async fn a_new_guild_has_its_owner_one_role_and_one_channel() {
    let harbour = Harbour::build().await;
    let guild = harbour.guilds().show(harbour.owner, harbour.guild).await.expect("it is shown");
    assert_eq!(
        (guild.owner_id, guild.roles.len(), guild.roles[0].id.0),
        (harbour.owner.user, 1, guild.id.0)
    );
    let channels = harbour
        .channels()
        .list(harbour.owner, harbour.guild)
        .await
        .expect("they are listed");
    assert_eq!(
        channels.iter().map(|channel| channel.name.as_str()).collect::<Vec<_>>(),
        ["general"]
    );
    let lists = [harbour.owner, harbour.member, harbour.outsider].map(async |who| harbour.guilds().list(who).await.expect("a list"));
    let [owners, members, outsiders] = lists;
    let (owners, members) = (owners.await, members.await);
    assert!(owners[0].owner && owners[0].permissions.contains(Permissions::MANAGE_GUILD));
    assert!(!members[0].owner && !members[0].permissions.contains(Permissions::MANAGE_GUILD));
    assert!(outsiders.await.is_empty());
}

#[tokio::test]
async fn only_who_may_changes_a_guild() {
    let harbour = Harbour::build().await;
    let guilds = harbour.guilds();
    let entries = harbour.entries();
    let stranger = harbour.outsider;
    refused(guilds.show(stranger, harbour.guild).await, ErrorCode::UnknownGuild);
    refused(
        guilds.update(stranger, harbour.guild, rename("Mine")).await,
        ErrorCode::UnknownGuild,
    );
    refused(guilds.delete(stranger, harbour.guild).await, ErrorCode::UnknownGuild);
    refused(
        guilds.update(harbour.member, harbour.guild, rename("Mine")).await,
        ErrorCode::MissingPermission,
    );
    refused(
        guilds.update(harbour.member, harbour.guild, hand_over(harbour.member.user)).await,
        ErrorCode::MissingPermission,
    );
    refused(guilds.delete(harbour.member, harbour.guild).await, ErrorCode::MissingPermission);
    refused(
        guilds.update(harbour.owner, harbour.guild, hand_over(stranger.user)).await,
        ErrorCode::UnknownMember,
    );
    refused(
        guilds.update(harbour.owner, GuildId(7), rename("Nowhere")).await,
        ErrorCode::UnknownGuild,
    );
    for name in ["", "   ", &"x".repeat(GUILD_NAME_CHARS_MAX + 1)] {
        refused(
            guilds.update(harbour.owner, harbour.guild, rename(name)).await,
            ErrorCode::InvalidBody,
        );
        refused(
            guilds.create(harbour.owner, CreateGuild { name: name.into() }).await,
            ErrorCode::InvalidBody,
        );
    }
    // A change that is refused in one part is refused in all.
    let both = UpdateGuild {
        owner_id: Some(stranger.user),
        ..rename("Half")
    };
    refused(guilds.update(harbour.owner, harbour.guild, both).await, ErrorCode::UnknownMember);
    assert_eq!(
        guilds.show(harbour.owner, harbour.guild).await.expect("it is shown").name,
        "Harbour"
    );
    guilds
        .update(harbour.owner, harbour.guild, rename("Harbour"))
        .await
        .expect("nothing to do");
    assert_eq!(harbour.entries(), entries, "nothing happened, and nobody was told anything");
}

#[tokio::test]
async fn a_guild_that_was_handed_over_obeys_its_new_owner() {
    let harbour = Harbour::build().await;
    let guilds = harbour.guilds();
    guilds
        .update(harbour.owner, harbour.guild, hand_over(harbour.member.user))
        .await
        .expect("it changes hands");
    refused(
        guilds.update(harbour.owner, harbour.guild, rename("Back")).await,
        ErrorCode::MissingPermission,
    );
    refused(
        harbour.members().leave(harbour.member, harbour.guild).await,
        ErrorCode::OwnerRequired,
    );
    harbour
        .members()
        .leave(harbour.owner, harbour.guild)
        .await
        .expect("who is no owner may leave");
    guilds.delete(harbour.member, harbour.guild).await.expect("it is deleted");
}

#[tokio::test]
async fn a_deleted_guild_is_gone_at_once_and_swept_later() {
    let harbour = Harbour::build().await;
    let message = harbour.say(harbour.member, "Farewell").await;
    harbour.guilds().delete(harbour.owner, harbour.guild).await.expect("it is deleted");
    let gone = async || {
        refused(harbour.guilds().show(harbour.owner, harbour.guild).await, ErrorCode::UnknownGuild);
        refused(
            harbour.channels().show(harbour.owner, harbour.channel).await,
            ErrorCode::UnknownChannel,
        );
        refused(
            harbour.messages().show(harbour.member, harbour.channel, message.id).await,
            ErrorCode::UnknownChannel,
        );
        refused(harbour.guilds().delete(harbour.owner, harbour.guild).await, ErrorCode::UnknownGuild);
        refused(harbour.invites().show(&harbour.code).await, ErrorCode::InviteInvalid);
        refused(
            harbour.invites().join(harbour.outsider, &harbour.code).await,
            ErrorCode::InviteInvalid,
        );
        assert!(harbour.guilds().list(harbour.owner).await.expect("a list").is_empty());
    };
    gone().await;
    let rows = async |table: &'static str| {
        let sql = match table {
            "guilds" => "SELECT COUNT(*) FROM guilds",
            "channels" => "SELECT COUNT(*) FROM channels",
            "members" => "SELECT COUNT(*) FROM members",
            "messages" => "SELECT COUNT(*) FROM messages",
            other => panic!("{other}"),
        };
        let read = harbour.world.app.db.read(async move |tx: &mut nexus_store::Tx<'_>| {
            Ok::<_, nexus_store::StoreError>(tx.query_opt(sql, &[], |row| row.get::<i64>(0)).await?.unwrap_or(-1))
        });
        read.await.expect("it is counted")
    };
    sweeps::sweep(&harbour.world.app).await.expect("the sweep");
    assert_eq!(rows("messages").await, 1, "sessions that are away may still want to know");
    harbour.world.pass(LOG_WINDOW_MS + 1);
    sweeps::sweep(&harbour.world.app).await.expect("the sweep");
    for table in ["guilds", "channels", "members", "messages"] {
        assert_eq!(rows(table).await, 0, "{table}");
    }
    harbour.world.pass(1);
    refused(harbour.guilds().show(harbour.owner, harbour.guild).await, ErrorCode::UnknownGuild);
}

#[tokio::test]
async fn a_user_has_so_many_guilds_and_no_more() {
    let world = World::open();
    let who = world.caller(&world.register("collector").await).await;
    for number in 0..GUILDS_PER_USER_MAX {
        world
            .guilds()
            .create(who, CreateGuild { name: number.to_string() })
            .await
            .expect("it is made");
    }
    refused(
        world.guilds().create(who, CreateGuild { name: "One more".into() }).await,
        ErrorCode::TooManyGuilds,
    );
    let list = world.guilds().list(who).await.expect("a list");
    world.guilds().delete(who, list[0].id).await.expect("it is deleted");
    world
        .guilds()
        .create(
            who,
            CreateGuild {
                name: "In its place".into(),
            },
        )
        .await
        .expect("it is made");
}
