//! Proofs of a large log: how long they are, what they cost to make, from memory and by the use case over the database, and to verify.

use std::hint::black_box;

use nexus_core::transparency::{Consistency, Inclusion, Log};
use nexus_crypto::hashes::Hash;
use nexus_crypto::proofs::{verify_consistency, verify_inclusion};
use nexus_crypto::registrations::Registration;
use nexus_crypto::trees::{Node, RightEdge, consistency_path, inclusion_path};
use nexus_store::transparency::LogStore;
use nexus_store::{Db, Options};
use serde::Serialize;

use super::chains::{Chain, scatter};
use super::{cpu_s, insides, leaves};
use crate::processes::Usage;
use crate::{Bench, Outcome, generate};

/// Rows of one job.
const ROWS_PER_JOB: usize = 500;
/// Proofs of each kind.
const PROOFS: u64 = 5_000;
/// Rounds of other inclusion proofs before those that count; the first is a row of its own.
const ROUNDS_BEFORE: u64 = 4;

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let size = leaves(bench, "proof.", "10⁵ leaves");
    let chain = Chain::new(size)?;
    let folder = bench.temporary()?;
    let db = Db::open(&folder.path().join("nexus.db"), Options::default())?;
    let store = LogStore::sql(db.clone());
    let (made, append_us) = generate(async {
        let append_us = fill(&store, &chain).await?;
        let log = Log::start(insides::ports(&store, folder.path(), chain.document.log_id)?).await?;
        let made = make(&log, &chain).await?;
        log.stop().await;
        db.close().await;
        Ok((made, append_us))
    })?;
    bench.report.add("proof.append", append_us);
    bench.report.add("proof.inclusion.cold", made.cold_us);
    bench.report.add("proof.inclusion.cpu", made.inclusion_us);
    bench
        .report
        .note("proof.inclusion.cpu", format!("after {} others", ROUNDS_BEFORE * PROOFS));
    bench.report.add("proof.consistency.cpu", made.consistency_us);
    bench.report.add("proof.inclusion.bytes", longest(&made.inclusions)?);
    bench.report.add("proof.consistency.bytes", longest(&made.consistencies)?);
    let (inclusion_us, consistency_us) = verify(&made, &chain)?;
    bench.report.add("proof.inclusion.verify", inclusion_us);
    bench.report.add("proof.consistency.verify", consistency_us);
    let tree = Levels::new(&chain.leaves);
    let (inclusion_us, consistency_us) = from_memory(&tree, &made, size)?;
    bench.report.add("proof.inclusion.tree", inclusion_us);
    bench.report.add("proof.consistency.tree", consistency_us);
    Ok(())
}

/// Appends a whole log as an import does, and says what a leaf with its head took of this process, in microseconds.
async fn fill(store: &LogStore, chain: &Chain) -> Outcome<f64> {
    store.begin(chain.document.log_id).await?;
    let before = Usage::of_self()?;
    for (leaves, heads) in chain.leaves.chunks(ROWS_PER_JOB).zip(chain.heads.chunks(ROWS_PER_JOB)) {
        store.append_published(leaves.to_vec(), heads.to_vec()).await?;
    }
    Ok(Usage::of_self()?.since_us(&before) / chain.size() as f64)
}

/// Proofs, and the microseconds that each took of all threads of this process.
struct Made {
    inclusions: Vec<Inclusion>,
    consistencies: Vec<Consistency>,
    /// Of the first, when nothing is in memory yet.
    cold_us: f64,
    inclusion_us: f64,
    consistency_us: f64,
}

async fn make(log: &Log, chain: &Chain) -> Outcome<Made> {
    let size = chain.size();
    let (mut inclusions, cold_us) = inclusions_of(log, size, 0).await?;
    let mut inclusion_us = cold_us;
    for round in 1..=ROUNDS_BEFORE {
        (inclusions, inclusion_us) = inclusions_of(log, size, round).await?;
    }
    let mut consistencies = Vec::with_capacity(PROOFS as usize);
    let before = Usage::of_self()?;
    for number in 0..PROOFS {
        consistencies.push(log.consistency(scatter(number) % (size - 1) + 1, size).await?);
    }
    Ok(Made {
        inclusions,
        consistencies,
        cold_us,
        inclusion_us,
        consistency_us: Usage::of_self()?.since_us(&before) / PROOFS as f64,
    })
}

/// A round of inclusion proofs, and the microseconds that each took.
async fn inclusions_of(log: &Log, size: u64, round: u64) -> Outcome<(Vec<Inclusion>, f64)> {
    let mut inclusions = Vec::with_capacity(PROOFS as usize);
    let before = Usage::of_self()?;
    for number in round * PROOFS..(round + 1) * PROOFS {
        inclusions.push(log.inclusion(scatter(number) % size, size).await?);
    }
    Ok((inclusions, Usage::of_self()?.since_us(&before) / PROOFS as f64))
}

/// Bytes of the longest answer.
fn longest(answers: &[impl Serialize]) -> Outcome<f64> {
    let mut most = 0;
    for answer in answers {
        most = most.max(serde_json::to_vec(answer)?.len());
    }
    Ok(most as f64)
}

fn verify(made: &Made, chain: &Chain) -> Outcome<(f64, f64)> {
    let (size, root) = (chain.size(), chain.root());
    let each_us = |seconds: f64| seconds * 1_000_000.0 / PROOFS as f64;
    let (good, inclusion_s) = cpu_s(|| {
        let is_good = |proof: &Inclusion| verify_inclusion(&proof.leaf_hash, proof.leaf_index, size, &proof.path, &root);
        Ok(made.inclusions.iter().all(is_good))
    })?;
    let (also_good, consistency_s) = cpu_s(|| {
        let is_good = |proof: &Consistency| {
            let old = &chain.heads[proof.first as usize - 1].head.root;
            verify_consistency(proof.first, size, old, &root, &proof.path)
        };
        Ok(made.consistencies.iter().all(is_good))
    })?;
    let is_its = |proof: &Inclusion| proof.leaf_hash == chain.leaves[proof.leaf_index as usize].leaf();
    if good && also_good && made.inclusions.iter().all(is_its) {
        Ok((each_us(inclusion_s), each_us(consistency_s)))
    } else {
        Err("a proof is wrong".into())
    }
}

/// Every complete subtree, by level.
struct Levels(Vec<Vec<Hash>>);

impl Levels {
    fn new(leaves: &[Registration]) -> Self {
        let (mut levels, mut edge) = (vec![], RightEdge::default());
        for leaf in leaves {
            for (node, hash) in edge.append(leaf.leaf()) {
                let level = node.level as usize;
                if levels.len() <= level {
                    levels.resize_with(level + 1, Vec::new);
                }
                levels[level].push(hash);
            }
        }
        Self(levels)
    }

    fn at(&self, node: Node) -> Option<Hash> {
        self.0.get(node.level as usize)?.get(node.index as usize).copied()
    }
}

/// What the tree alone costs, without a database.
fn from_memory(tree: &Levels, made: &Made, size: u64) -> Outcome<(f64, f64)> {
    let each_us = |seconds: f64| seconds * 1_000_000.0 / PROOFS as f64;
    let node = |node: Node| tree.at(node);
    let (same, inclusion_s) = cpu_s(|| {
        let is_same = |proof: &Inclusion| black_box(inclusion_path(proof.leaf_index, size, node)).as_ref() == Some(&proof.path);
        Ok(made.inclusions.iter().all(is_same))
    })?;
    let (also_same, consistency_s) = cpu_s(|| {
        let is_same = |proof: &Consistency| black_box(consistency_path(proof.first, size, node)).as_ref() == Some(&proof.path);
        Ok(made.consistencies.iter().all(is_same))
    })?;
    if same && also_same {
        Ok((each_us(inclusion_s), each_us(consistency_s)))
    } else {
        Err("the database gives another proof than the tree".into())
    }
}
