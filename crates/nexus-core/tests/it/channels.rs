//! Channels: making, changing, hiding, deleting, and the limits of who may.

use nexus_types::ErrorCode;
use nexus_types::channels::{CreateChannel, UpdateChannel};
use nexus_types::ids::RoleId;
use nexus_types::limits::CHANNELS_PER_GUILD_MAX;
use nexus_types::permissions::{Overwrite, OverwriteKind, Permissions};

use crate::harbour::{Harbour, everyone, named, one};
use crate::support::refused;

const NONE: Permissions = Permissions::NONE;

fn with(overwrites: Vec<Overwrite>) -> UpdateChannel {
    UpdateChannel {
        permission_overwrites: Some(overwrites),
        ..UpdateChannel::default()
    }
}

#[tokio::test]
async fn channels_are_listed_by_place_and_only_to_who_sees_them() {
    let harbour = Harbour::build().await;
    let secret = harbour.secret().await;
    let pier = harbour
        .channels()
        .create(harbour.owner, harbour.guild, named("pier"))
        .await
        .expect("it is made");
    assert_eq!((secret.position, pier.position), (1, 2));
    let names = async |who| {
        let list = harbour.channels().list(who, harbour.guild).await.expect("a list");
        list.into_iter().map(|channel| channel.name).collect::<Vec<_>>()
    };
    assert_eq!(names(harbour.owner).await, ["general", "secret", "pier"]);
    assert_eq!(names(harbour.member).await, ["general", "pier"]);
    let first = UpdateChannel {
        position: Some(0),
        ..UpdateChannel::default()
    };
    harbour.channels().update(harbour.owner, pier.id, first).await.expect("it is moved");
    assert_eq!(names(harbour.member).await, ["general", "pier"], "equal places go by id");
    refused(
        harbour.channels().list(harbour.outsider, harbour.guild).await,
        ErrorCode::UnknownGuild,
    );
    refused(harbour.channels().show(harbour.member, secret.id).await, ErrorCode::UnknownChannel);
}

#[tokio::test]
async fn only_who_may_changes_a_channel() {
    let harbour = Harbour::build().await;
    let secret = harbour.secret().await;
    let entries = harbour.entries();
    let channels = harbour.channels();
    refused(
        channels.create(harbour.member, harbour.guild, named("mine")).await,
        ErrorCode::MissingPermission,
    );
    refused(
        channels.create(harbour.outsider, harbour.guild, named("mine")).await,
        ErrorCode::UnknownGuild,
    );
    for (who, id, code) in [
        (harbour.member, harbour.channel, ErrorCode::MissingPermission),
        (harbour.member, secret.id, ErrorCode::UnknownChannel),
        (harbour.outsider, harbour.channel, ErrorCode::UnknownChannel),
    ] {
        let draft = UpdateChannel {
            name: Some("mine".into()),
            ..UpdateChannel::default()
        };
        refused(channels.update(who, id, draft).await, code);
        refused(channels.update(who, id, with(vec![])).await, code);
        refused(channels.delete(who, id).await, code);
    }
    for draft in [
        UpdateChannel {
            name: Some(String::new()),
            ..UpdateChannel::default()
        },
        UpdateChannel {
            topic: Some(Some("x".repeat(1_025))),
            ..UpdateChannel::default()
        },
        UpdateChannel {
            position: Some(-1),
            ..UpdateChannel::default()
        },
        with(vec![everyone(harbour.guild, NONE, NONE); 2]),
        with(vec![one(harbour.outsider, Permissions::VIEW_CHANNEL, NONE)]),
        with(vec![Overwrite {
            id: RoleId(77),
            kind: OverwriteKind::Role,
            allow: NONE,
            deny: NONE,
        }]),
    ] {
        refused(channels.update(harbour.owner, harbour.channel, draft).await, ErrorCode::InvalidBody);
    }
    refused(
        channels
            .create(
                harbour.owner,
                harbour.guild,
                CreateChannel {
                    kind: Some(2),
                    ..named("voice")
                },
            )
            .await,
        ErrorCode::InvalidBody,
    );
    channels
        .update(harbour.owner, harbour.channel, UpdateChannel::default())
        .await
        .expect("nothing to do");
    assert_eq!(harbour.entries(), entries, "nothing happened, and nobody was told anything");
}

#[tokio::test]
async fn nobody_gives_or_takes_a_bit_that_is_not_theirs() {
    let harbour = Harbour::build().await;
    // In this one channel the member manages the channel and its exceptions, and may not send.
    let mine = Permissions::MANAGE_CHANNELS | Permissions::MANAGE_ROLES;
    let deputy = one(harbour.member, mine, Permissions::SEND_MESSAGES);
    harbour
        .channels()
        .update(harbour.owner, harbour.channel, with(vec![deputy]))
        .await
        .expect("a deputy");
    let update = async |overwrites| harbour.channels().update(harbour.member, harbour.channel, with(overwrites)).await;
    let entries = harbour.entries();
    refused(
        update(vec![one(harbour.member, mine | Permissions::SEND_MESSAGES, NONE)]).await,
        ErrorCode::RoleHierarchy,
    );
    refused(update(vec![]).await, ErrorCode::RoleHierarchy);
    refused(
        update(vec![deputy, everyone(harbour.guild, Permissions::KICK_MEMBERS, NONE)]).await,
        ErrorCode::RoleHierarchy,
    );
    refused(
        update(vec![deputy, everyone(harbour.guild, NONE, Permissions::SEND_MESSAGES)]).await,
        ErrorCode::RoleHierarchy,
    );
    assert_eq!(harbour.entries(), entries);
    update(vec![deputy, everyone(harbour.guild, NONE, Permissions::VIEW_CHANNEL)])
        .await
        .expect("a bit of their own");
}

#[tokio::test]
async fn a_topic_is_cleared_by_null_and_left_alone_when_absent() {
    let harbour = Harbour::build().await;
    let update = async |topic| {
        let draft = UpdateChannel {
            topic,
            ..UpdateChannel::default()
        };
        harbour
            .channels()
            .update(harbour.owner, harbour.channel, draft)
            .await
            .expect("it is changed")
            .topic
    };
    assert_eq!(update(Some(Some(" About ships ".into()))).await.as_deref(), Some("About ships"));
    assert_eq!(update(None).await.as_deref(), Some("About ships"));
    assert_eq!(update(Some(None)).await, None);
}

#[tokio::test]
async fn a_deleted_channel_is_gone_for_all() {
    let harbour = Harbour::build().await;
    harbour.say(harbour.member, "Farewell").await;
    let deleted = harbour
        .channels()
        .delete(harbour.owner, harbour.channel)
        .await
        .expect("it is deleted");
    assert_eq!(deleted.id, harbour.channel);
    refused(
        harbour.channels().delete(harbour.owner, harbour.channel).await,
        ErrorCode::UnknownChannel,
    );
    refused(
        harbour
            .messages()
            .send(harbour.owner, harbour.channel, crate::harbour::text("hi"))
            .await,
        ErrorCode::UnknownChannel,
    );
    refused(
        harbour.invites().join(harbour.outsider, &harbour.code).await,
        ErrorCode::InviteInvalid,
    );
}

#[tokio::test]
async fn a_guild_has_so_many_channels_and_no_more() {
    let harbour = Harbour::build().await;
    for number in 1..CHANNELS_PER_GUILD_MAX {
        harbour
            .channels()
            .create(harbour.owner, harbour.guild, named(&number.to_string()))
            .await
            .expect("it is made");
    }
    refused(
        harbour.channels().create(harbour.owner, harbour.guild, named("more")).await,
        ErrorCode::TooManyChannels,
    );
    harbour
        .channels()
        .delete(harbour.owner, harbour.channel)
        .await
        .expect("it is deleted");
    harbour
        .channels()
        .create(harbour.owner, harbour.guild, named("in its place"))
        .await
        .expect("it is made");
}
