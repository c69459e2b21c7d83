//! The laws of `sql::guilds`.

use nexus_store::sql::{channels, guilds, invites, members};
use nexus_store::{Db, log};
use nexus_types::ids::{GuildId, RoleId, UserId};
use nexus_types::permissions::Permissions;

use crate::sql_scene::{GENERAL, GUILD, MEMBER, OTHER_GUILD, OWNER, PIER, STRANGER, build, guild};

async fn a_guild_is_what_was_inserted(db: Db) {
    build(&db).await;
    let (found, other, nobody) = job!(db, tx => guilds::load(tx, GUILD); guilds::load(tx, OTHER_GUILD); guilds::load(tx, GuildId(99)));
    let (found, count) = found.expect("it is there");
    assert_eq!((found.clone(), count), (guild(GUILD, "Harbour", OWNER), 2));
    assert_eq!(other.map(|(guild, count)| (guild.name, count)), Some(("Elsewhere".into(), 1)));
    assert_eq!(nobody, None);
    let (roles, bits) = job!(db, tx => guilds::roles(tx, GUILD); guilds::role_bits(tx, GUILD));
    assert_eq!(roles, found.roles, "lowest first");
    let mut expected: Vec<_> = roles.iter().map(|role| (role.id, role.permissions)).collect();
    expected.sort_unstable_by_key(|(id, _)| *id);
    let mut bits = bits;
    bits.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(bits, expected);
}

async fn a_scope_holds_owner_roles_and_channels(db: Db) {
    build(&db).await;
    let (scope, nobody) = job!(db, tx => guilds::scope(tx, GUILD); guilds::scope(tx, GuildId(99)));
    let scope = scope.expect("it is there");
    assert_eq!((scope.id, scope.owner), (GUILD, OWNER));
    assert_eq!(scope.roles[&RoleId(GUILD.0 + 1_000)], Permissions::KICK_MEMBERS);
    let mut channels: Vec<_> = scope.channels.keys().copied().collect();
    channels.sort_unstable();
    assert_eq!(channels, [GENERAL, PIER]);
    assert_eq!(nobody, None);
}

async fn a_name_and_an_owner_are_changed_alone(db: Db) {
    build(&db).await;
    job!(db, tx => guilds::rename(tx, GUILD, "Bay"); guilds::set_owner(tx, GUILD, MEMBER));
    let (found, other) = job!(db, tx => guilds::load(tx, GUILD); guilds::load(tx, OTHER_GUILD));
    let (found, _) = found.expect("it is there");
    assert_eq!((found.name.as_str(), found.owner_id), ("Bay", MEMBER));
    let (other, _) = other.expect("it is there");
    assert_eq!((other.name.as_str(), other.owner_id), ("Elsewhere", STRANGER));
}

async fn summaries_are_the_own_guilds_that_live(db: Db) {
    build(&db).await;
    assert!(job!(db, tx => members::insert(tx, OTHER_GUILD, OWNER, nexus_types::timestamps::Timestamp(400))));
    let list = job!(db, tx => guilds::summaries(tx, OWNER));
    let list: Vec<_> = list.iter().map(|(summary, _)| (summary.id, summary.owner)).collect();
    assert_eq!(list, [(GUILD, true), (OTHER_GUILD, false)]);
    assert!(job!(db, tx => guilds::mark_deleted(tx, GUILD, 5)));
    assert_eq!(job!(db, tx => guilds::summaries(tx, OWNER)).len(), 1);
    assert!(job!(db, tx => guilds::summaries(tx, UserId(99))).is_empty());
}

async fn a_snapshot_holds_all_members_or_the_viewer_alone(db: Db) {
    build(&db).await;
    let (all, few, none) = job!(db, tx =>
        guilds::snapshot(tx, GUILD, MEMBER, 2); guilds::snapshot(tx, GUILD, MEMBER, 1); guilds::snapshot(tx, GuildId(99), MEMBER, 2));
    let ids = |members: &[nexus_types::members::Member]| -> Vec<_> {
        members.iter().map(|member| member.user.as_ref().expect("a user").id).collect()
    };
    let (all, few) = (all.expect("it is there"), few.expect("it is there"));
    assert_eq!(
        (ids(&all.members), all.member_count, all.channels.len()),
        (vec![OWNER, MEMBER], 2, 2)
    );
    assert_eq!((ids(&few.members), few.member_count), (vec![MEMBER], 2));
    assert_eq!(none, None);
}

async fn a_deleted_guild_hides_at_once_and_goes_in_pieces(db: Db) {
    build(&db).await;
    let invite = invites::NewInvite {
        code: "code",
        guild: GUILD,
        channel: GENERAL,
        inviter: OWNER,
        max_uses: 0,
        created_at: nexus_types::timestamps::Timestamp(1),
        expires_ms: 0,
    };
    job!(db, tx => invites::insert(tx, invite));
    assert_eq!(
        job!(db, tx => guilds::mark_deleted(tx, GUILD, 50); guilds::mark_deleted(tx, GUILD, 60)),
        (true, false)
    );
    let gone = job!(db, tx =>
        guilds::load(tx, GUILD); guilds::scope(tx, GUILD); guilds::snapshot(tx, GUILD, OWNER, 10); members::roles(tx, GUILD, OWNER);
        channels::load(tx, GENERAL));
    assert_eq!(gone, (None, None, None, None, None));
    assert_eq!(
        job!(db, tx => guilds::sweep(tx, 50, 1)),
        0,
        "it was deleted at that moment, not before"
    );
    let mut pieces = 0;
    while job!(db, tx => guilds::sweep(tx, 51, 1)) > 0 {
        pieces += 1;
        assert!(pieces < 50, "it ends");
    }
    // Two channels, two members, three roles, an invite, and the guild.
    assert_eq!(pieces, 9);
    let (left, others) = job!(db, tx => members::of_user(tx, OWNER); members::of_user(tx, STRANGER));
    assert_eq!((left.len(), others.len()), (0, 1));
    let invite = job!(db, tx => invites::load(tx, "code"));
    assert!(invite.is_none_or(|invite| invite.revoked), "its code is never good again");
}

async fn a_swept_guild_leaves_word_for_sessions_that_are_away(db: Db) {
    build(&db).await;
    let entry = crate::support::entry(1, OTHER_GUILD.0, 0, "{}");
    job!(db, tx => tx.append(entry));
    job!(db, tx => guilds::mark_deleted(tx, GUILD, 50));
    while job!(db, tx => guilds::sweep(tx, 51, 1)) > 0 {}
    let (owners, members, strangers) = job!(db, tx =>
        log::trimmed_after(tx, 0, &[OWNER.0]); log::trimmed_after(tx, 0, &[MEMBER.0]); log::trimmed_after(tx, 0, &[STRANGER.0]));
    assert_eq!((owners, members, strangers), (true, true, false));
}

on_each!(
    a_guild_is_what_was_inserted,
    a_scope_holds_owner_roles_and_channels,
    a_name_and_an_owner_are_changed_alone,
    summaries_are_the_own_guilds_that_live,
    a_snapshot_holds_all_members_or_the_viewer_alone,
    a_deleted_guild_hides_at_once_and_goes_in_pieces,
    a_swept_guild_leaves_word_for_sessions_that_are_away,
);
