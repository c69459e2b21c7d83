//! What holds for jobs that succeed or fail by themselves.

use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use nexus_store::{Db, Options, StoreError, Tx, Value};

use crate::support::{
    answer, create_items, entry, hold, insert_item, item_ids, items, open, options, run, spawn_background, spawn_item, spawn_write,
};

on_each!(
    every_answered_job_is_kept,
    a_refused_job_leaves_nothing,
    a_panicking_job_harms_no_other,
    an_awaited_foreign_future_is_refused,
    a_unique_violation_is_recognised,
    after_a_failed_statement_a_job_can_only_end,
    placeholders_are_bound_by_their_number,
    a_wrong_number_of_arguments_is_a_panic,
    every_type_survives_the_round_trip,
    a_second_row_is_an_error_of_query_opt,
    a_job_whose_caller_went_away_still_runs,
    interactive_jobs_overtake_background_jobs,
    background_jobs_get_on_beside_a_full_interactive_queue,
);

async fn every_answered_job_is_kept(db: Db) {
    create_items(&db).await;
    let (open, held) = hold(&db).await;
    let jobs: Vec<_> = (0..1_000).map(|id| spawn_item(&db, id)).collect();
    open.send(()).expect("the gate is there");
    answer(held).await.expect("the gate job is kept");
    for job in jobs {
        assert_eq!(answer(job).await, Ok(1));
    }
    assert_eq!(items(&db).await, (0..1_000).collect::<Vec<_>>());
}

async fn a_refused_job_leaves_nothing(db: Db) {
    #[derive(Debug, PartialEq)]
    enum Refusal {
        NoSuchGuild,
        Store(StoreError),
    }
    impl From<StoreError> for Refusal {
        fn from(error: StoreError) -> Self {
            Self::Store(error)
        }
    }
    create_items(&db).await;
    let refused: Result<(), Refusal> = db
        .write(async |tx: &mut Tx<'_>| {
            insert_item(tx, 1, "one").await?;
            tx.append(entry(1, 1, 0, "{}")).await?;
            Err(Refusal::NoSuchGuild)
        })
        .await;
    assert_eq!(refused, Err(Refusal::NoSuchGuild));
    assert!(items(&db).await.is_empty());
    assert_eq!(db.bus().head(), 0);
}

async fn a_panicking_job_harms_no_other(db: Db) {
    create_items(&db).await;
    let (open, held) = hold(&db).await;
    let before = spawn_item(&db, 1);
    let culprit = spawn_write(&db, async |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        insert_item(tx, 2, "two").await?;
        tx.append(entry(1, 1, 0, "{}")).await?;
        panic!("a planted panic");
    });
    let after = spawn_item(&db, 3);
    open.send(()).expect("the gate is there");
    answer(held).await.expect("the gate job is kept");
    assert_eq!(answer(before).await, Ok(1));
    assert_eq!(answer(culprit).await, Err(StoreError::Panicked));
    assert_eq!(answer(after).await, Ok(1));
    assert_eq!(items(&db).await, [1, 3]);
    assert_eq!(db.bus().head(), 0, "the entry of the culprit is dropped");
}

async fn an_awaited_foreign_future_is_refused(db: Db) {
    create_items(&db).await;
    let job = async |tx: &mut Tx<'_>| {
        insert_item(tx, 1, "one").await?;
        std::future::pending::<Result<(), StoreError>>().await
    };
    assert_eq!(db.write(job).await, Err(StoreError::Awaited));
    assert!(items(&db).await.is_empty());
}

async fn a_unique_violation_is_recognised(db: Db) {
    create_items(&db).await;
    let twice = async |tx: &mut Tx<'_>| {
        insert_item(tx, 1, "one").await?;
        insert_item(tx, 2, "one").await
    };
    assert!(db.write(twice).await.expect_err("the name is taken").is_unique_violation());
    let same_key = async |tx: &mut Tx<'_>| {
        insert_item(tx, 1, "one").await?;
        insert_item(tx, 1, "two").await
    };
    assert!(db.write(same_key).await.expect_err("the id is taken").is_unique_violation());
    let no_table = async |tx: &mut Tx<'_>| tx.execute("DELETE FROM no_such_table", &[]).await;
    assert!(!db.write(no_table).await.expect_err("there is no such table").is_unique_violation());
}

async fn after_a_failed_statement_a_job_can_only_end(db: Db) {
    create_items(&db).await;
    let swallows = async |tx: &mut Tx<'_>| {
        insert_item(tx, 1, "one").await?;
        let first = insert_item(tx, 1, "one").await.expect_err("the id is taken");
        let second = item_ids(tx).await.expect_err("no statement runs after a failed one");
        assert_eq!(first, second);
        Ok::<_, StoreError>(())
    };
    assert!(
        db.write(swallows)
            .await
            .expect_err("an Ok does not hide a failed statement")
            .is_unique_violation()
    );
    assert!(items(&db).await.is_empty());
}

async fn placeholders_are_bound_by_their_number(db: Db) {
    let read = async |tx: &mut Tx<'_>| {
        let sql = "SELECT $3 || $1, $2, $1";
        let args = ["a".into(), 7.into(), "c".into()];
        tx.query_opt(sql, &args, |row| {
            Ok((row.get::<String>(0)?, row.get::<i64>(1)?, row.get::<String>(2)?))
        })
        .await
    };
    let row: Result<_, StoreError> = db.read(read).await;
    assert_eq!(row, Ok(Some(("ca".to_owned(), 7, "a".to_owned()))));
}

async fn a_wrong_number_of_arguments_is_a_panic(db: Db) {
    let missing = async |tx: &mut Tx<'_>| tx.query_opt("SELECT $1 + $2", &[1.into()], |row| row.get::<i64>(0)).await;
    assert_eq!(db.read(missing).await, Err(StoreError::Panicked));
    let gap = async |tx: &mut Tx<'_>| tx.query_opt("SELECT $1 + $3", &[1.into(), 2.into()], |row| row.get::<i64>(0)).await;
    assert_eq!(db.write(gap).await, Err(StoreError::Panicked));
}

async fn every_type_survives_the_round_trip(db: Db) {
    type Columns = (i64, bool, String, Vec<u8>, Option<i64>, Option<String>);
    let read = async |tx: &mut Tx<'_>| {
        let (text, bytes) = ("größer als 🙂".to_owned(), vec![0_u8, 255, 7]);
        let args: [Value<'_>; 6] = [
            i64::MIN.into(),
            true.into(),
            (&text).into(),
            bytes.as_slice().into(),
            None::<i64>.into(),
            Some("x").into(),
        ];
        tx.query_opt("SELECT $1, $2, $3, $4, $5, $6", &args, |row| {
            Ok::<Columns, _>((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .await
    };
    let expected = (
        i64::MIN,
        true,
        "größer als 🙂".to_owned(),
        vec![0, 255, 7],
        None,
        Some("x".to_owned()),
    );
    assert_eq!(db.read::<_, StoreError, _>(read).await, Ok(Some(expected)));
    let wrong = async |tx: &mut Tx<'_>| tx.query_opt("SELECT 'text'", &[], |row| row.get::<i64>(0)).await;
    assert!(matches!(db.read(wrong).await, Err(StoreError::Internal { .. })));
}

async fn a_second_row_is_an_error_of_query_opt(db: Db) {
    let two = async |tx: &mut Tx<'_>| tx.query_opt("VALUES (1), (2)", &[], |row| row.get::<i64>(0)).await;
    assert!(matches!(db.read(two).await, Err(StoreError::Internal { .. })));
    let none = async |tx: &mut Tx<'_>| tx.query_opt("SELECT 1 WHERE 1 = 2", &[], |row| row.get::<i64>(0)).await;
    assert_eq!(db.read::<_, StoreError, _>(none).await, Ok(None));
}

async fn a_job_whose_caller_went_away_still_runs(db: Db) {
    create_items(&db).await;
    let (open, held) = hold(&db).await;
    {
        let job = std::pin::pin!(db.write(async |tx: &mut Tx<'_>| insert_item(tx, 1, "one").await));
        assert!(job.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    open.send(()).expect("the gate is there");
    answer(held).await.expect("the gate job is kept");
    // Whatever is queued later comes later.
    assert_eq!(answer(spawn_item(&db, 2)).await, Ok(1));
    assert_eq!(items(&db).await, [1, 2]);
}

/// The order in which jobs ran.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().expect("nobody panics here").push(what.into());
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics here").clone()
    }
}

async fn interactive_jobs_overtake_background_jobs(db: Db) {
    let diary = Diary::default();
    let (entered, mut inside) = tokio::sync::mpsc::channel(1);
    let (proceed, wait) = std::sync::mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    // Every background job waits for the test, so that an interactive one always comes while a background one runs.
    let background: Vec<_> = (0..5)
        .map(|number| {
            let (diary, entered, wait) = (diary.clone(), entered.clone(), Arc::clone(&wait));
            spawn_background(&db, async move |_: &mut Tx<'_>| {
                entered.try_send(()).expect("the test listens");
                wait.lock().expect("nobody panics here").recv().expect("the test goes on");
                diary.note(format!("background {number}"));
                Ok(())
            })
        })
        .collect();
    for number in 0..5 {
        inside.recv().await.expect("a background job runs");
        let diary = diary.clone();
        let interactive = spawn_write(&db, async move |_: &mut Tx<'_>| {
            diary.note(format!("interactive {number}"));
            Ok(())
        });
        proceed.send(()).expect("the job waits");
        // It is answered although every later background job stands still.
        assert_eq!(answer(interactive).await, Ok(()));
    }
    for job in background {
        assert_eq!(answer(job).await, Ok(()));
    }
    let expected: Vec<_> = (0..5)
        .flat_map(|number| [format!("background {number}"), format!("interactive {number}")])
        .collect();
    assert_eq!(diary.read(), expected);
}

async fn background_jobs_get_on_beside_a_full_interactive_queue(db: Db) {
    let diary = Diary::default();
    let (open, held) = hold(&db).await;
    let note = |what: &'static str| {
        let diary = diary.clone();
        async move |_: &mut Tx<'_>| {
            diary.note(what);
            Ok(())
        }
    };
    let mut jobs: Vec<_> = (0..1_000).map(|_| spawn_write(&db, note("interactive"))).collect();
    jobs.extend((0..2).map(|_| spawn_background(&db, note("background"))));
    open.send(()).expect("the gate is there");
    answer(held).await.expect("the gate job is kept");
    for job in jobs {
        assert_eq!(answer(job).await, Ok(()));
    }
    let diary = diary.read();
    let turns: Vec<_> = (0..diary.len()).filter(|&turn| diary[turn] == "background").collect();
    let batch = nexus_store::limits::BATCH_JOBS_MAX;
    assert!(
        turns[0] <= batch && turns[1] <= 2 * batch + 1,
        "one background job per batch, not {turns:?}"
    );
    assert!(turns[1] - turns[0] >= batch, "only one background job per batch, not {turns:?}");
}

#[test]
fn a_full_queue_refuses_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let db = open(
            &folder,
            Options {
                interactive_jobs_max: 3,
                background_jobs_max: 2,
                ..options()
            },
        );
        create_items(&db).await;
        let (open, held) = hold(&db).await;
        let taken: Vec<_> = (0..3).map(|id| spawn_item(&db, id)).collect();
        assert_eq!(answer(spawn_item(&db, 3)).await, Err(StoreError::QueueFull));
        let background: Vec<_> = (0..2).map(|_| spawn_background(&db, async |_: &mut Tx<'_>| Ok(()))).collect();
        assert_eq!(
            answer(spawn_background(&db, async |_: &mut Tx<'_>| Ok(()))).await,
            Err(StoreError::QueueFull)
        );
        open.send(()).expect("the gate is there");
        answer(held).await.expect("the gate job is kept");
        for job in taken {
            assert_eq!(answer(job).await, Ok(1));
        }
        for job in background {
            assert_eq!(answer(job).await, Ok(()));
        }
        assert_eq!(items(&db).await, [0, 1, 2], "what was refused did not run");
        db.close().await;
    });
}

#[test]
fn many_threads_write_at_once_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let db = open(&folder, options());
        create_items(&db).await;
        let tasks: Vec<_> = (0..32_i64)
            .map(|task| {
                let db = db.clone();
                tokio::spawn(async move {
                    for number in 0..25 {
                        let id = task * 25 + number;
                        let position = db
                            .write(async move |tx: &mut Tx<'_>| {
                                insert_item(tx, id, &id.to_string()).await?;
                                tx.append(entry(id, 1, 0, &id.to_string())).await
                            })
                            .await
                            .expect("the item is kept");
                        assert!(db.bus().head() >= position, "an answered entry is published");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("the task does not panic");
        }
        assert_eq!(items(&db).await.len(), 800);
        assert_eq!(db.bus().head(), 800);
        db.close().await;
    });
}
