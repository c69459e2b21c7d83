//! What holds for the file: its mode, its schema, and who may open it.

use nexus_store::{Db, StoreError, log};
use tempfile::TempDir;

use crate::support::{append, entry, open, options, run};

/// Changes the closed database behind the store's back.
fn tamper(folder: &TempDir, sql: &str) {
    let conn = rusqlite::Connection::open(folder.path().join("nexus.db")).expect("the file opens");
    conn.execute_batch(sql).expect("the statement runs");
}

fn refusal(folder: &TempDir) -> String {
    Db::open(&folder.path().join("nexus.db"), options())
        .err()
        .expect("it is refused")
        .to_string()
}

async fn create(folder: &TempDir) -> i64 {
    let db = open(folder, options());
    append(&db, entry(1, 1, 0, "{}")).await;
    let epoch = db.read::<_, StoreError, _>(log::epoch).await.expect("there is an epoch");
    db.close().await;
    epoch
}

#[test]
fn opening_again_migrates_nothing_twice() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let epoch = create(&folder).await;
        let db = open(&folder, options());
        assert_eq!(db.read::<_, StoreError, _>(log::epoch).await, Ok(epoch));
        assert_eq!(db.read::<_, StoreError, _>(log::head).await, Ok(1));
        db.close().await;
    });
}

#[test]
fn a_changed_migration_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        create(&folder).await;
        tamper(&folder, "UPDATE migration SET checksum = 'another' WHERE number = 1");
        assert!(
            refusal(&folder).contains("0001_start was run with another content"),
            "{}",
            refusal(&folder)
        );
    });
}

#[test]
fn a_newer_schema_is_refused_unless_it_allows_this_binary() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        create(&folder).await;
        tamper(
            &folder,
            "INSERT INTO migration (number, name, checksum) VALUES (9999, 'later', 'x')",
        );
        open(&folder, options()).close().await;
        tamper(&folder, "UPDATE instance SET value = '9999' WHERE key = 'oldest_schema'");
        assert!(
            refusal(&folder).contains("needs a binary that knows number 9999"),
            "{}",
            refusal(&folder)
        );
    });
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("nexus.db"), "this is not a database, it is a letter".repeat(100)).expect("the file is written");
    assert!(refusal(&folder).contains("not a database"), "{}", refusal(&folder));
}

#[test]
fn closing_leaves_one_file_that_only_its_owner_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(async {
        let db = open(&folder, options());
        append(&db, entry(1, 1, 0, "{}")).await;
        for name in ["nexus.db", "nexus.db-wal", "nexus.db-shm"] {
            let mode = folder.path().join(name).metadata().expect("the file is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        db.close().await;
        let names: Vec<_> = folder
            .path()
            .read_dir()
            .expect("the folder is read")
            .map(|file| file.expect("a file").file_name())
            .collect();
        assert_eq!(names, ["nexus.db"], "the write-ahead log was emptied and removed");
    });
}

#[test]
fn two_databases_draw_different_epochs() {
    let folders = [
        tempfile::tempdir().expect("a temporary folder"),
        tempfile::tempdir().expect("a temporary folder"),
    ];
    run(async {
        assert_ne!(create(&folders[0]).await, create(&folders[1]).await);
    });
}
