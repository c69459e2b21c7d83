//! What hashes and signatures cost on one core of this machine: nothing that the key log does can cost less than those it is made of.

use std::hint::black_box;
use std::time::{Duration, Instant};

use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::SigningKey;

use super::chains::Leaves;
use super::{LEAVES, cpu_s};
use crate::{Bench, Outcome};

/// Bytes of the canonical JSON of a head.
const HEAD_BYTES: usize = 190;
/// Calls between two looks at the clock.
const CALLS: u32 = 256;

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let time = Duration::from_millis(bench.seconds(200, 500));
    let (left, leaf) = (Hash::of(b"left"), Leaves::new(0)?.next());
    let mut right = Hash::of(b"right");
    let node_ns = each_ns(time, || right = Hash::node(black_box(&left), &right))?;
    let leaf_ns = each_ns(time, || {
        black_box(black_box(&leaf).leaf());
    })?;
    let key = SigningKey::from_seed(&[7; 32]);
    let (public, signature) = (key.public(), key.sign(&left.0));
    let sign_ns = each_ns(time, || {
        black_box(key.sign(black_box(&left.0)));
    })?;
    let verify_ns = each_ns(time, || assert!(public.verifies(black_box(&left.0), &signature)))?;
    let head_ns = each_ns(time, || {
        black_box(Hash::of(black_box(&[b'x'; HEAD_BYTES])));
    })?;
    let sign_us = sign_ns / 1_000.0;
    for (key, figure) in [
        ("floor.node", node_ns),
        ("floor.leaf", leaf_ns),
        ("floor.sign", sign_us),
        ("floor.verify", verify_ns / 1_000.0),
        ("floor.sign_2", 2.0 * sign_us),
        ("floor.sign_2_rate", 1_000_000.0 / (2.0 * sign_us)),
        ("floor.tree", (leaf_ns + node_ns) * LEAVES as f64 / 1e9),
        (
            "floor.heads",
            ((leaf_ns + head_ns) * LEAVES as f64 + node_ns * roots(LEAVES) as f64) / 1e9,
        ),
    ] {
        bench.report.add(key, figure);
    }
    Ok(())
}

/// Nodes to hash for the roots of all sizes up to one: the complete subtrees once, and for each size a fold of as many as it has bits set.
fn roots(size: u64) -> u64 {
    let folds: u64 = (1..=size).map(|size| u64::from(size.count_ones()) - 1).sum();
    folds + size - u64::from(size.count_ones())
}

/// Nanoseconds of processor time that a call takes.
fn each_ns(time: Duration, mut call: impl FnMut()) -> Outcome<f64> {
    let (calls, seconds) = cpu_s(|| {
        let (mut calls, started) = (0_u64, Instant::now());
        while started.elapsed() < time {
            (0..CALLS).for_each(|_| call());
            calls += u64::from(CALLS);
        }
        Ok(calls)
    })?;
    Ok(seconds * 1e9 / calls as f64)
}
