//! The laws of `sql::members`.

use nexus_store::Db;
use nexus_store::sql::{guilds, members};
use nexus_types::ids::UserId;
use nexus_types::members::Member;
use nexus_types::timestamps::Timestamp;

use crate::sql_scene::{GUILD, MEMBER, OTHER_GUILD, OWNER, STRANGER, build};

fn ids(members: &[Member]) -> Vec<UserId> {
    members.iter().map(|member| member.user.as_ref().expect("a user").id).collect()
}

async fn who_joins_and_leaves_is_counted_once(db: Db) {
    build(&db).await;
    let (first, again) = job!(db, tx =>
        members::insert(tx, GUILD, STRANGER, Timestamp(500)); members::insert(tx, GUILD, STRANGER, Timestamp(600)));
    assert_eq!((first, again), (true, false));
    let (member, guild) = job!(db, tx => members::load(tx, GUILD, STRANGER); guilds::load(tx, GUILD));
    assert_eq!(member.expect("it is there").joined_at, Timestamp(500));
    assert_eq!(guild.expect("it is there").1, 3);
    let (left, again) = job!(db, tx => members::delete(tx, GUILD, STRANGER); members::delete(tx, GUILD, STRANGER));
    assert_eq!((left, again), (true, false));
    let (member, guild) = job!(db, tx => members::load(tx, GUILD, STRANGER); guilds::load(tx, GUILD));
    assert_eq!((member, guild.expect("it is there").1), (None, 2));
    assert!(
        job!(db, tx => members::load(tx, OTHER_GUILD, STRANGER)).is_some(),
        "elsewhere nothing changed"
    );
}

async fn members_come_in_pages_by_id(db: Db) {
    build(&db).await;
    job!(db, tx => members::insert(tx, GUILD, STRANGER, Timestamp(500)));
    let (all, first, second, none) = job!(db, tx =>
        members::page(tx, GUILD, UserId(0), 10); members::page(tx, GUILD, UserId(0), 2); members::page(tx, GUILD, MEMBER, 2);
        members::page(tx, GUILD, STRANGER, 2));
    assert_eq!(ids(&all), [OWNER, MEMBER, STRANGER]);
    assert_eq!(
        (ids(&first), ids(&second), ids(&none)),
        (vec![OWNER, MEMBER], vec![STRANGER], vec![])
    );
}

async fn a_deleted_guild_has_no_members_but_is_remembered_by_them(db: Db) {
    build(&db).await;
    let (roles, count) = job!(db, tx => members::roles(tx, GUILD, MEMBER); members::guild_count(tx, MEMBER));
    assert_eq!((roles, count), (Some(vec![]), 1));
    assert_eq!(job!(db, tx => members::roles(tx, GUILD, STRANGER)), None);
    job!(db, tx => guilds::mark_deleted(tx, GUILD, 50));
    let (roles, count, own) = job!(db, tx =>
        members::roles(tx, GUILD, MEMBER); members::guild_count(tx, MEMBER); members::of_user(tx, MEMBER));
    assert_eq!((roles, count), (None, 0));
    assert_eq!(own, [(GUILD, vec![], true)]);
    assert_eq!(job!(db, tx => members::of_user(tx, STRANGER)), [(OTHER_GUILD, vec![], false)]);
}

on_each!(
    who_joins_and_leaves_is_counted_once,
    members_come_in_pages_by_id,
    a_deleted_guild_has_no_members_but_is_remembered_by_them,
);
