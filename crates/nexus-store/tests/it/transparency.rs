//! The laws of the key log's storage, each on tables and on files.

use std::collections::HashMap;
use std::sync::Arc;

use nexus_crypto::hashes::Hash;
use nexus_crypto::logs::LogId;
use nexus_crypto::proofs::{verify_consistency, verify_inclusion};
use nexus_crypto::registrations::Registration;
use nexus_crypto::tree_heads::{PrevHash, TreeHead};
use nexus_crypto::trees::{Node, RightEdge, consistency_path, inclusion_path};
use nexus_store::StoreError;
use nexus_store::transparency::{Batch, LogState, LogStore};
use nexus_types::limits::{HEADS_PAGE_MAX, ID_HISTORY_MAX, LEAVES_PAGE_MAX, LOG_BATCH_MAX};

use crate::key_log::{Home, LOG, Room, batch, begun_with, id, key, naive_root, people, publish, registration, sign};

async fn state(log: &LogStore) -> LogState {
    log.state().await.expect("the state is read")
}

fn assert_refused<T: std::fmt::Debug>(answer: Result<T, StoreError>, words: &str) {
    match answer {
        Err(StoreError::Internal { cause, .. }) => assert!(cause.contains(words), "{cause} instead of {words}"),
        other => panic!("{other:?} instead of {words}"),
    }
}

async fn a_new_log_is_empty_and_named_once(mut home: Home) {
    let log = home.open().await;
    assert_eq!(state(&log).await, LogState::default());
    let early = Arc::new(batch(&LogState::default(), people(0..1), 5));
    assert_refused(log.propose(early).await, "not begun");
    assert_refused(log.set_keys(vec![]).await, "not begun");
    log.begin(LOG).await.expect("it begins");
    log.begin(LOG).await.expect("twice is once");
    assert_refused(log.begin(LogId([8; 32])).await, "another id");
    drop(log);
    let log = home.open().await;
    let begun = LogState {
        log_id: Some(LOG),
        ..LogState::default()
    };
    assert_eq!(state(&log).await, begun);
    assert_eq!(log.leaf(0).await, Ok(None));
    assert_eq!(log.heads(None, 10).await, Ok(vec![]));
    assert_eq!(log.growth(0, 3_600).await, Ok(vec![]));
}

async fn a_proposal_is_invisible_until_it_is_published(mut home: Home) {
    let log = home.open().await;
    begun_with(&log, 3).await;
    let before = state(&log).await;
    let next = Arc::new(batch(&before, people(3..6), 2_000));
    log.propose(Arc::clone(&next)).await.expect("it is kept");
    let pending = LogState {
        pending: Some((*next).clone()),
        ..before.clone()
    };
    assert_eq!(state(&log).await, pending, "nothing else changed");
    assert_eq!(log.leaves(3, 10).await, Ok(vec![]));
    assert_eq!(log.head_at(4).await, Ok(None));
    assert!(log.current(vec![id("did:nexo:3")]).await.expect("it is read").is_empty());
    assert_refused(log.nodes(vec![Node { level: 0, index: 3 }]).await, "not in the tree");

    let heads = sign(&next);
    log.publish(next, heads.clone()).await.expect("it is published");
    let after = state(&log).await;
    assert_eq!((after.size, after.users, after.heads, after.pending), (6, 6, 6, None));
    assert_eq!(after.head.as_ref(), heads.last());
    assert_eq!(log.leaves(3, 10).await.expect("they are read").len(), 3);
    assert_eq!(log.head_at(4).await, Ok(Some(heads[0].clone())));
}

async fn a_proposal_is_never_changed_nor_lost(mut home: Home) {
    let log = home.open().await;
    begun_with(&log, 3).await;
    let before = state(&log).await;
    let (mine, other) = (
        Arc::new(batch(&before, people(3..6), 2_000)),
        Arc::new(batch(&before, people(3..5), 2_000)),
    );
    log.propose(Arc::clone(&mine)).await.expect("it is kept");
    log.propose(Arc::clone(&mine)).await.expect("twice is once");
    assert_refused(log.propose(Arc::clone(&other)).await, "another is pending");
    assert_refused(log.publish(Arc::clone(&other), sign(&other)).await, "another is pending");
    assert_refused(log.publish(Arc::clone(&mine), sign(&other)).await, "not those that were proposed");
    assert_refused(log.append_published(people(3..5), sign(&other)).await, "a batch is pending");
    drop(log);
    let log = home.kill_and_open().await;
    assert_eq!(state(&log).await.pending.as_ref(), Some(&*mine));
    assert_eq!(state(&log).await.size, 3);
    log.publish(Arc::clone(&mine), sign(&mine)).await.expect("it is published");
    drop(log);
    let log = home.kill_and_open().await;
    assert_eq!((state(&log).await.size, state(&log).await.pending), (6, None));
}

async fn publishing_again_changes_nothing(mut home: Home) {
    let log = home.open().await;
    begun_with(&log, 3).await;
    let next = Arc::new(batch(&state(&log).await, people(3..6), 2_000));
    assert_refused(log.publish(Arc::clone(&next), sign(&next)).await, "none is pending");
    log.propose(Arc::clone(&next)).await.expect("it is kept");
    log.publish(Arc::clone(&next), sign(&next)).await.expect("it is published");
    let after = state(&log).await;
    let mut by_others = sign(&next);
    for signed in &mut by_others {
        signed.signatures.truncate(1);
    }
    for again in [sign(&next), by_others] {
        log.publish(Arc::clone(&next), again).await.expect("it is published already");
    }
    assert_eq!(state(&log).await, after, "the first signatures stay");
    assert_refused(log.propose(Arc::clone(&next)).await, "does not begin where the log ends");
    let nothing = Batch {
        first: 6,
        registrations: vec![],
        heads: vec![],
    };
    assert_refused(log.publish(Arc::new(nothing), vec![]).await, "none is pending");
}

/// A fault that is planted into a good batch.
type Change = fn(&mut Batch);

async fn a_batch_that_is_wrong_in_itself_is_refused(mut home: Home) {
    let log = home.open().await;
    begun_with(&log, 3).await;
    let before = state(&log).await;
    let changes: [(&str, Change); 10] = [
        ("does not begin where the log ends", |batch| batch.first = 2),
        ("there is no leaf", |batch| {
            batch.registrations.clear();
            batch.heads.clear();
        }),
        ("the last leaf has no head", |batch| batch.heads.truncate(2)),
        ("is not one of these leaves", |batch| batch.registrations.truncate(2)),
        ("is not one of these leaves", |batch| batch.heads[1].tree_size = 4),
        ("has another root", |batch| batch.registrations[1].timestamp_s += 1),
        ("has another root", |batch| batch.heads[2].root = Hash::EMPTY),
        ("does not link", |batch| batch.heads[0].prev_hash = PrevHash(None)),
        ("does not link", |batch| batch.heads[1].timestamp += 1),
        ("another policy", |batch| batch.heads[2].policy.t = 1),
    ];
    for (words, change) in changes {
        let mut wrong = batch(&before, people(3..6), 2_000);
        change(&mut wrong);
        assert_refused(log.propose(Arc::new(wrong.clone())).await, words);
        if words != "does not begin where the log ends" {
            assert_refused(log.append_published(wrong.registrations.clone(), sign(&wrong)).await, words);
        }
    }
    let long = batch(&before, people(3..4 + LOG_BATCH_MAX as u64), 2_000);
    assert_refused(log.propose(Arc::new(long)).await, "too long");
    assert_eq!(state(&log).await, before);
    drop(log);
    assert_eq!(state(&home.open().await).await, before);
}

async fn leaves_and_heads_are_paged(mut home: Home) {
    let log = home.open().await;
    begun_with(&log, 1_050).await;
    let all: Vec<_> = people(0..1_050);
    let page = log.leaves(10, 3).await.expect("they are read");
    assert_eq!(page.iter().map(|leaf| leaf.index).collect::<Vec<_>>(), [10, 11, 12]);
    assert!(page.iter().all(|leaf| leaf.registration == all[leaf.index as usize]));
    assert_eq!(
        log.leaf(1_049).await.expect("it is read").expect("it is there").registration,
        all[1_049]
    );
    assert_eq!(log.leaves(0, usize::MAX).await.expect("they are read").len(), LEAVES_PAGE_MAX);
    assert_eq!(log.leaves(1_048, 100).await.expect("they are read").len(), 2);
    for beyond in [1_050, u64::MAX] {
        assert_eq!(log.leaves(beyond, 100).await, Ok(vec![]));
        assert_eq!(log.leaf(beyond).await, Ok(None));
        assert_eq!(log.head_at(beyond.max(1_051)).await, Ok(None));
    }
    assert_eq!(log.leaves(0, 0).await, Ok(vec![]));

    let sizes = |heads: Vec<TreeHead>| heads.iter().map(|signed| signed.head.tree_size).collect::<Vec<_>>();
    assert_eq!(sizes(log.heads(None, 3).await.expect("they are read")), [1_050, 1_049, 1_048]);
    assert_eq!(sizes(log.heads(Some(3), 10).await.expect("they are read")), [2, 1]);
    assert_eq!(sizes(log.heads(Some(u64::MAX), 1).await.expect("they are read")), [1_050]);
    assert_eq!(log.heads(Some(1), 10).await, Ok(vec![]));
    assert_eq!(log.heads(None, usize::MAX).await.expect("they are read").len(), HEADS_PAGE_MAX);
    assert_eq!(log.head_at(0).await, Ok(None));
    assert_eq!(
        log.head_at(1_050).await.expect("it is read"),
        log.heads(None, 1).await.expect("it is read").pop()
    );
}

async fn an_id_has_a_current_leaf_and_a_history(mut home: Home) {
    let log = home.open().await;
    log.begin(LOG).await.expect("it begins");
    let (ann, bob) = (|key: u8| registration("ann", key, 10 + i64::from(key)), registration("bob", 0, 10));
    publish(&log, vec![ann(0), bob.clone(), ann(1)], 20)
        .await
        .expect("two of one id in a batch");
    publish(&log, vec![ann(2)], 30).await.expect("it is published");
    for _ in 0..2 {
        let log = home_log(&mut home, &log).await;
        assert_eq!(state(&log).await.users, 2);
        let current = log.current(vec![id("ann"), id("bob"), id("eve")]).await.expect("they are read");
        let found: HashMap<_, _> = current
            .iter()
            .map(|(id, leaf)| (id.as_str(), (leaf.index, leaf.registration.clone())))
            .collect();
        assert_eq!(found, HashMap::from([("ann", (3, ann(2))), ("bob", (1, bob.clone()))]));
        let history = log.history(id("ann")).await.expect("it is read");
        assert_eq!(
            history
                .iter()
                .map(|leaf| (leaf.index, leaf.registration.clone()))
                .collect::<Vec<_>>(),
            [(0, ann(0)), (2, ann(1)), (3, ann(2))]
        );
        assert_eq!(log.history(id("eve")).await, Ok(vec![]));
    }
}

/// The same log for the first time, and after `kill -9` for the second.
async fn home_log(home: &mut Home, log: &LogStore) -> LogStore {
    if state(log).await.keys.is_empty() {
        log.set_keys(vec![key("cosigner_0", 1, 0)]).await.expect("a mark is set");
        log.clone()
    } else {
        home.kill_and_open().await
    }
}

async fn a_long_history_keeps_its_newest(mut home: Home) {
    let log = home.open().await;
    log.begin(LOG).await.expect("it begins");
    let count = ID_HISTORY_MAX + 24;
    let all: Vec<Registration> = (0..count).map(|at| registration("ann", 1, at as i64)).collect();
    for some in all.chunks(LOG_BATCH_MAX) {
        publish(&log, some.to_vec(), 5).await.expect("it is published");
    }
    let history = log.history(id("ann")).await.expect("it is read");
    assert_eq!(history.len(), ID_HISTORY_MAX);
    assert_eq!((history[0].index, history[ID_HISTORY_MAX - 1].index), (24, count as u64 - 1));
    assert_eq!(state(&log).await.users, 1);
}

async fn stored_nodes_prove_every_leaf_and_every_beginning(mut home: Home) {
    const SIZE: u64 = 37;
    let log = home.open().await;
    log.begin(LOG).await.expect("it begins");
    for (first, end) in [(0, 1), (1, 8), (8, 9), (9, 24), (24, SIZE)] {
        publish(&log, people(first..end), 5).await.expect("it is published");
    }
    let leaves: Vec<Hash> = people(0..SIZE).iter().map(Registration::leaf).collect();
    let root = |size: u64| naive_root(&leaves[..size as usize]);
    for size in 1..=SIZE {
        let head = log.head_at(size).await.expect("it is read").expect("it is there");
        assert_eq!(head.head.root, root(size));
        let all: Vec<Node> = RightEdge::nodes(size);
        let peaks = log.nodes(all).await.expect("they are there");
        assert_eq!(RightEdge::restore(size, peaks).expect("they fit").root(), root(size));
    }
    for index in 0..SIZE {
        let path = path(&log, |node| inclusion_path(index, SIZE, node)).await;
        assert!(
            verify_inclusion(&leaves[index as usize], index, SIZE, &path, &root(SIZE)),
            "{index}"
        );
        let first = index + 1;
        let path = self::path(&log, |node| consistency_path(first, SIZE, node)).await;
        assert!(verify_consistency(first, SIZE, &root(first), &root(SIZE), &path), "{first}");
    }
    for (level, index) in [(0, SIZE), (1, SIZE / 2), (6, 0), (63, 0), (u32::MAX, u64::MAX)] {
        assert_refused(log.nodes(vec![Node { level, index }]).await, "not in the tree");
    }
}

/// Makes a proof as the use case does: first learn which nodes it takes, then ask for them at once.
async fn path(log: &LogStore, make: impl Fn(&mut dyn FnMut(Node) -> Option<Hash>) -> Option<Vec<Hash>>) -> Vec<Hash> {
    let mut wanted = Vec::new();
    make(&mut |node| {
        wanted.push(node);
        Some(Hash::EMPTY)
    })
    .expect("it can be proven");
    let hashes = log.nodes(wanted.clone()).await.expect("the nodes are there");
    let found: HashMap<Node, Hash> = wanted.into_iter().zip(hashes).collect();
    make(&mut |node| found.get(&node).copied()).expect("it can be proven")
}

async fn growth_is_counted_by_the_time_of_heads(mut home: Home) {
    let log = home.open().await;
    log.begin(LOG).await.expect("it begins");
    for (range, time) in [(0..3, 100), (3..4, 3_599), (4..9, 3_600), (9..10, 9_000), (10..12, 9_000)] {
        publish(&log, people(range), time).await.expect("it is published");
    }
    for (since, step, expected) in [
        (0, 3_600, vec![(0, 4), (3_600, 5), (7_200, 3)]),
        (200, 3_600, vec![(0, 4), (3_600, 5), (7_200, 3)]),
        (3_600, 3_600, vec![(3_600, 5), (7_200, 3)]),
        (3_599, 100, vec![(3_500, 1), (3_600, 5), (9_000, 3)]),
        (9_001, 3_600, vec![(7_200, 3)]),
        (10_800, 3_600, vec![]),
        (-5_000, 86_400, vec![(0, 12)]),
    ] {
        assert_eq!(log.growth(since, step).await, Ok(expected), "since {since} by {step}");
    }
}

async fn keys_are_kept_as_they_were_set(mut home: Home) {
    let log = home.open().await;
    log.begin(LOG).await.expect("it begins");
    let mut keys = vec![key("cosigner_1", 4, 7), key("cosigner_0", 1, 0), key("cosigner_2", 3, 9)];
    log.set_keys(keys.clone()).await.expect("they are kept");
    assert_eq!(state(&log).await.keys, keys);
    keys.push(key("cosigner_0", 2, 5));
    keys.remove(1);
    log.set_keys(keys.clone()).await.expect("they are kept");
    assert_refused(log.set_keys(vec![keys[0].clone(); 1_001]).await, "too many");
    drop(log);
    assert_eq!(state(&home.kill_and_open().await).await.keys, keys);
}

async fn what_was_published_elsewhere_is_appended(mut home: Home) {
    let log = home.open().await;
    begun_with(&log, 2).await;
    let mut more = batch(&state(&log).await, people(2..300), 2_000);
    // A log may have been published with a head for many leaves.
    more.heads.drain(3..200);
    relink(&mut more);
    log.append_published(more.registrations.clone(), sign(&more))
        .await
        .expect("it is appended");
    let after = state(&log).await;
    assert_eq!((after.size, after.users, after.heads), (300, 300, 103));
    assert_eq!(log.head_at(100).await, Ok(None));
    assert_eq!(
        log.leaf(100).await.expect("it is read").expect("it is there").registration,
        people(100..101)[0]
    );
    publish(&log, people(300..310), 3_000).await.expect("it goes on");
    drop(log);
    let log = home.kill_and_open().await;
    assert_eq!((state(&log).await.size, state(&log).await.heads), (310, 113));
    assert_eq!(log.growth(0, 1_000).await, Ok(vec![(1_000, 2), (2_000, 298), (3_000, 10)]));
}

fn relink(batch: &mut Batch) {
    for place in 1..batch.heads.len() {
        batch.heads[place].prev_hash = PrevHash(Some(batch.heads[place - 1].hash()));
    }
}

async fn compacting_changes_nothing_that_counts(mut home: Home) {
    let log = home.open().await;
    begun_with(&log, 150).await;
    log.set_keys(vec![key("cosigner_0", 1, 0)]).await.expect("they are kept");
    log.propose(Arc::new(batch(&state(&log).await, people(150..160), 2_000)))
        .await
        .expect("it is kept");
    let before = (state(&log).await, log.leaves(0, 1_000).await, log.heads(None, 1_000).await);
    let compacted = log.compact().await.expect("it is compacted");
    assert_eq!(compacted.bytes_before, compacted.bytes_after, "there was nothing to free");
    assert_eq!(
        (state(&log).await, log.leaves(0, 1_000).await, log.heads(None, 1_000).await),
        before
    );
    drop(log);
    let log = home.kill_and_open().await;
    assert_eq!(
        (state(&log).await, log.leaves(0, 1_000).await, log.heads(None, 1_000).await),
        before
    );
    let pending = Arc::new(before.0.pending.expect("it is still pending"));
    log.publish(Arc::clone(&pending), sign(&pending)).await.expect("it goes on");
}

async fn a_full_disk_loses_nothing_and_shows_nothing(mut home: Home) {
    let log = home.open_with(Room::Small).await;
    log.begin(LOG).await.expect("it begins");
    let mut published = 0;
    let (pending, error) = loop {
        let next = Arc::new(batch(&state(&log).await, people(published..published + 20), 5));
        if let Err(error) = log.propose(Arc::clone(&next)).await {
            break (None, error);
        }
        if let Err(error) = log.publish(Arc::clone(&next), sign(&next)).await {
            break (Some(next), error);
        }
        published += 20;
        assert!(published < 2_000, "the disk is small");
    };
    assert_eq!(error, StoreError::Full);
    assert!(published >= 20, "something fits");
    let (size, pending) = (published, pending.as_deref().cloned());
    for reopened in [false, true] {
        let log = if reopened { home.kill_and_open().await } else { log.clone() };
        let now = state(&log).await;
        assert_eq!(
            (now.size, now.heads, now.users, &now.pending),
            (size, size, size, &pending),
            "{reopened}"
        );
        assert_eq!(log.leaves(size, 10).await, Ok(vec![]));
        assert_eq!(log.leaves(0, 1_000).await.expect("they are read").len() as u64, size);
    }
    // The copy has room, so it goes on where it was.
    let log = home.kill_and_open().await;
    let next = pending.unwrap_or_else(|| batch(&LogState::default(), vec![], 0));
    if !next.heads.is_empty() {
        log.publish(Arc::new(next.clone()), sign(&next)).await.expect("there is room now");
    }
    publish(&log, people(5_000..5_020), 6).await.expect("there is room now");
}

/// What the log should hold, kept in the simplest way.
#[derive(Default)]
struct Model {
    leaves: Vec<Registration>,
    heads: Vec<TreeHead>,
    pending: Option<Batch>,
}

impl Model {
    async fn compare(&self, log: &LogStore) {
        let now = state(log).await;
        let hashes: Vec<Hash> = self.leaves.iter().map(Registration::leaf).collect();
        let users: std::collections::HashSet<_> = self.leaves.iter().map(|leaf| &leaf.id).collect();
        assert_eq!(now.size, self.leaves.len() as u64);
        assert_eq!(now.users, users.len() as u64);
        assert_eq!(now.pending, self.pending);
        assert_eq!(now.head.as_ref(), self.heads.last());
        assert_eq!(
            RightEdge::restore(now.size, now.peaks).expect("they fit").root(),
            naive_root(&hashes)
        );
        let leaves = log.leaves(0, 1_000).await.expect("they are read");
        assert!(leaves.iter().map(|leaf| &leaf.registration).eq(&self.leaves));
        let heads = log.heads(None, 1_000).await.expect("they are read");
        assert!(heads.iter().rev().eq(&self.heads));
        for id in users {
            let current = log.current(vec![id.clone()]).await.expect("it is read");
            let expected = self.leaves.iter().rposition(|leaf| leaf.id == *id);
            assert_eq!(current.get(id).map(|leaf| leaf.index as usize), expected);
        }
    }
}

async fn any_mixture_of_steps_and_kills_is_as_the_model_says(mut home: Home) {
    let mut log = home.open().await;
    log.begin(LOG).await.expect("it begins");
    let (mut model, mut seed) = (Model::default(), 42_u64);
    for step in 0..120_i64 {
        // Knuth's multiplier; the high bits are good enough to choose by.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (choice, count) = ((seed >> 33) % 10, (seed >> 43) % 6 + 1);
        let some: Vec<_> = (0..count)
            .map(|number| registration(&format!("id{}", (seed >> (20 + number)) % 30), number as u8, step))
            .collect();
        let next = batch(&state(&log).await, some, step);
        match (choice, model.pending.take()) {
            (0..5, None) => {
                log.propose(Arc::new(next.clone())).await.expect("it is kept");
                model.pending = Some(next);
            }
            (5, None) => {
                log.append_published(next.registrations.clone(), sign(&next))
                    .await
                    .expect("it is appended");
                model.heads.extend(sign(&next));
                model.leaves.extend(next.registrations);
            }
            (0..6, Some(pending)) => {
                log.publish(Arc::new(pending.clone()), sign(&pending))
                    .await
                    .expect("it is published");
                model.heads.extend(sign(&pending));
                model.leaves.extend(pending.registrations);
            }
            (6, pending) => {
                model.pending = pending;
                log.compact().await.expect("it is compacted");
            }
            (7, pending) => {
                model.pending = pending;
                drop(log);
                log = home.kill_and_open().await;
            }
            (_, pending) => {
                model.pending = pending;
                drop(log);
                log = home.open().await;
            }
        }
        if step % 10 == 9 {
            model.compare(&log).await;
        }
    }
    assert!(model.leaves.len() > 60, "{}", model.leaves.len());
}

async fn readers_see_whole_batches_while_it_grows(mut home: Home) {
    let log = home.open().await;
    begun_with(&log, 10).await;
    let reader = log.clone();
    let reads = tokio::task::spawn_local(async move {
        loop {
            let now = state(&reader).await;
            assert_eq!(now.size % 10, 0, "a batch is visible as a whole");
            assert_eq!(now.head.expect("there is one").head.tree_size, now.size);
            assert_eq!(now.heads, now.size);
            let last = reader.leaves(now.size - 10, 10).await.expect("they are read");
            assert_eq!(last.len(), 10, "what has a head has its leaves");
            reader.nodes(RightEdge::nodes(now.size)).await.expect("and its nodes");
            if now.size == 200 {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    for first in 1..20 {
        publish(&log, people(first * 10..first * 10 + 10), 5)
            .await
            .expect("it is published");
    }
    reads.await.expect("the reader saw nothing half done");
}

on_each_log!(
    a_new_log_is_empty_and_named_once,
    a_proposal_is_invisible_until_it_is_published,
    a_proposal_is_never_changed_nor_lost,
    publishing_again_changes_nothing,
    a_batch_that_is_wrong_in_itself_is_refused,
    leaves_and_heads_are_paged,
    an_id_has_a_current_leaf_and_a_history,
    a_long_history_keeps_its_newest,
    stored_nodes_prove_every_leaf_and_every_beginning,
    growth_is_counted_by_the_time_of_heads,
    keys_are_kept_as_they_were_set,
    what_was_published_elsewhere_is_appended,
    compacting_changes_nothing_that_counts,
    a_full_disk_loses_nothing_and_shows_nothing,
    any_mixture_of_steps_and_kills_is_as_the_model_says,
    readers_see_whole_batches_while_it_grows,
);
