//! The laws of `sql::users`, `sql::setup` and `sql::admin_tokens`.

use nexus_store::sql::users::NewUser;
use nexus_store::sql::{admin_tokens, setup, users};
use nexus_store::{Db, StoreError, Tx};
use nexus_types::ids::UserId;
use nexus_types::timestamps::Timestamp;

fn alice() -> NewUser<'static> {
    NewUser {
        id: UserId(1),
        username: "Alice",
        folded: "alice",
        password_hash: "hash-1",
        admin: false,
        created_at: Timestamp(5),
    }
}

/// Runs statements in a job of their own.
macro_rules! write {
    ($db:expr, $tx:ident => $($statement:expr);+) => {
        $db.write(async move |$tx: &mut Tx<'_>| Ok::<_, StoreError>(($($statement.await?),+))).await.expect("the job is kept")
    };
}

async fn an_account_is_found_by_id_and_folded_name(db: Db) {
    assert!(write!(db, tx => users::insert(tx, alice())));
    let (user, current) = write!(db, tx => users::load(tx, UserId(1)); users::current(tx, UserId(1)));
    assert_eq!(user.expect("it is there").username, "Alice");
    let current = current.expect("it is there");
    assert_eq!(
        (current.user.id, current.user.username.as_str(), current.admin),
        (UserId(1), "Alice", false)
    );
    let (found, hash) = write!(db, tx => users::by_folded_name(tx, "alice"); users::password_hash(tx, UserId(1)));
    assert_eq!(found, Some((UserId(1), "hash-1".into())));
    assert_eq!(hash.as_deref(), Some("hash-1"));
    let nobody = write!(db, tx => users::load(tx, UserId(2)); users::current(tx, UserId(2)); users::by_folded_name(tx, "Alice"); users::password_hash(tx, UserId(2)));
    assert_eq!(nobody, (None, None, None, None));
}

async fn a_folded_name_belongs_to_one(db: Db) {
    assert!(write!(db, tx => users::insert(tx, alice())));
    // The job goes on after it, so that a refusal is no failure of the store.
    let (again, other) = write!(db, tx =>
        users::insert(tx, NewUser { id: UserId(2), username: "ALICE", ..alice() });
        users::insert(tx, NewUser { id: UserId(3), username: "bob", folded: "bob", ..alice() }));
    assert!(!again);
    assert!(other);
    assert_eq!(write!(db, tx => users::load(tx, UserId(2))), None);
}

async fn a_password_hash_is_replaced_only_if_it_is_the_checked_one(db: Db) {
    assert!(write!(db, tx => users::insert(tx, alice())));
    let answers = write!(db, tx =>
        users::set_password_hash(tx, UserId(1), "hash-1", "hash-2");
        users::set_password_hash(tx, UserId(1), "hash-1", "hash-3");
        users::set_password_hash(tx, UserId(2), "hash-2", "hash-3"));
    assert_eq!(answers, (true, false, false));
    assert_eq!(write!(db, tx => users::password_hash(tx, UserId(1))).as_deref(), Some("hash-2"));
}

async fn an_administrator_exists_once_one_was_made(db: Db) {
    assert!(write!(db, tx => users::insert(tx, alice())));
    assert!(!write!(db, tx => users::admin_exists(tx)));
    assert!(write!(db, tx => users::insert(tx, NewUser { id: UserId(2), folded: "root", admin: true, ..alice() })));
    assert!(write!(db, tx => users::admin_exists(tx)));
    assert!(write!(db, tx => users::current(tx, UserId(2))).expect("it is there").admin);
}

async fn a_setup_link_works_once_and_until_it_expires(db: Db) {
    const ONE: [u8; 32] = [1; 32];
    const OTHER: [u8; 32] = [2; 32];
    write!(db, tx => setup::replace_link(tx, &ONE, Timestamp(100)));
    let good = write!(db, tx =>
        setup::link_is_good(tx, &ONE, Timestamp(99));
        setup::link_is_good(tx, &ONE, Timestamp(100));
        setup::link_is_good(tx, &OTHER, Timestamp(99)));
    assert_eq!(good, (true, false, false));
    write!(db, tx => setup::replace_link(tx, &OTHER, Timestamp(100)));
    let used = write!(db, tx =>
        setup::use_link(tx, &ONE, Timestamp(99));
        setup::use_link(tx, &OTHER, Timestamp(100));
        setup::use_link(tx, &OTHER, Timestamp(99));
        setup::use_link(tx, &OTHER, Timestamp(99)));
    assert_eq!(used, (false, false, true, false));
}

async fn administrators_tokens_are_known_by_their_hash_and_few(db: Db) {
    const ONE: [u8; 32] = [1; 32];
    const OTHER: [u8; 32] = [2; 32];
    let made = write!(db, tx =>
        admin_tokens::insert(tx, &ONE, Timestamp(5), 1);
        admin_tokens::insert(tx, &OTHER, Timestamp(6), 1));
    assert_eq!(made, (true, false), "one more than there may be");
    let known = write!(db, tx => admin_tokens::exists(tx, &ONE); admin_tokens::exists(tx, &OTHER));
    assert_eq!(known, (true, false));
    let ended = write!(db, tx => admin_tokens::clear(tx); admin_tokens::exists(tx, &ONE));
    assert_eq!(ended, (1, false));
}

on_each!(
    administrators_tokens_are_known_by_their_hash_and_few,
    an_account_is_found_by_id_and_folded_name,
    a_folded_name_belongs_to_one,
    a_password_hash_is_replaced_only_if_it_is_the_checked_one,
    an_administrator_exists_once_one_was_made,
    a_setup_link_works_once_and_until_it_expires,
);
