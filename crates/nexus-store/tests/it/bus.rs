//! What the bus promises: order, the head, and an honest `Gone`.

use std::sync::Arc;

use nexus_store::{Db, Entry, Fleeting, NewEntry, Options, StoreError, Tx, Window, log};

use crate::support::{answer, append, entry, hold, open, options, run, spawn_write};

on_each!(
    entries_arrive_in_order_and_before_the_answer,
    the_watch_follows_the_head,
    fleeting_events_reach_who_listens,
    scrubbing_reaches_the_ring,
);

fn entries(window: Window) -> Vec<Arc<Entry>> {
    match window {
        Window::Entries(entries) => entries,
        Window::Gone => panic!("the ring reaches back"),
    }
}

async fn entries_arrive_in_order_and_before_the_answer(db: Db) {
    assert_eq!(entries(db.bus().after(0, 10)), []);
    for _ in 0..20 {
        let (open, held) = hold(&db).await;
        let jobs: Vec<_> = (0..10)
            .map(|number| {
                spawn_write(&db, async move |tx: &mut Tx<'_>| {
                    let first = tx.append(entry(number, 1, 0, "first")).await?;
                    let second = tx.append(entry(number, 2, 0, "second")).await?;
                    // Every third job fails; its entries are not heard of.
                    if number % 3 == 0 {
                        Err(StoreError::internal("try", "a planted refusal"))
                    } else {
                        Ok((first, second))
                    }
                })
            })
            .collect();
        open.send(()).expect("the gate is there");
        for job in jobs {
            if let Ok((first, second)) = answer(job).await {
                assert_eq!(second, first + 1);
                assert!(db.bus().head() >= second, "the head is there before the answer");
                let found = entries(db.bus().after(first - 1, 2));
                assert_eq!([&*found[0].body, &*found[1].body], ["first", "second"]);
            }
        }
        answer(held).await.expect("the gate job is kept");
    }
    let all = entries(db.bus().after(0, usize::MAX));
    assert_eq!(
        all.iter().map(|entry| entry.position).collect::<Vec<_>>(),
        (1..=240).collect::<Vec<_>>(),
        "no gap after a rollback"
    );
    let stored = db
        .read(async |tx: &mut Tx<'_>| log::after(tx, 0, &[1, 2], 0, 1_000).await)
        .await
        .expect("the log is read");
    assert!(all.iter().map(|entry| &**entry).eq(&stored), "the bus and the log agree");
    assert_eq!(
        entries(db.bus().after(100, 3))
            .iter()
            .map(|entry| entry.position)
            .collect::<Vec<_>>(),
        [101, 102, 103]
    );
    assert_eq!(entries(db.bus().after(240, 3)), []);
}

async fn the_watch_follows_the_head(db: Db) {
    let mut watch = db.bus().watch();
    assert_eq!(*watch.borrow_and_update(), 0);
    append(&db, entry(1, 1, 0, "{}")).await;
    watch.changed().await.expect("the bus lives");
    assert_eq!(*watch.borrow_and_update(), 1);
    db.write(async |tx: &mut Tx<'_>| log::head(tx).await)
        .await
        .expect("the head is read");
    assert!(
        !watch.has_changed().expect("the bus lives"),
        "a transaction without entries wakes nobody"
    );
}

async fn fleeting_events_reach_who_listens(db: Db) {
    let typing = Fleeting {
        kind: 9,
        topic: 1,
        channel: 2,
        subject: 3,
        body: "{}".to_owned(),
    };
    db.bus().send_fleeting(typing.clone());
    let mut listener = db.bus().fleeting();
    db.bus().send_fleeting(typing.clone());
    assert_eq!(*listener.recv().await.expect("it arrives"), typing);
    assert!(listener.is_empty(), "what was sent before is gone");
    for _ in 0..10_000 {
        db.bus().send_fleeting(typing.clone());
    }
    assert!(listener.recv().await.is_err(), "a slow listener is told that it lost something");
    assert_eq!(db.bus().head(), 0, "nothing of it is stored");
}

async fn scrubbing_reaches_the_ring(db: Db) {
    for object in [7, 8, 7] {
        append(
            &db,
            NewEntry {
                object,
                ..entry(1, 1, 0, "secret")
            },
        )
        .await;
    }
    let scrubbed = async |tx: &mut Tx<'_>| log::scrub(tx, 7).await;
    assert_eq!(db.write::<_, StoreError, _>(scrubbed).await, Ok(2));
    let bodies: Vec<_> = entries(db.bus().after(0, 10))
        .iter()
        .map(|entry| (entry.position, entry.is_scrubbed()))
        .collect();
    assert_eq!(bodies, [(1, true), (2, false), (3, true)]);
}

#[test]
fn a_full_ring_says_gone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let db = open(
            &folder,
            Options {
                ring_bytes_max: 2_000,
                ..options()
            },
        );
        for _ in 0..20 {
            append(&db, entry(1, 1, 0, &"x".repeat(200))).await;
        }
        assert_eq!(db.bus().after(0, 10), Window::Gone);
        let oldest = (0..20)
            .find(|&position| db.bus().after(position, 1) != Window::Gone)
            .expect("something is left");
        assert!((10..19).contains(&oldest), "some 2,000 bytes are left, from {oldest}");
        assert_eq!(entries(db.bus().after(oldest, 100)).len() as i64, 20 - oldest);
        append(&db, entry(1, 1, 0, &"x".repeat(5_000))).await;
        assert_eq!(db.bus().after(20, 1), Window::Gone, "an entry above the cap is read from SQL");
        assert_eq!(entries(db.bus().after(21, 1)), []);
        assert_eq!(db.bus().head(), 21);
        db.close().await;
    });
}

#[test]
fn the_head_survives_a_restart_and_trimming() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let db = open(&folder, options());
        for _ in 0..3 {
            append(&db, entry(1, 1, 0, "{}")).await;
        }
        db.close().await;

        let db = open(&folder, options());
        assert_eq!(db.bus().head(), 3);
        assert_eq!(db.bus().after(2, 10), Window::Gone, "the ring starts empty");
        assert_eq!(entries(db.bus().after(3, 10)), []);
        let trim = async |tx: &mut Tx<'_>| log::trim(tx, i64::MAX, 100).await;
        assert_eq!(db.write::<_, StoreError, _>(trim).await, Ok(3));
        db.close().await;

        let db = open(&folder, options());
        assert_eq!(db.bus().head(), 3);
        assert_eq!(db.read::<_, StoreError, _>(log::head).await, Ok(3));
        assert_eq!(append(&db, entry(1, 1, 0, "{}")).await, 4, "no position is used twice");
        db.close().await;
    });
}
