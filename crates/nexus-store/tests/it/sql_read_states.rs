//! The laws of `sql::read_states`.

use nexus_store::Db;
use nexus_store::sql::{channels, members, read_states};
use nexus_types::ids::MessageId;

use crate::sql_scene::{GENERAL, GUILD, MEMBER, OWNER, PIER, build};

async fn a_place_moves_forward_only(db: Db) {
    build(&db).await;
    let moved = job!(db, tx =>
        read_states::advance(tx, MEMBER, GENERAL, MessageId(5));
        read_states::advance(tx, MEMBER, GENERAL, MessageId(5));
        read_states::advance(tx, MEMBER, GENERAL, MessageId(4));
        read_states::advance(tx, MEMBER, GENERAL, MessageId(6)));
    assert_eq!(moved, (true, false, false, true));
    let (mine, others) = job!(db, tx => read_states::of_user(tx, MEMBER); read_states::of_user(tx, OWNER));
    assert_eq!(
        mine.iter().map(|state| (state.id, state.last_message_id)).collect::<Vec<_>>(),
        [(GENERAL, MessageId(6))]
    );
    assert!(others.is_empty());
}

async fn places_are_told_of_what_one_is_still_in(db: Db) {
    build(&db).await;
    job!(db, tx => read_states::advance(tx, MEMBER, PIER, MessageId(7)); read_states::advance(tx, MEMBER, GENERAL, MessageId(5)));
    let list = job!(db, tx => read_states::of_user(tx, MEMBER));
    assert_eq!(list.iter().map(|state| state.id).collect::<Vec<_>>(), [GENERAL, PIER]);
    job!(db, tx => channels::mark_deleted(tx, PIER, 5));
    assert_eq!(job!(db, tx => read_states::of_user(tx, MEMBER)).len(), 1);
    job!(db, tx => members::delete(tx, GUILD, MEMBER));
    assert!(job!(db, tx => read_states::of_user(tx, MEMBER)).is_empty());
}

on_each!(a_place_moves_forward_only, places_are_told_of_what_one_is_still_in);
