//! The key log over both stores: what is answered, what is published, and what is not, while cosigners come and go.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use nexus_core::transparency::{
    Cosign, CosignError, CosignerState, Draft, LocalCosigner, Log, LogPorts, NewKey, Registered, RotateError, Seat, StartError,
    THIS_SERVER, rotate,
};
use nexus_core::{Clock, Error};
use nexus_crypto::audits::Audit;
use nexus_crypto::keys::{Signature, SigningKey};
use nexus_crypto::logs::{LogId, endorsement_message, keys_follow};
use nexus_crypto::proofs::{verify_consistency, verify_inclusion};
use nexus_crypto::proposals::{Extension, Proposal};
use nexus_crypto::registrations::{Id, Registration, Rotation, rotation_message};
use nexus_crypto::tree_heads::EndedAt;
use nexus_store::transparency::{JsonlOptions, LogStore};
use nexus_store::{Db, Options};
use nexus_types::ErrorCode;
use tempfile::TempDir;

const START_S: i64 = 1_795_166_227;
const LOG: LogId = LogId([7; 32]);

fn key(number: u64) -> SigningKey {
    let mut seed = [9; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_seed(&seed)
}

/// A cosigner that can be switched off, and that can lose its answer after signing.
struct Switch {
    inner: LocalCosigner,
    on: AtomicBool,
    mute: AtomicBool,
}

impl Cosign for Switch {
    fn sign(&self, proposal: Arc<Proposal>) -> BoxFuture<'_, Result<Vec<Signature>, CosignError>> {
        async move {
            if !self.on.load(Ordering::SeqCst) {
                return Err(away());
            }
            let signed = self.inner.sign(proposal).await;
            if self.mute.load(Ordering::SeqCst) { Err(away()) } else { signed }
        }
        .boxed()
    }

    fn extend(&self, extension: Extension) -> BoxFuture<'_, Result<u64, CosignError>> {
        async move {
            if self.on.load(Ordering::SeqCst) {
                self.inner.extend(extension).await
            } else {
                Err(away())
            }
        }
        .boxed()
    }
}

fn away() -> CosignError {
    CosignError::Unreachable {
        cause: "it is away".into(),
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Sql,
    Jsonl,
}

/// A log, its files, and its cosigners.
struct Stage {
    kind: Kind,
    folder: TempDir,
    clock: Clock,
    keys: [u64; 3],
}

/// A log that runs.
struct Scene {
    log: Log,
    switches: Vec<Arc<Switch>>,
}

impl Stage {
    fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Clock::fixed(START_S * 1_000);
        Self {
            kind,
            folder,
            clock,
            keys: [900, 901, 902],
        }
    }

    fn store(&self) -> LogStore {
        match self.kind {
            Kind::Sql => {
                let options = Options {
                    read_threads: 1,
                    cache_kib: 512,
                    ..Options::default()
                };
                LogStore::sql(Db::open(&self.folder.path().join("nexus.db"), options).expect("a good database"))
            }
            Kind::Jsonl => LogStore::jsonl(&self.folder.path().join("log"), JsonlOptions::default()).expect("good files"),
        }
    }

    async fn try_start(&self) -> Result<Scene, StartError> {
        let store = self.store();
        if store.state().await?.log_id.is_none() {
            store.begin(LOG).await?;
        }
        let switch = |number: usize| {
            let path = self.folder.path().join(format!("cosigner_{number}.db"));
            let inner = LocalCosigner::open(&path, key(self.keys[number]), LOG, self.clock.clone()).expect("a good record");
            Arc::new(Switch {
                inner,
                on: AtomicBool::new(true),
                mute: AtomicBool::new(false),
            })
        };
        let switches: Vec<_> = (0..3).map(switch).collect();
        let seat = |(number, switch): (usize, &Arc<Switch>)| Seat {
            name: format!("cosigner_{number}"),
            public_key: switch.inner.public_key(),
            operator: THIS_SERVER.into(),
            url: None,
            cosigner: switch.clone(),
        };
        let ports = LogPorts {
            store,
            clock: self.clock.clone(),
            seats: switches.iter().enumerate().map(seat).collect(),
            log_key: Arc::new(key(899)),
        };
        let log = Log::start(ports).await?;
        Ok(Scene { log, switches })
    }

    async fn start(&self) -> Scene {
        self.try_start().await.expect("it starts")
    }
}

fn draft(id: &str, number: u64, time_s: i64) -> Draft {
    let key = serde_json::to_value(key(number).public()).expect("it serialises");
    Draft {
        id: id.into(),
        public_key: key.as_str().expect("text").into(),
        timestamp: time_s,
        rotation: None,
    }
}

fn plain(id: &str, number: u64, time_s: i64) -> Registration {
    Registration::new(Id::parse(id).expect("a good id"), key(number).public(), time_s, time_s).expect("a good time")
}

fn rotated(from: &Registration, by: u64, to: u64, time_s: i64) -> (Draft, Registration) {
    let mut draft = draft(from.id.as_str(), to, time_s);
    let mut next = plain(from.id.as_str(), to, time_s);
    let message = rotation_message(&LOG, &from.leaf(), &next.leaf());
    let rotation = Rotation {
        old: key(by).sign(&message),
        new: key(to).sign(&message),
    };
    (draft.rotation, next.rotation) = (Some(rotation), Some(rotation));
    (draft, next)
}

impl Scene {
    async fn register(&self, id: &str, number: u64) -> Result<Registered, Error> {
        self.log.register(draft(id, number, START_S)).await
    }

    async fn code(&self, draft: Draft) -> Option<ErrorCode> {
        self.log.register(draft).await.expect_err("it is refused").code()
    }

    fn switch(&self, on: [bool; 3]) {
        for (switch, on) in self.switches.iter().zip(on) {
            switch.on.store(on, Ordering::SeqCst);
        }
    }

    /// Recomputes everything that was published.
    async fn audit(&self) -> u64 {
        let mut audit = Audit::begin(self.log.id(), self.log.document().keys());
        let size = self.log.counts().leaves;
        let leaves = self.log.leaves(0, 1_000).await.expect("leaves");
        let leaves: Vec<_> = leaves.into_iter().map(|leaf| leaf.registration).collect();
        let mut heads = self.log.chain(1_000, None).await.expect("heads");
        heads.reverse();
        audit.page(&leaves, &heads, |_, _| {}).expect("it is honest");
        for head in &heads {
            audit.signatures(head).expect("its signatures are good");
        }
        if let Some(latest) = self.log.latest() {
            audit.finish(&latest).expect("the latest is the newest");
        }
        assert_eq!(audit.size(), size);
        assert_eq!(audit.ids(), self.log.counts().users);
        size
    }

    /// Waits until nothing is pending.
    async fn settle(&self) {
        while self.log.counts().pending > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    async fn stop(self) {
        self.log.stop().await;
    }
}

macro_rules! on_both {
    ($($name:ident,)*) => {
        mod sql { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() { super::$name(super::Stage::new(super::Kind::Sql)).await; })* }
        mod jsonl { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() { super::$name(super::Stage::new(super::Kind::Jsonl)).await; })* }
    };
}

on_both! {
    a_registration_is_answered_with_its_leaf_and_head,
    many_at_once_are_one_history,
    an_id_changes_its_key_only_by_both,
    two_of_three_are_enough_and_the_third_catches_up,
    one_is_too_few_and_the_same_request_succeeds_later,
    a_lost_answer_makes_no_second_history,
    a_restart_goes_on_with_the_proposal,
    a_key_takes_the_place_of_another,
    a_foreign_key_is_no_cosigner,
}

async fn a_registration_is_answered_with_its_leaf_and_head(stage: Stage) {
    let scene = stage.start().await;
    assert_eq!((scene.log.latest(), scene.log.counts().leaves), (None, 0));
    let first = scene.register("did:nexo:a", 1).await.expect("it is registered");
    assert_eq!((first.new, first.leaf_index, first.tree_size), (true, 0, 1));
    let again = scene.register("did:nexo:a", 1).await.expect("it stands there");
    assert_eq!((again.new, again.leaf_index, &again.sth), (false, 0, &first.sth));
    let second = scene.register("did:nexo:b", 2).await.expect("it is registered");
    assert_eq!((second.leaf_index, second.sth.head.tree_size), (1, 2));
    assert_eq!(scene.log.latest().expect("there is one"), second.sth);
    assert_eq!(scene.code(draft("did:nexo:a", 3, START_S)).await, Some(ErrorCode::DidTaken));
    assert_eq!(
        scene.code(draft("did:nexo:c", 3, START_S + 301)).await,
        Some(ErrorCode::InvalidTimestamp)
    );
    let proof = scene.log.inclusion(0, 2).await.expect("a proof");
    assert!(verify_inclusion(&proof.leaf_hash, 0, 2, &proof.path, &second.sth.head.root));
    let proof = scene.log.consistency(1, 2).await.expect("a proof");
    assert!(verify_consistency(1, 2, &first.sth.head.root, &second.sth.head.root, &proof.path));
    for (index, size) in [(2, 2), (0, 3), (0, 0)] {
        let refused = scene.log.inclusion(index, size).await.expect_err("there is none").code();
        assert_eq!(refused, Some(ErrorCode::UnknownLeaf), "{index} of {size}");
    }
    assert_eq!(
        scene.log.consistency(0, 2).await.expect_err("nothing to prove").code(),
        Some(ErrorCode::UnknownLeaf)
    );
    let key_of = scene.log.key_of("did:nexo:b").await.expect("it reads");
    assert_eq!(key_of, Some(key(2).public()));
    assert_eq!(scene.log.key_of("no id").await.expect("it reads"), None);
    let hour_s = START_S / 3_600 * 3_600;
    let grown = scene.log.growth(1).await.expect("it reads");
    assert_eq!(
        grown.iter().map(|growth| (growth.start, growth.registrations)).collect::<Vec<_>>(),
        [(hour_s, 2)]
    );
    assert_eq!(scene.audit().await, 2);
    scene.stop().await;
}

async fn many_at_once_are_one_history(stage: Stage) {
    let scene = stage.start().await;
    let names: Vec<_> = (0..150).map(|number| format!("did:nexo:{}", number % 100)).collect();
    let all = join_all((0..150).map(|number| scene.register(&names[number], number as u64 % 100))).await;
    let all: Vec<_> = all
        .into_iter()
        .map(|one| one.expect("each is registered or stands there"))
        .collect();
    let indexes: BTreeSet<_> = all.iter().map(|one| one.leaf_index).collect();
    assert_eq!(indexes, (0..100).collect());
    assert_eq!(all.iter().filter(|one| one.new).count(), 100);
    for (number, one) in all.iter().enumerate() {
        assert_eq!(one.leaf_index, all[number % 100].leaf_index, "{number}");
        assert_eq!(one.sth.head.tree_size, one.leaf_index + 1);
    }
    assert_eq!(scene.audit().await, 100);
    scene.stop().await;
}

async fn an_id_changes_its_key_only_by_both(stage: Stage) {
    let scene = stage.start().await;
    scene.register("did:nexo:a", 1).await.expect("it is registered");
    let first = plain("did:nexo:a", 1, START_S);
    let (good, second) = rotated(&first, 1, 2, START_S + 1);
    let (by_a_stranger, _) = rotated(&first, 5, 2, START_S + 1);
    assert_eq!(scene.code(by_a_stranger).await, Some(ErrorCode::RotationInvalid));
    assert_eq!(
        scene.code(rotated(&first, 1, 2, START_S).0).await,
        Some(ErrorCode::RotationNotLater)
    );
    let done = scene.log.register(good.clone()).await.expect("both agree");
    assert_eq!((done.new, done.leaf_index), (true, 1));
    let again = scene.log.register(good.clone()).await.expect("it stands there");
    assert_eq!((again.new, again.leaf_index), (false, 1));
    let (third, registration) = rotated(&second, 2, 3, START_S + 2);
    scene.log.register(third).await.expect("both agree");
    // The rotation to key 2, sent once more now that the id has left it.
    assert_eq!(scene.code(good).await, Some(ErrorCode::KeyReturned));
    assert_eq!(
        scene.code(rotated(&registration, 3, 1, START_S + 3).0).await,
        Some(ErrorCode::KeyReturned)
    );
    assert_eq!(
        scene.code(rotated(&plain("did:nexo:x", 1, 1), 1, 2, 2).0).await,
        Some(ErrorCode::RotationInvalid)
    );
    let history = scene.log.history(first.id.clone()).await.expect("it reads");
    assert_eq!(history.iter().map(|leaf| leaf.index).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(scene.log.did(first.id).await.expect("it reads").registration, registration);
    assert_eq!(scene.audit().await, 3);
    assert_eq!(scene.log.counts().users, 1);
    scene.stop().await;
}

async fn two_of_three_are_enough_and_the_third_catches_up(stage: Stage) {
    let scene = stage.start().await;
    scene.register("did:nexo:0", 0).await.expect("three sign");
    scene.switch([true, false, true]);
    for number in 1..6 {
        scene.register(&format!("did:nexo:{number}"), number).await.expect("two sign");
    }
    assert_eq!(scene.log.cosigners()[1].state, CosignerState::Unreachable);
    let latest = scene.log.latest().expect("there is one");
    assert_eq!(
        latest.signatures.iter().map(|one| &*one.cosigner).collect::<Vec<_>>(),
        ["cosigner_0", "cosigner_2"]
    );
    // Now the one that was away is needed, and takes in what it missed.
    scene.switch([true, true, false]);
    let done = scene.register("did:nexo:6", 6).await.expect("two sign");
    assert_eq!(
        done.sth.signatures.iter().map(|one| &*one.cosigner).collect::<Vec<_>>(),
        ["cosigner_0", "cosigner_1"]
    );
    assert_eq!(scene.log.cosigners()[1].signed_size, Some(7));
    assert_eq!(scene.switches[1].inner.state().size(), 7);
    assert_eq!(scene.audit().await, 7);
    scene.stop().await;
}

async fn one_is_too_few_and_the_same_request_succeeds_later(stage: Stage) {
    let scene = stage.start().await;
    scene.register("did:nexo:0", 0).await.expect("three sign");
    scene.switch([true, false, false]);
    let refused = scene.register("did:nexo:1", 1).await.expect_err("one is too few");
    assert_eq!(refused.code(), Some(ErrorCode::NotPublished));
    assert_eq!(scene.log.counts().leaves, 1);
    let hidden = scene.log.did(Id::parse("did:nexo:1").expect("a good id")).await;
    assert_eq!(hidden.expect_err("it is not published").code(), Some(ErrorCode::UnknownDid));
    assert_eq!(scene.log.leaves(0, 10).await.expect("it reads").len(), 1);
    // What needs no publishing is answered at once.
    let known = scene.register("did:nexo:0", 0).await.expect("it stands there");
    assert_eq!((known.new, known.leaf_index), (false, 0));
    assert_eq!(scene.code(draft("did:nexo:0", 5, START_S)).await, Some(ErrorCode::DidTaken));
    scene.switch([true, true, false]);
    scene.settle().await;
    let done = scene.register("did:nexo:1", 1).await.expect("two sign");
    assert_eq!(done.leaf_index, 1);
    assert_eq!(scene.audit().await, 2);
    scene.stop().await;
}

async fn a_lost_answer_makes_no_second_history(stage: Stage) {
    let scene = stage.start().await;
    scene.switch([true, true, false]);
    scene.switches[1].mute.store(true, Ordering::SeqCst);
    let refused = scene.register("did:nexo:0", 0).await.expect_err("the answer of one is lost");
    assert_eq!(refused.code(), Some(ErrorCode::NotPublished));
    assert_eq!(scene.switches[1].inner.state().size(), 1, "it did sign");
    scene.switches[1].mute.store(false, Ordering::SeqCst);
    scene.settle().await;
    assert_eq!(scene.register("did:nexo:0", 0).await.expect("two signed").leaf_index, 0);
    assert_eq!(scene.audit().await, 1);
    assert!(scene.switches[1].inner.evidence(10).expect("it reads").is_empty());
    scene.stop().await;
}

async fn a_restart_goes_on_with_the_proposal(stage: Stage) {
    let scene = stage.start().await;
    scene.register("did:nexo:0", 0).await.expect("three sign");
    scene.switch([true, false, false]);
    scene.register("did:nexo:1", 1).await.expect_err("one is too few");
    let signed = scene.switches[0].inner.state();
    scene.stop().await;
    // Another clock, so that a proposal made anew would be another one.
    stage.clock.set((START_S + 50) * 1_000);
    let scene = stage.start().await;
    scene.settle().await;
    assert_eq!(scene.switches[0].inner.state(), signed, "it signed the identical head again");
    let latest = scene.log.latest().expect("there is one");
    assert_eq!((latest.head.tree_size, latest.head.timestamp), (2, START_S));
    assert_eq!(scene.register("did:nexo:1", 1).await.expect("it stands there").leaf_index, 1);
    assert_eq!(scene.audit().await, 2);
    scene.stop().await;
}

async fn a_key_takes_the_place_of_another(mut stage: Stage) {
    let scene = stage.start().await;
    scene.register("did:nexo:0", 0).await.expect("three sign");
    let before = scene.log.document().keys();
    let last = scene.log.latest().expect("there is one").head;
    scene.stop().await;
    let store = stage.store();
    let new = NewKey {
        cosigner: "cosigner_1".into(),
        public_key: key(950).public(),
        from_s: START_S + 10,
        endorsement: Some(key(901).sign(&endorsement_message(&LOG, "cosigner_1", &key(950).public(), START_S + 10))),
        operator: THIS_SERVER.into(),
        url: None,
    };
    let try_with = async |change: fn(&mut NewKey)| {
        let mut bad = new.clone();
        change(&mut bad);
        rotate(&store, bad, START_S).await.expect_err("it is refused")
    };
    assert!(matches!(try_with(|new| new.from_s = START_S).await, RotateError::From(START_S)));
    assert!(matches!(try_with(|new| new.from_s += 1_000).await, RotateError::From(_)));
    assert!(matches!(try_with(|new| new.from_s += 1).await, RotateError::Endorsement));
    assert!(matches!(
        try_with(|new| new.cosigner = "cosigner_9".into()).await,
        RotateError::UnknownCosigner(_)
    ));
    assert!(matches!(
        try_with(|new| new.public_key = key(902).public()).await,
        RotateError::KnownKey(_)
    ));
    rotate(&store, new, START_S).await.expect("the old key agrees");
    drop(store);
    assert!(matches!(stage.try_start().await.err(), Some(StartError::KeyDiffers { cosigner }) if cosigner == "cosigner_1"));
    stage.keys[1] = 950;
    let scene = stage.start().await;
    assert_eq!(keys_follow(&LOG, &before, &scene.log.document().keys()), Ok(()));
    let ended_at = EndedAt {
        tree_size: 1,
        head: last.hash(),
    };
    assert_eq!(
        scene.log.document().keys().0[1].ended_at,
        Some(ended_at),
        "bound to the head at which it ended"
    );
    // The server's clock has not come so far, and still no head is older than the keys that sign it.
    let done = scene.register("did:nexo:1", 1).await.expect("three sign");
    assert_eq!(done.sth.head.timestamp, START_S + 10);
    assert_eq!(scene.audit().await, 2);
    scene.stop().await;
}

async fn a_foreign_key_is_no_cosigner(mut stage: Stage) {
    let scene = stage.start().await;
    scene.stop().await;
    stage.keys[2] = 77;
    assert!(matches!(stage.try_start().await.err(), Some(StartError::KeyDiffers { .. })));
    stage.keys[2] = stage.keys[1];
    assert!(matches!(stage.try_start().await.err(), Some(StartError::SameKey)));
}

/// A log that was put back from an old copy: its cosigners have seen more, and say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_of_the_log_is_refused_with_evidence() {
    let stage = Stage::new(Kind::Jsonl);
    let scene = stage.start().await;
    scene.register("did:nexo:0", 0).await.expect("three sign");
    scene.stop().await;
    let log = stage.folder.path().join("log");
    let copy = stage.folder.path().join("copy");
    copy_folder(&log, &copy);
    let scene = stage.start().await;
    scene.register("did:nexo:1", 1).await.expect("three sign");
    scene.stop().await;
    std::fs::remove_dir_all(&log).expect("it is there");
    copy_folder(&copy, &log);
    let scene = stage.start().await;
    let refused = scene.register("did:nexo:2", 2).await.expect_err("another second leaf");
    assert_eq!(refused.code(), Some(ErrorCode::NotPublished));
    assert_eq!(scene.log.counts().leaves, 1);
    for (switch, health) in scene.switches.iter().zip(scene.log.cosigners()) {
        assert_eq!(health.state, CosignerState::Refused);
        let evidence = switch.inner.evidence(10).expect("it reads");
        assert_eq!(evidence[0].reason, "two_roots", "{evidence:?}");
    }
    scene.stop().await;
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("it can be made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("it can be copied");
    }
}
