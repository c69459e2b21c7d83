//! What holds for the key log's files: every point at which a crash may leave them, damage that no crash leaves, and modes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nexus_store::StoreError;
use nexus_store::transparency::{Batch, JsonlOptions, LogState, LogStore};
use tempfile::TempDir;

use crate::key_log::{LOG, batch, begun_with, copy_folder, people, publish, sign};
use crate::support::run;

const USERS: &str = "users.jsonl";
const HEADS: &str = "sth.jsonl";
const PROPOSAL: &str = "proposal.json";
/// Bytes from one try to the next where not every byte is tried: no divisor of a line's length.
const STEP: usize = 41;

fn open(folder: &Path) -> LogStore {
    LogStore::jsonl(folder, JsonlOptions::default()).expect("the files open")
}

/// Why it does not open.
fn refusal(folder: &Path) -> String {
    match LogStore::jsonl(folder, JsonlOptions::default()) {
        Ok(_) => panic!("it opens"),
        Err(error) => error.to_string(),
    }
}

async fn state(log: &LogStore) -> LogState {
    log.state().await.expect("the state is read")
}

/// The files of a folder, in memory.
#[derive(Clone, PartialEq, Eq)]
struct Files {
    users: Vec<u8>,
    heads: Vec<u8>,
    proposal: Option<Vec<u8>>,
    log: Vec<u8>,
}

impl Files {
    fn read(folder: &Path) -> Self {
        let read = |name: &str| fs::read(folder.join(name)).expect("the file is read");
        Self {
            users: read(USERS),
            heads: read(HEADS),
            proposal: fs::read(folder.join(PROPOSAL)).ok(),
            log: read("log.json"),
        }
    }

    fn write(&self, folder: &Path) {
        for (name, bytes) in [(USERS, &self.users), (HEADS, &self.heads), ("log.json", &self.log)] {
            fs::write(folder.join(name), bytes).expect("the file is written");
        }
        match &self.proposal {
            Some(bytes) => fs::write(folder.join(PROPOSAL), bytes).expect("the file is written"),
            None if folder.join(PROPOSAL).exists() => fs::remove_file(folder.join(PROPOSAL)).expect("the file is removed"),
            None => {}
        }
    }
}

/// A log of two leaves with a batch of three: before it was published, and after.
struct Scene {
    folder: TempDir,
    before: Files,
    after: Files,
    batch: Arc<Batch>,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log");
        let log = open(&path);
        begun_with(&log, 2).await;
        let batch = Arc::new(batch(&state(&log).await, people(2..5), 2_000));
        log.propose(Arc::clone(&batch)).await.expect("it is kept");
        let before = Files::read(&path);
        log.publish(Arc::clone(&batch), sign(&batch)).await.expect("it is published");
        let after = Files::read(&path);
        assert!(before.proposal.is_some() && after.proposal.is_none());
        assert!(after.users.starts_with(&before.users) && after.heads.starts_with(&before.heads));
        Self {
            folder,
            before,
            after,
            batch,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Opens what a crash left: nothing of the batch is visible, and it is pending.
    async fn check_pending(&self, left: &Files, what: &str) -> LogStore {
        left.write(&self.path());
        let log = open(&self.path());
        let now = state(&log).await;
        assert_eq!((now.size, now.users, now.heads), (2, 2, 2), "{what}");
        assert_eq!(now.pending.as_ref(), Some(&*self.batch), "{what}");
        log
    }

    /// And publishing it makes the same files.
    async fn check_unpublished(&self, left: &Files, what: &str) {
        let log = self.check_pending(left, what).await;
        assert_eq!(log.leaves(0, 10).await.expect("they are read").len(), 2, "{what}");
        log.publish(Arc::clone(&self.batch), sign(&self.batch))
            .await
            .expect("it is published");
        assert_eq!((state(&log).await.size, state(&log).await.users), (5, 5), "{what}");
        drop(log);
        assert!(
            Files::read(&self.path()) == self.after,
            "{what}: the files are the same to the byte"
        );
    }

    async fn check_published(&self, left: &Files, what: &str) {
        left.write(&self.path());
        let log = open(&self.path());
        let now = state(&log).await;
        assert_eq!((now.size, now.users, now.heads, now.pending), (5, 5, 5, None), "{what}");
        drop(log);
        assert!(Files::read(&self.path()) == self.after, "{what}");
    }
}

/// Where a file may end: some places, each line's end, and every byte of the last line.
fn lengths(before: &[u8], after: &[u8]) -> impl Iterator<Item = usize> {
    let last_line = after[..after.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .expect("there are some");
    let is_tried = move |length: &usize| *length >= last_line || length.is_multiple_of(STEP);
    let ends = (before.len()..last_line)
        .filter(|at| after[*at] == b'\n')
        .flat_map(|at| [at, at + 1]);
    let ends: Vec<usize> = ends.collect();
    (before.len()..=after.len()).filter(move |length| is_tried(length) || ends.contains(length))
}

#[test]
fn a_crash_at_any_byte_of_publishing_is_completed() {
    run(async {
        let scene = Scene::new().await;
        let Scene { before, after, .. } = &scene;
        let of_leaves = lengths(&before.users, &after.users).map(|length| Files {
            users: after.users[..length].to_vec(),
            ..before.clone()
        });
        // Without its line feed, the last head is whole, and so is the batch.
        let of_heads = lengths(&before.heads, &after.heads[..after.heads.len() - 2]).map(|length| Files {
            users: after.users.clone(),
            heads: after.heads[..length].to_vec(),
            ..before.clone()
        });
        for (place, left) in of_leaves.chain(of_heads).enumerate() {
            let what = format!("{} bytes of leaves, {} of heads", left.users.len(), left.heads.len());
            if place.is_multiple_of(STEP) {
                scene.check_unpublished(&left, &what).await;
            } else {
                scene.check_pending(&left, &what).await;
                assert!(
                    Files::read(&scene.path()) == scene.before,
                    "{what}: what was never visible is cut off"
                );
            }
        }
        for length in after.heads.len() - 1..=after.heads.len() {
            let left = Files {
                users: after.users.clone(),
                heads: after.heads[..length].to_vec(),
                ..before.clone()
            };
            scene.check_published(&left, "all but the removal of the proposal").await;
        }
        scene.check_published(after, "all").await;
    });
}

#[test]
fn what_a_power_cut_makes_of_unsynced_bytes_is_written_again() {
    run(async {
        let scene = Scene::new().await;
        let Scene { before, after, .. } = &scene;
        let garbage = |from: usize, good: &[u8]| -> Vec<u8> {
            let zeros = good.iter().enumerate().map(|(at, byte)| if at < from { *byte } else { 0 });
            zeros.collect()
        };
        for from in [before.users.len(), before.users.len() + 50, after.users.len() - 100] {
            let mut left = before.clone();
            left.users = garbage(from, &after.users);
            scene.check_unpublished(&left, "zeros for leaves").await;
            left.users = [&after.users[..from], b"\xff\x00garbage\n{\"id\"\n"].concat();
            scene.check_unpublished(&left, "garbage for leaves").await;
        }
        let mut left = after.clone();
        left.proposal.clone_from(&before.proposal);
        left.heads = garbage(before.heads.len() + 10, &after.heads);
        scene.check_unpublished(&left, "zeros for heads").await;
        left.heads = [&after.heads[..before.heads.len()], b"\xff\x00garbage\n{\"id\"\n"].concat();
        scene.check_unpublished(&left, "garbage for heads").await;
        // The disk forgot leaves that it had synced: the proposal still has them.
        left.heads.clone_from(&after.heads);
        left.users.clone_from(&before.users);
        scene.check_unpublished(&left, "heads without leaves").await;
        left.users = garbage(before.users.len() + 10, &after.users);
        scene.check_unpublished(&left, "heads without good leaves").await;
    });
}

#[test]
fn a_crash_while_proposing_leaves_nothing_or_all() {
    run(async {
        let scene = Scene::new().await;
        let whole = scene.before.proposal.clone().expect("it was proposed");
        for length in [0, 1, whole.len() / 2, whole.len() - 1, whole.len()] {
            let left = Files {
                proposal: None,
                ..scene.before.clone()
            };
            left.write(&scene.path());
            let unfinished = scene.path().join("proposal.json.tmp");
            fs::write(&unfinished, &whole[..length]).expect("the file is written");
            let log = open(&scene.path());
            assert_eq!((state(&log).await.size, state(&log).await.pending), (2, None), "{length}");
            assert!(!unfinished.exists());
            log.propose(Arc::clone(&scene.batch)).await.expect("it is kept");
        }
        scene.check_unpublished(&scene.before, "all of it").await;
    });
}

#[test]
fn a_crash_of_an_import_keeps_what_has_heads() {
    run(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = open(folder.path());
        begun_with(&log, 3).await;
        let before = Files::read(folder.path());
        let more = batch(&state(&log).await, people(3..6), 2_000);
        log.append_published(more.registrations.clone(), sign(&more))
            .await
            .expect("it is appended");
        let after = Files::read(folder.path());
        drop(log);
        let line_ends = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
        let (users, heads) = (before.users.len()..after.users.len(), before.heads.len()..after.heads.len());
        let of_users = users.step_by(STEP).map(|users| (users, before.heads.len()));
        let of_heads = heads.step_by(STEP).map(|heads| (after.users.len(), heads));
        let ends = [1, 0].map(|missing| (after.users.len(), after.heads.len() - missing));
        for (users, heads) in of_users.chain(of_heads).chain(ends) {
            let left = Files {
                users: after.users[..users].to_vec(),
                heads: after.heads[..heads].to_vec(),
                ..after.clone()
            };
            left.write(folder.path());
            let log = open(folder.path());
            let ends_whole = after.heads.get(heads) == Some(&b'\n');
            let size = line_ends(&left.heads) + u64::from(ends_whole);
            assert_eq!(
                (state(&log).await.size, state(&log).await.heads),
                (size, size),
                "{users} and {heads} bytes"
            );
            let rest = batch(&state(&log).await, people(size..6), 2_000);
            if size < 6 {
                log.append_published(rest.registrations.clone(), sign(&rest))
                    .await
                    .expect("it goes on");
            }
            drop(log);
            assert!(Files::read(folder.path()) == after, "{users} and {heads} bytes");
        }
        let aside = fs::read(folder.path().join("unpublished.jsonl")).expect("leaves without heads were set aside");
        assert!(line_ends(&aside) > 3);
    });
}

#[test]
fn a_complete_last_line_without_its_line_feed_counts() {
    run(async {
        let scene = Scene::new().await;
        let mut left = scene.after.clone();
        assert_eq!((left.users.pop(), left.heads.pop()), (Some(b'\n'), Some(b'\n')));
        scene.check_published(&left, "without line feeds").await;
        let log = open(&scene.path());
        publish(&log, people(5..7), 3_000).await.expect("it goes on");
        drop(log);
        assert_eq!(state(&open(&scene.path())).await.size, 7);
    });
}

#[test]
fn what_no_crash_leaves_is_refused() {
    run(async {
        let scene = Scene::new().await;
        let Scene { before, after, .. } = &scene;
        let lines = |bytes: &[u8]| -> Vec<Vec<u8>> { bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() };
        let without = |bytes: &[u8], line: usize| -> Vec<u8> {
            let mut lines = lines(bytes);
            lines.remove(line);
            lines.concat()
        };
        let replaced = |bytes: &[u8], from: &str, to: &str| {
            let text = String::from_utf8(bytes.to_vec()).expect("it is text");
            assert!(text.contains(from), "{text}");
            text.replacen(from, to, 1).into_bytes()
        };
        let change = |files: &Files, change: &dyn Fn(&mut Files)| {
            let mut files = files.clone();
            change(&mut files);
            files
        };
        let stranger = format!("{}\n", serde_json::to_string(&people(9..10)[0]).expect("it serialises"));
        for (left, words) in [
            (
                change(after, &|files| files.users = without(&files.users, 1)),
                "it holds 4 leaves of 5",
            ),
            (change(after, &|files| files.users.clear()), "it holds 0 leaves of 5"),
            (
                change(after, &|files| files.users = replaced(&files.users, ":3}", ":3 3}")),
                "no registration",
            ),
            (
                change(after, &|files| files.users = replaced(&files.users, "nexo:3", "nexo:4")),
                "do not have the root",
            ),
            (
                change(after, &|files| files.heads = replaced(&files.heads, "\"root\"", "oot")),
                "line 1 is no tree head",
            ),
            (
                change(after, &|files| {
                    let mut lines = lines(&files.heads);
                    lines.swap(1, 2);
                    files.heads = lines.concat();
                }),
                "the log does not grow there",
            ),
            (
                change(before, &|files| files.users.extend(stranger.as_bytes())),
                "line 3 is a leaf that was not proposed",
            ),
            (
                change(before, &|files| {
                    files.users.clone_from(&after.users);
                    files.users.extend(stranger.as_bytes());
                }),
                "line 6 is a leaf that was not proposed",
            ),
            (
                change(before, &|files| {
                    files.heads = replaced(&after.heads, "\"timestamp\":2000", "\"timestamp\":2001");
                }),
                "heads that were not proposed",
            ),
            (
                change(before, &|files| files.heads = without(&files.heads, 1)),
                "it ends before the proposal begins",
            ),
            (
                change(before, &|files| files.proposal = Some(b"{\"first\":2".to_vec())),
                "proposal.json",
            ),
            (
                change(after, &|files| files.users.extend(b"no leaf\n")),
                "line 6 is no registration",
            ),
            (change(after, &|files| files.log = b"{}".to_vec()), "log.json"),
        ] {
            left.write(&scene.path());
            let refusal = refusal(&scene.path());
            assert!(refusal.contains(words), "{refusal} instead of {words}");
            assert!(Files::read(&scene.path()) == left, "a refusal changes nothing: {words}");
        }
    });
}

#[test]
fn two_processes_never_have_it_open_at_once() {
    run(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = open(folder.path());
        assert!(refusal(folder.path()).contains("another process"), "{}", refusal(folder.path()));
        drop(log);
        open(folder.path());
    });
}

#[test]
fn only_its_owner_may_read_it() {
    run(async {
        let scene = Scene::new().await;
        scene.before.write(&scene.path());
        let log = open(&scene.path());
        log.compact().await.expect("it is compacted");
        publish_pending(&log).await;
        log.propose(Arc::new(batch(&state(&log).await, people(5..6), 9)))
            .await
            .expect("it is kept");
        let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&scene.path()), 0o700);
        for name in [USERS, HEADS, "log.json", PROPOSAL] {
            assert_eq!(mode(&scene.path().join(name)), 0o600, "{name}");
        }
    });
}

async fn publish_pending(log: &LogStore) {
    let pending = Arc::new(state(log).await.pending.expect("one is pending"));
    log.publish(Arc::clone(&pending), sign(&pending)).await.expect("it is published");
}

#[test]
fn compacting_frees_what_is_not_part_of_the_log() {
    run(async {
        let scene = Scene::new().await;
        let sloppy = |bytes: &[u8]| -> Vec<u8> {
            let text = String::from_utf8(bytes.to_vec()).expect("it is text");
            format!("\n  {}", text.replace("\":", "\" : ").replace('\n', "  \r\n\n   \n")).into_bytes()
        };
        let left = Files {
            users: sloppy(&scene.after.users),
            heads: sloppy(&scene.after.heads),
            proposal: scene.before.proposal.clone(),
            log: scene.after.log.clone(),
        };
        left.write(&scene.path());
        let log = open(&scene.path());
        let before = (state(&log).await, log.leaves(0, 10).await, log.heads(None, 10).await);
        assert_eq!(before.0.size, 5);
        let compacted = log.compact().await.expect("it is compacted");
        assert_eq!(compacted.bytes_after, (scene.after.users.len() + scene.after.heads.len()) as u64);
        assert!(compacted.bytes_before > compacted.bytes_after);
        assert!(Files::read(&scene.path()) == scene.after, "exactly the log is left");
        assert_eq!((state(&log).await, log.leaves(0, 10).await, log.heads(None, 10).await), before);
        publish(&log, people(5..7), 3_000).await.expect("it goes on");
        drop(log);
        assert_eq!(state(&open(&scene.path())).await.size, 7);

        // A crash between the two replacements leaves one of each, and one that was not whole.
        for (users, heads) in [(&scene.after.users, &left.heads), (&left.users, &scene.after.heads)] {
            let mixed = Files {
                users: users.clone(),
                heads: heads.clone(),
                ..left.clone()
            };
            mixed.write(&scene.path());
            fs::write(scene.path().join("sth.jsonl.tmp"), b"half a li").expect("the file is written");
            let log = open(&scene.path());
            assert_eq!((state(&log).await, log.leaves(0, 10).await, log.heads(None, 10).await), before);
            log.compact().await.expect("it is compacted");
            drop(log);
            assert!(Files::read(&scene.path()) == scene.after);
            assert!(!scene.path().join("sth.jsonl.tmp").exists());
        }
    });
}

#[test]
fn compacting_a_damaged_log_changes_nothing() {
    run(async {
        let scene = Scene::new().await;
        let text = String::from_utf8(scene.after.heads.clone()).expect("it is text");
        // What opening does not look at: the signatures' shape and the chain in the middle.
        let second = text.lines().nth(1).expect("there is a second");
        for (bad, words) in [
            (second.replace("\"sig\"", "\"gis\""), "line 2 is no tree head"),
            (
                second.replace("\"prev_hash\":\"", "\"prev_hash\":\"\",\"x\":\""),
                "line 2 does not link",
            ),
            (second.replace("\"timestamp\":1000", "\"timestamp\":1001"), "line 3 does not link"),
        ] {
            assert_ne!(bad, second);
            let left = Files {
                heads: text.replacen(second, &bad, 1).into_bytes(),
                ..scene.after.clone()
            };
            left.write(&scene.path());
            let log = open(&scene.path());
            match log.compact().await {
                Err(StoreError::Internal { cause, .. }) => assert!(cause.contains(words), "{cause} instead of {words}"),
                other => panic!("{other:?}"),
            }
            drop(log);
            assert!(Files::read(&scene.path()) == left);
            assert_eq!(
                fs::read_dir(scene.path()).expect("it is read").count(),
                3,
                "nothing half done is left"
            );
        }
    });
}

#[test]
fn a_disk_that_is_full_at_any_byte_is_recovered_from() {
    run(async {
        let scene = Scene::new().await;
        let used = (scene.before.users.len() + scene.before.heads.len()) as u64;
        let needed = (scene.after.users.len() + scene.after.heads.len()) as u64;
        for bytes_max in (used..needed).step_by(STEP).chain([needed - 1]) {
            scene.before.write(&scene.path());
            let log = LogStore::jsonl(
                &scene.path(),
                JsonlOptions {
                    bytes_max: Some(bytes_max),
                },
            )
            .expect("the files open");
            for _ in 0..2 {
                let answer = log.publish(Arc::clone(&scene.batch), sign(&scene.batch)).await;
                assert_eq!(answer, Err(StoreError::Full), "{bytes_max}");
            }
            assert_eq!((state(&log).await.size, state(&log).await.heads), (2, 2));
            assert_eq!(state(&log).await.pending.as_ref(), Some(&*scene.batch));
            assert!(Files::read(&scene.path()) == scene.before, "{bytes_max}: nothing is left of it");
        }
        scene.check_unpublished(&scene.before, "with room").await;
    });
}

#[test]
fn a_log_of_another_program_is_read_as_it_is() {
    run(async {
        let scene = Scene::new().await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy_folder(&scene.path(), folder.path());
        fs::remove_file(folder.path().join("log.json")).expect("the file is removed");
        let log = open(folder.path());
        assert_eq!((state(&log).await.log_id, state(&log).await.size), (None, 5));
        log.begin(LOG).await.expect("it gets a name");
        publish(&log, people(5..6), 3_000).await.expect("it goes on");
    });
}
