//! The laws of `sql::invites`.

use nexus_store::Db;
use nexus_store::sql::invites::{self, NewInvite};
use nexus_store::sql::{channels, guilds};
use nexus_types::timestamps::Timestamp;

use crate::sql_scene::{GENERAL, GUILD, MEMBER, OTHER_GUILD, PIER, build};

fn invite(code: &'static str, max_uses: i64, expires_ms: i64) -> NewInvite<'static> {
    NewInvite {
        code,
        guild: GUILD,
        channel: GENERAL,
        inviter: MEMBER,
        max_uses,
        created_at: Timestamp(1_000),
        expires_ms,
    }
}

async fn an_invite_says_where_it_leads(db: Db) {
    build(&db).await;
    job!(db, tx => invites::insert(tx, invite("one", 5, 61_000)); invites::insert(tx, invite("ever", 0, 0)));
    let (one, ever, none) = job!(db, tx => invites::load(tx, "one"); invites::load(tx, "ever"); invites::load(tx, "ONE"));
    let (one, ever) = (one.expect("it is there"), ever.expect("it is there"));
    assert_eq!(
        (one.invite.guild.id, one.invite.channel.id, one.invite.inviter.id),
        (GUILD, GENERAL, MEMBER)
    );
    assert_eq!(
        (one.invite.max_age, one.invite.expires_at, one.invite.max_uses),
        (60, Some(Timestamp(61_000)), 5)
    );
    assert_eq!((ever.invite.max_age, ever.invite.expires_at, ever.invite.max_uses), (0, None, 0));
    assert_eq!((one.member_count, one.revoked), (2, false));
    assert!(none.is_none());
}

async fn an_invite_is_good_until_its_end_its_uses_or_its_revocation(db: Db) {
    build(&db).await;
    let now = Timestamp(60_999);
    job!(db, tx => invites::insert(tx, invite("time", 0, 61_000)); invites::insert(tx, invite("uses", 2, 0));
        invites::insert(tx, invite("taken", 0, 0)));
    let good = async |code: &'static str, at| job!(db, tx => invites::load(tx, code)).expect("it is there").is_good(at);
    assert!(good("time", now).await && !good("time", Timestamp(61_000)).await);
    assert_eq!(
        job!(db, tx => invites::count_live(tx, GUILD, now); invites::count_live(tx, GUILD, Timestamp(61_000))),
        (3, 2)
    );
    job!(db, tx => invites::count_use(tx, "uses"));
    assert!(good("uses", now).await);
    job!(db, tx => invites::count_use(tx, "uses"));
    assert!(!good("uses", now).await);
    assert_eq!(
        job!(db, tx => invites::revoke(tx, "taken"); invites::revoke(tx, "taken"); invites::revoke(tx, "none")),
        (true, false, false)
    );
    assert!(!good("taken", now).await);
    assert_eq!(
        job!(db, tx => invites::count_live(tx, GUILD, now); invites::count_live(tx, OTHER_GUILD, now)),
        (1, 0)
    );
    let list = job!(db, tx => invites::of_guild(tx, GUILD));
    let codes: Vec<_> = list.iter().map(|found| found.invite.code.as_str()).collect();
    assert_eq!(codes, ["time", "uses"], "all that nobody took back");
}

async fn an_invite_ends_with_its_channel_and_its_guild(db: Db) {
    build(&db).await;
    let elsewhere = NewInvite {
        channel: PIER,
        ..invite("pier", 0, 0)
    };
    job!(db, tx => invites::insert(tx, invite("general", 0, 0)); invites::insert(tx, elsewhere));
    let revoked = async |code: &'static str| job!(db, tx => invites::load(tx, code)).expect("it is there").revoked;
    job!(db, tx => channels::mark_deleted(tx, GENERAL, 5));
    assert_eq!((revoked("general").await, revoked("pier").await), (true, false));
    job!(db, tx => guilds::mark_deleted(tx, GUILD, 5));
    assert!(revoked("pier").await);
}

on_each!(
    an_invite_says_where_it_leads,
    an_invite_is_good_until_its_end_its_uses_or_its_revocation,
    an_invite_ends_with_its_channel_and_its_guild,
);
