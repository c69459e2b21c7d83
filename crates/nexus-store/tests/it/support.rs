//! What the laws share: a database per test, jobs that wait, and a table of items.

use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use nexus_store::{Db, NewEntry, Options, StoreError, Tx};
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, LocalSet};

/// Makes a test of every law, per backend. A law is `async fn(db: Db)`.
macro_rules! on_each {
    ($($law:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $law() {
                $crate::support::on_sqlite(super::$law);
            })+
        }
    };
}

/// Runs a law on a fresh SQLite database.
pub(crate) fn on_sqlite(law: impl AsyncFnOnce(Db)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let db = open(&folder, options());
        law(db.clone()).await;
        db.close().await;
    });
}

/// Runs a test on one thread, where [`spawn_write`] may be used.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, test);
}

/// Small, and with batches that do not depend on the machine's speed.
pub(crate) fn options() -> Options {
    Options {
        read_threads: 2,
        cache_kib: 512,
        batch_time_max: Duration::from_mins(1),
        ..Options::default()
    }
}

pub(crate) fn open(folder: &TempDir, options: Options) -> Db {
    Db::open(&folder.path().join("nexus.db"), options).expect("the database opens")
}

/// An entry that happens at `at_ms`.
pub(crate) fn entry(at_ms: i64, topic: i64, subject: i64, body: &str) -> NewEntry {
    NewEntry {
        at_ms,
        kind: 1,
        topic,
        channel: 0,
        subject,
        object: 0,
        body: body.to_owned(),
    }
}

/// Holds the writer until the gate is opened or dropped, so that what is queued meanwhile ends up in one batch.
pub(crate) async fn hold(db: &Db) -> (mpsc::Sender<()>, JoinHandle<Result<(), StoreError>>) {
    let (open, gate) = mpsc::channel::<()>();
    let (entered, inside) = tokio::sync::oneshot::channel();
    let held = spawn_write(db, async move |_: &mut Tx<'_>| {
        entered.send(()).expect("the test waits");
        assert!(gate.recv_timeout(Duration::from_secs(30)).is_ok(), "the test opens the gate");
        Ok(())
    });
    inside.await.expect("the job runs");
    (open, held)
}

/// Queues a write job at once, so that jobs wait in the order of the calls. The handle answers later.
pub(crate) fn spawn_write<T, F>(db: &Db, job: F) -> JoinHandle<Result<T, StoreError>>
where
    F: for<'a, 'c> AsyncFnOnce(&'a mut Tx<'c>) -> Result<T, StoreError> + Send + 'static,
    T: Send + 'static,
{
    let db = db.clone();
    start(async move { db.write(job).await })
}

/// As [`spawn_write`], in the background lane.
pub(crate) fn spawn_background<T, F>(db: &Db, job: F) -> JoinHandle<Result<T, StoreError>>
where
    F: for<'a, 'c> AsyncFnOnce(&'a mut Tx<'c>) -> Result<T, StoreError> + Send + 'static,
    T: Send + 'static,
{
    let db = db.clone();
    start(async move { db.write_background(job).await })
}

/// As [`spawn_write`], for a read.
pub(crate) fn spawn_read<T, F>(db: &Db, job: F) -> JoinHandle<Result<T, StoreError>>
where
    F: for<'a, 'c> AsyncFnOnce(&'a mut Tx<'c>) -> Result<T, StoreError> + Send + 'static,
    T: Send + 'static,
{
    let db = db.clone();
    start(async move { db.read(job).await })
}

/// Polls a future once and leaves the rest to a task.
fn start<T: 'static>(future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
    let mut future = Box::pin(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => tokio::task::spawn_local(async move { value }),
        Poll::Pending => tokio::task::spawn_local(future),
    }
}

/// What a task answered.
pub(crate) async fn answer<T>(task: JoinHandle<T>) -> T {
    let answered = tokio::time::timeout(Duration::from_secs(20), task).await;
    answered.expect("the job is answered").expect("the task does not panic")
}

/// A table to write to.
pub(crate) async fn create_items(db: &Db) {
    db.write(async |tx: &mut Tx<'_>| {
        tx.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, fill BLOB)", &[])
            .await
    })
    .await
    .expect("the table is made");
}

pub(crate) async fn insert_item(tx: &mut Tx<'_>, id: i64, name: &str) -> Result<u64, StoreError> {
    tx.execute("INSERT INTO item (id, name) VALUES ($1, $2)", &[id.into(), name.into()])
        .await
}

/// Inserts an item by a job of its own.
pub(crate) fn spawn_item(db: &Db, id: i64) -> JoinHandle<Result<u64, StoreError>> {
    spawn_write(db, async move |tx: &mut Tx<'_>| insert_item(tx, id, &id.to_string()).await)
}

pub(crate) async fn item_ids(tx: &mut Tx<'_>) -> Result<Vec<i64>, StoreError> {
    tx.query("SELECT id FROM item ORDER BY id", &[], |row| row.get(0)).await
}

/// The items that are committed.
pub(crate) async fn items(db: &Db) -> Vec<i64> {
    db.read(item_ids).await.expect("the items are read")
}

/// Appends an entry by a job of its own and says its position.
pub(crate) async fn append(db: &Db, entry: NewEntry) -> i64 {
    db.write(async move |tx: &mut Tx<'_>| tx.append(entry).await)
        .await
        .expect("the entry is appended")
}
