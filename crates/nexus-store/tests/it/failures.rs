//! What callers hear when a whole transaction fails: a full disk, a commit of unknown outcome, a file that went away.

use std::time::Duration;

use nexus_store::{Db, NotReady, Options, StoreError, Tx};

use crate::support::{
    answer, append, create_items, entry, hold, insert_item, items, open, options, run, spawn_item, spawn_read, spawn_write,
};

/// Inserts rows until the disk is full.
async fn fill(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for _ in 0..10_000 {
        tx.execute("INSERT INTO item (fill) VALUES (zeroblob(40000))", &[]).await?;
    }
    Ok(())
}

async fn set_room(db: &Db, sql: &'static str) {
    db.write(async move |tx: &mut Tx<'_>| tx.query_opt(sql, &[], |row| row.get::<i64>(0)).await)
        .await
        .expect("the pragma is set");
}

/// A small disk: 100 pages.
fn small() -> Options {
    Options {
        max_page_count: Some(100),
        ..options()
    }
}

#[test]
fn on_a_full_disk_everyone_hears_the_truth_and_writing_resumes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let db = open(&folder, small());
        create_items(&db).await;
        assert_eq!(answer(spawn_item(&db, 1)).await, Ok(1));

        let (gate, held) = hold(&db).await;
        let before = spawn_write(&db, async |tx: &mut Tx<'_>| {
            tx.append(entry(1, 1, 0, "{}")).await?;
            insert_item(tx, 2, "two").await
        });
        // Its refusal rests on a row that is going to be lost.
        let refused = spawn_item(&db, 2);
        let culprit = spawn_write(&db, fill);
        let after = spawn_item(&db, 3);
        gate.send(()).expect("the gate is there");

        assert!(matches!(answer(held).await, Err(StoreError::Lost { .. })));
        assert!(matches!(answer(before).await, Err(StoreError::Lost { .. })));
        assert!(matches!(answer(refused).await, Err(StoreError::Lost { .. })));
        assert_eq!(answer(culprit).await, Err(StoreError::Full));
        assert_eq!(answer(after).await, Ok(1), "who comes after the culprit goes on in a new batch");
        assert_eq!(items(&db).await, [1, 3], "what was answered is there, what was not answered is not");
        assert_eq!(db.bus().head(), 0, "a lost entry is not published");
        assert_eq!(db.ready(), Ok(()), "a full disk still serves reads and small writes");

        assert_eq!(answer(spawn_write(&db, fill)).await, Err(StoreError::Full), "it is still full");
        set_room(&db, "PRAGMA max_page_count = 10000").await;
        let large = async |tx: &mut Tx<'_>| tx.execute("INSERT INTO item (id, fill) VALUES (4, zeroblob(1000000))", &[]).await;
        assert_eq!(answer(spawn_write(&db, large)).await, Ok(1), "writing resumes when there is room");
        assert_eq!(append(&db, entry(1, 1, 0, "{}")).await, 1);
        db.close().await;

        let db = open(&folder, options());
        assert_eq!(items(&db).await, [1, 3, 4], "and so it is after a restart");
        db.close().await;
    });
}

#[test]
fn a_job_that_hides_the_full_disk_is_told_all_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let db = open(&folder, small());
        create_items(&db).await;
        let hides = spawn_write(&db, async |tx: &mut Tx<'_>| {
            fill(tx).await.expect_err("the disk is full");
            // The transaction is gone: this must not run outside of it.
            insert_item(tx, 1, "one").await.expect_err("the transaction is gone");
            Ok(())
        });
        assert_eq!(answer(hides).await, Err(StoreError::Full));
        assert!(items(&db).await.is_empty());
        db.close().await;
    });
}

/// A commit that fails, by a reference that is checked only then.
async fn break_commit(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.execute(
        "CREATE TABLE child (item INTEGER REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED)",
        &[],
    )
    .await?;
    tx.append(entry(1, 1, 0, "{}")).await?;
    tx.execute("INSERT INTO child (item) VALUES (99)", &[]).await.map(drop)
}

#[test]
fn after_a_failed_commit_all_is_lost_and_writing_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let db = open(&folder, options());
        create_items(&db).await;
        let (gate, held) = hold(&db).await;
        let before = spawn_item(&db, 1);
        let culprit = spawn_write(&db, break_commit);
        let after = spawn_item(&db, 2);
        gate.send(()).expect("the gate is there");
        for lost in [
            answer(held).await,
            answer(before).await.map(drop),
            answer(culprit).await,
            answer(after).await.map(drop),
        ] {
            assert!(matches!(lost, Err(StoreError::Lost { .. })));
        }
        wait_until_ready(&db).await;
        assert_eq!(append(&db, entry(1, 1, 0, "{}")).await, 1);
        assert_eq!(db.bus().head(), 1);
        assert!(items(&db).await.is_empty());
        db.close().await;
    });
}

async fn wait_until_ready(db: &Db) {
    for _ in 0..500 {
        if db.ready().is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the store stays not ready: {:?}", db.ready());
}

#[test]
fn while_the_file_is_away_writes_are_refused_and_reads_go_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let db = open(&folder, options());
        create_items(&db).await;
        assert_eq!(answer(spawn_item(&db, 1)).await, Ok(1));
        assert_eq!(items(&db).await, [1]);

        let (file, away) = (folder.path().join("nexus.db"), folder.path().join("away.db"));
        let moves = (file.clone(), away.clone());
        let culprit = spawn_write(&db, async move |tx: &mut Tx<'_>| {
            break_commit(tx).await?;
            std::fs::rename(moves.0, moves.1).expect("the file is moved");
            Ok(())
        });
        assert!(matches!(answer(culprit).await, Err(StoreError::Lost { .. })));
        assert_eq!(db.ready(), Err(NotReady::Storage));
        assert_eq!(answer(spawn_item(&db, 2)).await, Err(StoreError::Unavailable));
        assert_eq!(items(&db).await, [1]);

        std::fs::rename(away, file).expect("the file is moved back");
        wait_until_ready(&db).await;
        assert_eq!(answer(spawn_item(&db, 3)).await, Ok(1));
        assert_eq!(items(&db).await, [1, 3]);
        db.close().await;
    });
}

/// Never ends by itself, and changes rows: SQLite rolls back the whole transaction when it is interrupted.
const ENDLESS_INSERT: &str = "INSERT INTO item (id) WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";

#[test]
fn an_endless_insert_takes_its_neighbours_along_and_they_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let db = open(
            &folder,
            Options {
                job_time_max: Duration::from_millis(100),
                ..options()
            },
        );
        create_items(&db).await;
        let (gate, held) = hold(&db).await;
        let before = spawn_item(&db, 1);
        let culprit = spawn_write(&db, async |tx: &mut Tx<'_>| tx.execute(ENDLESS_INSERT, &[]).await);
        let after = spawn_item(&db, 2);
        gate.send(()).expect("the gate is there");
        assert!(matches!(answer(held).await, Err(StoreError::Lost { .. })));
        assert!(matches!(answer(before).await, Err(StoreError::Lost { .. })));
        assert_eq!(answer(culprit).await, Err(StoreError::Timeout));
        assert_eq!(answer(after).await, Ok(1));
        assert_eq!(items(&db).await, [2]);
        db.close().await;
    });
}

/// Never ends by itself.
const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";

#[test]
fn an_endless_statement_is_interrupted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let db = open(
            &folder,
            Options {
                job_time_max: Duration::from_millis(50),
                ..options()
            },
        );
        create_items(&db).await;
        let endless = async |tx: &mut Tx<'_>| tx.query_opt(ENDLESS, &[], |row| row.get::<i64>(0)).await;
        assert_eq!(answer(spawn_read(&db, endless)).await, Err(StoreError::Timeout));
        assert_eq!(answer(spawn_write(&db, endless)).await, Err(StoreError::Timeout));
        assert_eq!(answer(spawn_item(&db, 1)).await, Ok(1), "the writer goes on");
        assert_eq!(items(&db).await, [1], "the readers go on");
        db.close().await;
    });
}

#[test]
fn a_closed_store_answers_closed_and_keeps_what_was_queued() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let db = open(&folder, options());
        create_items(&db).await;
        let (gate, held) = hold(&db).await;
        let queued: Vec<_> = (0..300).map(|id| spawn_item(&db, id)).collect();
        gate.send(()).expect("the gate is there");
        db.close().await;
        answer(held).await.expect("the gate job is kept");
        for job in queued {
            assert_eq!(answer(job).await, Ok(1));
        }
        assert_eq!(answer(spawn_item(&db, 300)).await, Err(StoreError::Closed));
        assert_eq!(
            answer(spawn_read(&db, async |_: &mut Tx<'_>| Ok(()))).await,
            Err(StoreError::Closed)
        );
        assert_eq!(db.ready(), Err(NotReady::Closed));
        db.close().await;

        let db = open(&folder, options());
        assert_eq!(items(&db).await.len(), 300);
        db.close().await;
    });
}
