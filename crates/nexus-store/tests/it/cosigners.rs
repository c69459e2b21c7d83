//! The laws of a cosigner's memory.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use nexus_crypto::cosigners::State;
use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::Signature;
use nexus_crypto::logs::LogId;
use nexus_store::StoreError;
use nexus_store::cosigners::{CosignerStore, Evidence, Signed};
use nexus_types::limits::{EVIDENCE_BYTES_MAX, EVIDENCE_MAX};
use tempfile::TempDir;

use crate::key_log::{LOG, copy_folder};

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("cosigner.db")
    }

    fn open(&self) -> CosignerStore {
        CosignerStore::open(&self.path(), LOG).expect("the file opens")
    }

    fn refusal(&self, log: LogId) -> String {
        match CosignerStore::open(&self.path(), log) {
            Ok(_) => panic!("it opens"),
            Err(error) => error.to_string(),
        }
    }

    /// What `kill -9` leaves at this moment.
    fn copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(self.0.path(), copy.0.path());
        copy
    }
}

fn leaf(number: u64) -> Hash {
    Hash::of(&number.to_be_bytes())
}

/// The state that these many more leaves lead to.
fn grown(before: &State, count: u64) -> (State, Vec<Hash>) {
    let leaves: Vec<Hash> = (before.size()..before.size() + count).map(leaf).collect();
    let mut state = before.clone();
    for leaf in &leaves {
        state.edge.append(*leaf);
    }
    state.last = Some(head(state.size()));
    (state, leaves)
}

fn head(size: u64) -> Hash {
    Hash::of(format!("head {size}").as_bytes())
}

fn signed(size: u64) -> Signed {
    Signed {
        size,
        head: head(size),
        signature: Signature([size as u8; 64]),
    }
}

#[test]
fn what_was_signed_is_remembered_before_it_is_told() {
    let home = Home::new();
    let store = home.open();
    assert_eq!(store.state(), Ok(State::new(LOG)));
    let (first, leaves) = grown(&State::new(LOG), 3);
    store
        .record(&first, &leaves, &[signed(1), signed(2), signed(3)])
        .expect("it is kept");
    let (second, leaves) = grown(&first, 2);
    store.record(&second, &leaves, &[signed(5)]).expect("it is kept");
    // Neither a kill nor closing changes what it knows.
    let killed = home.copy();
    drop(store);
    for home in [home, killed] {
        let store = home.open();
        assert_eq!(store.state(), Ok(second.clone()));
        for size in [1, 2, 3, 5] {
            assert_eq!(store.signed(size), Ok(Some((head(size), Signature([size as u8; 64])))), "{size}");
        }
        for size in [0, 4, 6, u64::MAX] {
            assert_eq!(store.signed(size), Ok(None), "{size}");
        }
    }
}

#[test]
fn a_size_is_signed_once() {
    let home = Home::new();
    let store = home.open();
    let (first, leaves) = grown(&State::new(LOG), 3);
    store.record(&first, &leaves, &[signed(3)]).expect("it is kept");
    let (second, leaves) = grown(&first, 2);
    for (state, leaves, signatures) in [
        (&second, &leaves[..], vec![signed(3)]),
        (&second, &leaves, vec![signed(6)]),
        (&second, &leaves, vec![]),
        (&second, &leaves[..1], vec![signed(5)]),
        (&second, &[], vec![signed(5)]),
        (&first, &leaves, vec![signed(3)]),
        (
            &State {
                last: None,
                ..second.clone()
            },
            &leaves,
            vec![signed(5)],
        ),
        (
            &State {
                log_id: LogId([9; 32]),
                ..second.clone()
            },
            &leaves,
            vec![signed(5)],
        ),
    ] {
        assert!(matches!(store.record(state, leaves, &signatures), Err(StoreError::Internal { .. })));
    }
    let twice = [signed(5), signed(4), signed(5)];
    assert!(
        store
            .record(&second, &leaves, &twice)
            .is_err_and(|error| error.is_unique_violation())
    );
    assert_eq!(store.state(), Ok(first), "nothing of a refused record is kept");
    assert_eq!(store.signed(4), Ok(None));
    store.record(&second, &leaves, &[signed(4), signed(5)]).expect("it is kept");
}

#[test]
fn one_that_was_away_catches_up_without_signing() {
    let home = Home::new();
    let store = home.open();
    let mut state = State::new(LOG);
    for count in [1, 1_000, 6] {
        let (next, leaves) = grown(&state, count);
        store.extend(&next, &leaves).expect("it is kept");
        assert!(matches!(store.extend(&next, &leaves), Err(StoreError::Internal { .. })));
        state = next;
    }
    drop(store);
    let store = home.open();
    assert_eq!(store.state(), Ok(state));
    assert_eq!(store.signed(1_007), Ok(None));
}

#[test]
fn a_memory_is_unused_until_something_was_seen() {
    let home = Home::new();
    std::fs::write(home.path(), b"").expect("it is made, and nothing else");
    assert_eq!(CosignerStore::is_unused(&home.path()), Ok(true));
    let store = home.open();
    store.refuse("link", "no link", "{}", 1).expect("it is kept");
    assert!(CosignerStore::is_unused(&home.path()).is_err(), "somebody has it open");
    drop(store);
    assert_eq!(CosignerStore::is_unused(&home.path()), Ok(true), "nothing was signed");
    let store = home.open();
    let (state, leaves) = grown(&store.state().expect("it is read"), 1);
    store.extend(&state, &leaves).expect("it is kept");
    drop(store);
    assert_eq!(CosignerStore::is_unused(&home.path()), Ok(false));
    std::fs::write(home.path(), b"no database").expect("damaged");
    assert!(CosignerStore::is_unused(&home.path()).is_err());
}

#[test]
fn refused_proposals_are_counted_and_forgotten_in_time() {
    let home = Home::new();
    let store = home.open();
    assert_eq!(store.refuse("two_roots", "two roots for 3 leaves", "{\"a\":1}", 100), Ok(true));
    assert_eq!(store.refuse("two_roots", "two roots for 3 leaves", "{\"a\":1}", 300), Ok(true));
    assert_eq!(store.refuse("link", "no link", "{\"a\":1}", 200), Ok(true));
    let long = "ä".repeat(EVIDENCE_BYTES_MAX);
    assert_eq!(store.refuse("shape", "misshapen", &long, 50), Ok(true));
    drop(store);
    let store = home.open();
    let found = store.evidence(10).expect("it is read");
    let first = Evidence {
        reason: "two_roots".into(),
        detail: "two roots for 3 leaves".into(),
        proposal: "{\"a\":1}".into(),
        times: 2,
        first_ms: 100,
        last_ms: 300,
    };
    assert_eq!(found[0], first);
    assert_eq!(
        found.iter().map(|evidence| evidence.reason.as_str()).collect::<Vec<_>>(),
        ["two_roots", "link", "shape"]
    );
    assert_eq!(found[2].proposal.len(), EVIDENCE_BYTES_MAX);
    assert_eq!(store.evidence(1).expect("it is read").len(), 1);
    assert_eq!(store.refused_count(), Ok(3), "what was asked again counts once");
    assert_eq!(store.sweep(201), Ok(2));
    assert_eq!(store.refused_count(), Ok(1));
    assert_eq!(store.evidence(10), Ok(vec![first]));
}

#[test]
fn evidence_has_a_bound_and_the_oldest_stays() {
    let home = Home::new();
    drop(home.open());
    rusqlite::Connection::open(home.path())
        .expect("the file opens")
        .execute(
            "INSERT INTO evidence (digest, reason, detail, proposal, first_ms, last_ms)
             WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) SELECT CAST(i AS BLOB), 'link', '', '', i, i FROM n",
            [EVIDENCE_MAX as i64],
        )
        .expect("the statement runs");
    let store = home.open();
    assert_eq!(store.refuse("root", "", "last", 5_000), Ok(true));
    assert_eq!(store.refuse("root", "", "one more", 5_001), Ok(false));
    assert_eq!(store.refuse("root", "", "last", 5_002), Ok(true), "what is kept is still counted");
    assert_eq!(store.evidence(usize::MAX).expect("it is read").len(), EVIDENCE_MAX);
    assert_eq!(store.sweep(500), Ok(498));
    assert_eq!(store.refuse("root", "", "one more", 5_003), Ok(true));
}

#[test]
fn nobody_else_opens_it_nor_for_another_log() {
    let home = Home::new();
    let store = home.open();
    assert!(home.refusal(LOG).contains("another process"), "{}", home.refusal(LOG));
    assert_eq!(home.path().metadata().expect("it is there").permissions().mode() & 0o777, 0o600);
    drop(store);
    assert!(home.refusal(LogId([9; 32])).contains("another log"));
    home.open();
}

#[test]
fn a_damaged_memory_is_refused() {
    for (damage, words) in [
        ("UPDATE seen SET size = 2", "do not fit"),
        ("UPDATE seen SET peaks = x'00'", "do not fit"),
        ("DELETE FROM leaves WHERE leaf_index = 1", "not as many"),
        ("DELETE FROM leaves WHERE leaf_index = 2", "not as many"),
    ] {
        let home = Home::new();
        let (state, leaves) = grown(&State::new(LOG), 3);
        home.open().record(&state, &leaves, &[signed(3)]).expect("it is kept");
        rusqlite::Connection::open(home.path())
            .and_then(|conn| conn.execute_batch(damage))
            .expect("the damage is done");
        assert!(home.refusal(LOG).contains(words), "{}", home.refusal(LOG));
    }
    let home = Home::new();
    std::fs::write(home.path(), "this is not a database, it is a letter".repeat(100)).expect("the file is written");
    assert!(home.refusal(LOG).contains("not a database"), "{}", home.refusal(LOG));
}
