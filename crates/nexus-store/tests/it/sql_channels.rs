//! The laws of `sql::channels`.

use nexus_store::Db;
use nexus_store::sql::{channels, highest_id, invites, messages, read_states};
use nexus_types::channels::Channel;
use nexus_types::ids::{ChannelId, MessageId, RoleId};
use nexus_types::permissions::{Overwrite, OverwriteKind, Permissions};
use nexus_types::timestamps::Timestamp;

use crate::sql_scene::{GENERAL, GUILD, MEMBER, OTHER_GUILD, OWNER, PIER, PLACE, build, message};

fn hidden() -> Vec<Overwrite> {
    vec![Overwrite {
        id: RoleId(GUILD.0),
        kind: OverwriteKind::Role,
        allow: Permissions::NONE,
        deny: Permissions::VIEW_CHANNEL,
    }]
}

async fn a_channel_is_what_was_written(db: Db) {
    build(&db).await;
    let mut channel = Channel::text(ChannelId(22), GUILD, "secret".into(), 7);
    channel.topic = Some("Whispers".into());
    channel.permission_overwrites = hidden();
    let written = channel.clone();
    job!(db, tx => channels::insert(tx, &written));
    assert_eq!(job!(db, tx => channels::load(tx, ChannelId(22))), Some(channel.clone()));
    channel.name = "open".into();
    channel.topic = None;
    channel.position = 0;
    channel.permission_overwrites = vec![];
    let written = channel.clone();
    job!(db, tx => channels::update(tx, &written));
    let (found, other, none) =
        job!(db, tx => channels::load(tx, ChannelId(22)); channels::load(tx, PIER); channels::load(tx, ChannelId(99)));
    assert_eq!((found, none), (Some(channel), None));
    assert_eq!(other.expect("it is there").name, "pier");
}

async fn channels_are_listed_by_place_then_id(db: Db) {
    build(&db).await;
    for (id, position) in [(30, 1), (31, 0)] {
        let channel = Channel::text(ChannelId(id), GUILD, id.to_string(), position);
        job!(db, tx => channels::insert(tx, &channel));
    }
    let (list, count, other) = job!(db, tx => channels::of_guild(tx, GUILD); channels::count(tx, GUILD); channels::count(tx, OTHER_GUILD));
    assert_eq!(
        list.iter().map(|channel| channel.id.0).collect::<Vec<_>>(),
        [GENERAL.0, 31, PIER.0, 30]
    );
    assert_eq!((count, other), ((4, 2), (0, 0)));
}

async fn exceptions_are_read_alone(db: Db) {
    build(&db).await;
    let mut channel = job!(db, tx => channels::load(tx, PIER)).expect("it is there");
    channel.permission_overwrites = hidden();
    job!(db, tx => channels::update(tx, &channel));
    let mut list = job!(db, tx => channels::overwrites(tx, GUILD));
    list.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(list, [(GENERAL, vec![]), (PIER, hidden())]);
}

async fn a_channel_knows_its_newest_message(db: Db) {
    build(&db).await;
    let message = message(500, OWNER, "hi");
    job!(db, tx => messages::insert(tx, &message));
    let (general, pier, highest) = job!(db, tx => channels::load(tx, GENERAL); channels::load(tx, PIER); highest_id(tx));
    assert_eq!(general.expect("it is there").last_message_id, Some(MessageId(500)));
    assert_eq!(pier.expect("it is there").last_message_id, None);
    assert_eq!(highest, 500);
}

async fn a_deleted_channel_hides_at_once_and_goes_in_pieces(db: Db) {
    build(&db).await;
    for number in 0..3 {
        let message = message(500 + number, OWNER, "hi");
        job!(db, tx => messages::insert(tx, &message);
            messages::claim_nonce(tx, GENERAL, OWNER, ["a", "b", "c"][number as usize], MessageId(500 + number)));
    }
    job!(db, tx => read_states::advance(tx, MEMBER, GENERAL, MessageId(501)));
    let invite = invites::NewInvite {
        code: "pier",
        guild: GUILD,
        channel: GENERAL,
        inviter: OWNER,
        max_uses: 0,
        created_at: Timestamp(40),
        expires_ms: 0,
    };
    job!(db, tx => invites::insert(tx, invite));
    let marked = job!(db, tx => channels::mark_deleted(tx, GENERAL, 50); channels::mark_deleted(tx, GENERAL, 60));
    assert_eq!(marked, (true, false));
    let (gone, list, count, scope) = job!(db, tx =>
        channels::load(tx, GENERAL); channels::of_guild(tx, GUILD); channels::count(tx, GUILD); channels::overwrites(tx, GUILD));
    assert_eq!((gone, list.len(), count, scope.len()), (None, 1, (1, 2), 1));
    assert!(job!(db, tx => read_states::of_user(tx, MEMBER)).is_empty());
    assert_eq!(
        job!(db, tx => channels::sweep(tx, 50, 1)),
        0,
        "it was deleted at that moment, not before"
    );
    let mut rows = 0;
    loop {
        let swept = job!(db, tx => channels::sweep(tx, 51, 2));
        assert!(swept <= 2);
        rows += swept;
        if swept == 0 {
            break;
        }
    }
    // Three messages, one read state, three nonces, an invite taken back, and the channel.
    assert_eq!(rows, 9);
    assert_eq!(
        job!(db, tx => invites::count_live(tx, GUILD, Timestamp(60))),
        0,
        "it does not count for ever"
    );
    assert_eq!(job!(db, tx => messages::load(tx, PLACE, MessageId(500))), None);
    assert_eq!(job!(db, tx => channels::of_guild(tx, GUILD)).len(), 1);
}

on_each!(
    a_channel_is_what_was_written,
    channels_are_listed_by_place_then_id,
    exceptions_are_read_alone,
    a_channel_knows_its_newest_message,
    a_deleted_channel_hides_at_once_and_goes_in_pieces,
);
