//! The laws of `sql::logins`.

use nexus_store::sql::logins::{self, ENDED_LOGIN_MS, NewLogin};
use nexus_store::{Db, StoreError, Tx};
use nexus_types::ids::{LoginId, UserId};
use nexus_types::limits::REFRESH_TOKEN_MS;
use nexus_types::timestamps::Timestamp;

/// Runs statements in a job of their own.
macro_rules! write {
    ($db:expr, $tx:ident => $($statement:expr);+) => {
        $db.write(async move |$tx: &mut Tx<'_>| Ok::<_, StoreError>(($($statement.await?),+))).await.expect("the job is kept")
    };
}

/// A login whose family is 100 + its id and whose first token is its id.
async fn insert(db: &Db, id: u8, user: i64, at_ms: i64) {
    let (family_hash, token_hash) = ([100 + id; 32], [id; 32]);
    db.write(async move |tx: &mut Tx<'_>| {
        let login = NewLogin {
            id: LoginId(i64::from(id)),
            user: UserId(user),
            client: "Firefox on Linux",
            family_hash: &family_hash,
            token_hash: &token_hash,
            created_at: Timestamp(at_ms),
        };
        logins::insert(tx, login).await
    })
    .await
    .expect("it is inserted");
}

async fn live(db: &Db, user: i64, used_after: i64) -> Vec<i64> {
    write!(db, tx => logins::live(tx, UserId(user), Timestamp(used_after)))
        .iter()
        .map(|login| login.id.0)
        .collect()
}

async fn a_login_is_found_by_its_family_through_every_rotation(db: Db) {
    insert(&db, 1, 7, 10).await;
    let first = write!(db, tx => logins::by_family(tx, &[101; 32])).expect("it is there");
    assert_eq!(
        (
            first.id,
            first.user,
            first.token_hash,
            first.previous_hash,
            first.used_at,
            first.ended
        ),
        (LoginId(1), UserId(7), vec![1; 32], None, Timestamp(10), false)
    );
    assert!(write!(db, tx => logins::rotate(tx, LoginId(1), &[50; 32], Timestamp(20))));
    let second = write!(db, tx => logins::by_family(tx, &[101; 32])).expect("it is there");
    assert_eq!(
        (second.token_hash, second.previous_hash, second.used_at),
        (vec![50; 32], Some(vec![1; 32]), Timestamp(20))
    );
    assert_eq!(write!(db, tx => logins::by_family(tx, &[1; 32])), None);
}

async fn live_logins_are_the_users_own_and_the_last_used_comes_first(db: Db) {
    for (id, user, at_ms) in [(1, 7, 10), (2, 7, 30), (3, 7, 20), (4, 8, 40)] {
        insert(&db, id, user, at_ms).await;
    }
    assert_eq!(live(&db, 7, 0).await, [2, 3, 1]);
    assert_eq!(live(&db, 7, 10).await, [2, 3], "used after, not at");
    write!(db, tx => logins::rotate(tx, LoginId(1), &[50; 32], Timestamp(60)));
    write!(db, tx => logins::end(tx, LoginId(2), UserId(7), Timestamp(70)));
    assert_eq!(live(&db, 7, 0).await, [1, 3]);
    let login = &write!(db, tx => logins::live(tx, UserId(7), Timestamp(0)))[0];
    assert_eq!(
        (login.created_at, login.last_used_at, login.client.as_str(), login.current),
        (Timestamp(10), Timestamp(60), "Firefox on Linux", false)
    );
}

async fn a_login_ends_once_and_by_its_user_alone(db: Db) {
    insert(&db, 1, 7, 10).await;
    let before = write!(db, tx => logins::is_live(tx, LoginId(1), UserId(7)); logins::is_live(tx, LoginId(1), UserId(8)));
    assert_eq!(before, (true, false));
    let ended = write!(db, tx =>
        logins::end(tx, LoginId(1), UserId(8), Timestamp(20));
        logins::end(tx, LoginId(1), UserId(7), Timestamp(20));
        logins::end(tx, LoginId(1), UserId(7), Timestamp(30)));
    assert_eq!(ended, (false, true, false));
    assert!(!write!(db, tx => logins::is_live(tx, LoginId(1), UserId(7))));
    assert!(
        !write!(db, tx => logins::rotate(tx, LoginId(1), &[50; 32], Timestamp(40))),
        "it rotates no more"
    );
    assert!(
        write!(db, tx => logins::by_family(tx, &[101; 32]))
            .expect("it is still known")
            .ended
    );
    let (known, later) = write!(db, tx => logins::ended_after(tx, Timestamp(19)); logins::ended_after(tx, Timestamp(20)));
    assert_eq!((known, later), (vec![(LoginId(1), Timestamp(20))], vec![]));
}

async fn a_sweep_takes_what_is_long_over_in_pieces(db: Db) {
    let now_ms = 2 * REFRESH_TOKEN_MS;
    // Three ended long ago, one just now; two expired, one was used in time.
    for (id, at_ms) in [
        (1, now_ms - 1),
        (2, now_ms - 1),
        (3, now_ms - 1),
        (4, now_ms - 1),
        (5, 1),
        (6, now_ms - REFRESH_TOKEN_MS),
        (7, now_ms - REFRESH_TOKEN_MS + 1),
    ] {
        insert(&db, id, 7, at_ms).await;
    }
    for (id, ended_ms) in [
        (1, 5),
        (2, now_ms - ENDED_LOGIN_MS - 1),
        (3, now_ms - ENDED_LOGIN_MS),
        (4, now_ms - ENDED_LOGIN_MS + 1),
    ] {
        assert!(write!(db, tx => logins::end(tx, LoginId(id), UserId(7), Timestamp(ended_ms))));
    }
    let pieces = [
        write!(db, tx => logins::sweep(tx, now_ms, 2)),
        write!(db, tx => logins::sweep(tx, now_ms, 2)),
        write!(db, tx => logins::sweep(tx, now_ms, 2)),
        write!(db, tx => logins::sweep(tx, now_ms, 2)),
    ];
    assert_eq!(pieces, [2, 1, 0, 0]);
    let used_before = Timestamp(now_ms - REFRESH_TOKEN_MS);
    let (one, all) = (
        write!(db, tx => logins::expired(tx, used_before, 1)),
        write!(db, tx => logins::expired(tx, used_before, 10)),
    );
    assert_eq!(one, [(LoginId(5), UserId(7))]);
    assert_eq!(all, [(LoginId(5), UserId(7)), (LoginId(6), UserId(7))]);
    assert!(
        write!(db, tx => logins::by_family(tx, &[104; 32])).is_some(),
        "ended too lately to be forgotten"
    );
}

on_each!(
    a_login_is_found_by_its_family_through_every_rotation,
    live_logins_are_the_users_own_and_the_last_used_comes_first,
    a_login_ends_once_and_by_its_user_alone,
    a_sweep_takes_what_is_long_over_in_pieces,
);
