//! What holds for read jobs.

use nexus_store::{Db, StoreError, Tx, log};

use crate::support::{answer, append, create_items, entry, insert_item, item_ids, items, spawn_item, spawn_read};

on_each!(
    a_snapshot_is_stable,
    a_write_in_a_read_job_is_refused,
    a_panic_in_a_read_harms_no_other,
    a_read_sees_what_was_answered
);

async fn a_snapshot_is_stable(db: Db) {
    create_items(&db).await;
    assert_eq!(answer(spawn_item(&db, 1)).await, Ok(1));
    append(&db, entry(1, 1, 0, "{}")).await;
    let (entered, inside) = tokio::sync::oneshot::channel();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let read = spawn_read(&db, async move |tx: &mut Tx<'_>| {
        let before = (item_ids(tx).await?, log::head(tx).await?);
        entered.send(()).expect("the test waits");
        gate.recv().expect("the test opens the gate");
        Ok((before, (item_ids(tx).await?, log::head(tx).await?)))
    });
    inside.await.expect("the read runs");
    assert_eq!(answer(spawn_item(&db, 2)).await, Ok(1), "a reader does not block the writer");
    append(&db, entry(1, 1, 0, "{}")).await;
    open.send(()).expect("the read waits");
    let (before, after) = answer(read).await.expect("the read succeeds");
    assert_eq!(before, (vec![1], 1));
    assert_eq!(after, before);
    assert_eq!(items(&db).await, [1, 2]);
}

async fn a_write_in_a_read_job_is_refused(db: Db) {
    create_items(&db).await;
    assert_eq!(
        db.read(async |tx: &mut Tx<'_>| insert_item(tx, 1, "one").await).await,
        Err(StoreError::ReadOnly)
    );
    assert_eq!(
        db.read(async |tx: &mut Tx<'_>| tx.append(entry(1, 1, 0, "{}")).await).await,
        Err(StoreError::ReadOnly)
    );
    assert!(items(&db).await.is_empty());
    assert_eq!(db.bus().head(), 0);
}

async fn a_panic_in_a_read_harms_no_other(db: Db) {
    create_items(&db).await;
    for _ in 0..5 {
        let panics = async |tx: &mut Tx<'_>| -> Result<(), StoreError> {
            item_ids(tx).await?;
            panic!("a planted panic");
        };
        assert_eq!(db.read(panics).await, Err(StoreError::Panicked));
        let waits = async |_: &mut Tx<'_>| std::future::pending::<Result<(), StoreError>>().await;
        assert_eq!(db.read(waits).await, Err(StoreError::Awaited));
    }
    assert!(items(&db).await.is_empty());
}

async fn a_read_sees_what_was_answered(db: Db) {
    create_items(&db).await;
    for id in 0..50 {
        assert_eq!(answer(spawn_item(&db, id)).await, Ok(1));
        assert_eq!(items(&db).await.len() as i64, id + 1);
    }
}
