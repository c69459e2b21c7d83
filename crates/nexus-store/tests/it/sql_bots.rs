//! The laws of `sql::bots`, and that a bot is one wherever an account is loaded.

use nexus_store::Db;
use nexus_store::sql::{bots, guilds, invites, members, messages, users};
use nexus_types::ids::{GuildId, MessageId, UserId};
use nexus_types::messages::Anchor;
use nexus_types::timestamps::Timestamp;

use crate::sql_scene::{GENERAL, GUILD, MEMBER, OTHER_GUILD, PLACE, build, message};

const BOT: UserId = UserId(7);

/// A member of the guild that is a program.
async fn build_with_bot(db: &Db) {
    build(db).await;
    let made = job!(db, tx =>
        users::insert_bot(tx, BOT, "Relay", "relay", Timestamp(5));
        bots::insert(tx, BOT, Timestamp(5), 1);
        members::insert(tx, GUILD, BOT, Timestamp(6)));
    assert_eq!(made, (true, true, true));
}

async fn a_bot_is_one_wherever_it_is_loaded(db: Db) {
    build_with_bot(&db).await;
    let (own, current, by_name) = job!(db, tx => users::load(tx, BOT); users::current(tx, BOT); users::named(tx, "relay"));
    assert!(own.expect("it is there").bot);
    assert!(current.expect("it is there").user.bot);
    assert_eq!(
        by_name.map(|user| (user.id, user.username, user.bot)),
        Some((BOT, "Relay".into(), true))
    );
    let person = job!(db, tx => users::named(tx, "member")).expect("it is there");
    assert_eq!((person.id, person.bot), (MEMBER, false));

    let are_bots = |list: &[nexus_types::members::Member]| {
        list.iter()
            .map(|member| member.user.as_ref().is_some_and(|user| user.bot))
            .collect::<Vec<_>>()
    };
    let (one, all) = job!(db, tx => members::load(tx, GUILD, BOT); members::page(tx, GUILD, UserId(0), 10));
    let one = one.expect("it is there");
    assert!(one.user.expect("a user").bot);
    assert_eq!(one.joined_at, Timestamp(6));
    assert_eq!(are_bots(&all), [false, false, true]);
    let snapshot = job!(db, tx => guilds::snapshot(tx, GUILD, BOT, 10)).expect("it is there");
    assert_eq!(are_bots(&snapshot.members), [false, false, true]);

    let sending = job!(db, tx => messages::sending(tx, GENERAL, BOT)).expect("it is a member");
    assert!(sending.author.bot);
    assert_eq!((sending.author.id, sending.joined_at), (BOT, Timestamp(6)));
    let (by_person, mut by_bot) = (message(100, MEMBER, "from a person"), message(101, MEMBER, "from a bot"));
    by_bot.author = sending.author;
    let stored = by_bot.clone();
    job!(db, tx => messages::insert(tx, &by_person); messages::insert(tx, &by_bot));
    let (loaded, page) = job!(db, tx => messages::load(tx, PLACE, MessageId(101)); messages::history(tx, PLACE, Anchor::Latest, 10));
    assert_eq!(loaded, Some(stored));
    assert_eq!(page.iter().map(|message| message.author.bot).collect::<Vec<_>>(), [true, false]);

    let row = invites::NewInvite {
        code: "from-a-bot",
        guild: GUILD,
        channel: GENERAL,
        inviter: BOT,
        max_uses: 3,
        created_at: Timestamp(7_000),
        expires_ms: 9_000,
    };
    let ((), found) = job!(db, tx => invites::insert(tx, row); invites::load(tx, "from-a-bot"));
    let found = found.expect("it is there");
    assert!(found.invite.inviter.bot);
    assert_eq!(
        (found.invite.max_uses, found.invite.max_age, found.member_count, found.revoked),
        (3, 2, 3, false)
    );
}

async fn a_bot_has_no_password(db: Db) {
    build_with_bot(&db).await;
    let found = job!(db, tx => users::by_folded_name(tx, "relay"); users::password_hash(tx, BOT); users::by_folded_name(tx, "member"));
    assert_eq!(found, (None, None, Some((MEMBER, "hash".into()))));
    assert!(!job!(db, tx => users::insert_bot(tx, UserId(8), "MEMBER", "member", Timestamp(5))));
}

async fn bots_are_counted_and_have_one_token_each(db: Db) {
    build_with_bot(&db).await;
    let (one_more, is_bot, is_not) = job!(db, tx =>
        bots::insert(tx, UserId(8), Timestamp(5), 1); bots::exists(tx, BOT); bots::exists(tx, UserId(8)));
    assert_eq!((one_more, is_bot, is_not), (false, true, false));
    assert_eq!(
        job!(db, tx => bots::token_hash(tx, BOT); bots::token_hash(tx, MEMBER)),
        (None, None)
    );
    job!(db, tx => bots::set_token_hash(tx, BOT, &[1; 32]); bots::set_token_hash(tx, MEMBER, &[9; 32]));
    job!(db, tx => bots::set_token_hash(tx, BOT, &[2; 32]));
    assert_eq!(
        job!(db, tx => bots::token_hash(tx, BOT); bots::token_hash(tx, MEMBER)),
        (Some(vec![2; 32]), None)
    );
}

async fn where_a_bot_was_put_is_remembered_until_the_guild_is_swept_away(db: Db) {
    build_with_bot(&db).await;
    let has_joined = async |guild: GuildId| job!(db, tx => bots::has_joined(tx, guild, BOT));
    assert!(!has_joined(GUILD).await);
    job!(db, tx => bots::note_join(tx, GUILD, BOT); bots::note_join(tx, GUILD, BOT); bots::note_join(tx, OTHER_GUILD, BOT));
    assert!(job!(db, tx => members::delete(tx, GUILD, BOT)));
    assert!(has_joined(GUILD).await);
    job!(db, tx => guilds::mark_deleted(tx, GUILD, 50));
    while job!(db, tx => guilds::sweep(tx, 60, 2)) > 0 {}
    assert!(!has_joined(GUILD).await);
    assert!(has_joined(OTHER_GUILD).await);
}

on_each!(
    a_bot_is_one_wherever_it_is_loaded,
    a_bot_has_no_password,
    bots_are_counted_and_have_one_token_each,
    where_a_bot_was_put_is_remembered_until_the_guild_is_swept_away,
);
