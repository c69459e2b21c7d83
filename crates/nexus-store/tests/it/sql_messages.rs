//! The laws of `sql::messages`.

use nexus_store::Db;
use nexus_store::sql::{channels, guilds, members, messages};
use nexus_types::ids::{ChannelId, MessageId};
use nexus_types::messages::{Anchor, Place};
use nexus_types::timestamps::Timestamp;

use crate::sql_scene::{GENERAL, GUILD, MEMBER, OWNER, PIER, PLACE, STRANGER, build, message};

async fn a_message_is_what_was_inserted(db: Db) {
    build(&db).await;
    let sent = message(500, MEMBER, "Ships 🚢 'and' \"quotes\"");
    let inserted = sent.clone();
    job!(db, tx => messages::insert(tx, &inserted));
    let elsewhere = Place { channel_id: PIER, ..PLACE };
    let (found, other, none) = job!(db, tx =>
        messages::load(tx, PLACE, MessageId(500)); messages::load(tx, elsewhere, MessageId(500)); messages::load(tx, PLACE, MessageId(501)));
    assert_eq!((found, other, none), (Some(sent), None, None));
}

async fn sending_rests_on_channel_guild_and_member(db: Db) {
    build(&db).await;
    let (found, stranger, nowhere) = job!(db, tx =>
        messages::sending(tx, GENERAL, MEMBER); messages::sending(tx, GENERAL, STRANGER); messages::sending(tx, ChannelId(99), MEMBER));
    let found = found.expect("a member may ask");
    assert_eq!((found.guild, found.owner, found.author.username.as_str()), (GUILD, OWNER, "member"));
    assert_eq!((found.overwrites.len(), found.roles.len(), found.joined_at), (0, 0, Timestamp(200)));
    assert!(stranger.is_none() && nowhere.is_none());
    job!(db, tx => channels::mark_deleted(tx, GENERAL, 50));
    let (deleted, beside) = job!(db, tx => messages::sending(tx, GENERAL, MEMBER); messages::sending(tx, PIER, MEMBER));
    assert!(deleted.is_none() && beside.is_some());
    job!(db, tx => members::delete(tx, GUILD, MEMBER));
    assert!(job!(db, tx => messages::sending(tx, PIER, MEMBER)).is_none());
    job!(db, tx => guilds::mark_deleted(tx, GUILD, 50));
    assert!(job!(db, tx => messages::sending(tx, PIER, OWNER)).is_none());
}

async fn a_nonce_is_claimed_once_per_author_and_channel(db: Db) {
    build(&db).await;
    let claim =
        async |channel, author, nonce: &'static str, id| job!(db, tx => messages::claim_nonce(tx, channel, author, nonce, MessageId(id)));
    assert_eq!(claim(GENERAL, OWNER, "n", 1).await, None);
    assert_eq!(claim(GENERAL, OWNER, "n", 2).await, Some(MessageId(1)));
    assert_eq!(claim(GENERAL, OWNER, "N", 3).await, None, "letters are told apart");
    assert_eq!(claim(GENERAL, MEMBER, "n", 4).await, None);
    assert_eq!(claim(PIER, OWNER, "n", 5).await, None);
    let swept = job!(db, tx =>
        messages::sweep_nonces(tx, MessageId(4), 1); messages::sweep_nonces(tx, MessageId(4), 9); messages::sweep_nonces(tx, MessageId(4), 9));
    assert_eq!(swept, (1, 1, 0));
    assert_eq!(claim(GENERAL, OWNER, "n", 6).await, None, "forgotten");
    assert_eq!(claim(GENERAL, MEMBER, "n", 7).await, Some(MessageId(4)), "not yet");
}

async fn history_is_newest_first(db: Db) {
    build(&db).await;
    for id in 501..=505 {
        let message = message(id, OWNER, "hi");
        job!(db, tx => messages::insert(tx, &message));
    }
    let page = async |anchor, limit| -> Vec<i64> {
        let page = job!(db, tx => messages::history(tx, PLACE, anchor, limit));
        page.into_iter().map(|message| message.id.0).collect()
    };
    for (anchor, limit, expected) in [
        (Anchor::Latest, 2, &[505, 504][..]),
        (Anchor::Before(MessageId(503)), 9, &[502, 501]),
        (Anchor::After(MessageId(502)), 2, &[504, 503]),
        (Anchor::Around(MessageId(503)), 3, &[504, 503, 502]),
        (Anchor::Around(MessageId(503)), 2, &[504, 503]),
        (Anchor::Around(MessageId(i64::MAX)), 4, &[505, 504]),
        (Anchor::Before(MessageId(501)), 9, &[]),
    ] {
        assert_eq!(page(anchor, limit).await, expected, "{anchor:?} {limit}");
    }
}

on_each!(
    a_message_is_what_was_inserted,
    sending_rests_on_channel_guild_and_member,
    a_nonce_is_claimed_once_per_author_and_channel,
    history_is_newest_first,
);
