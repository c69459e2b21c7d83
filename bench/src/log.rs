//! `log`: what the key log costs. Registrations a second over HTTP, proofs, and the audit of a whole log, natively and in WebAssembly.
//!
//! Its parts, each beside the floors of the same run: hashes and signatures on one core.

mod audits;
mod browsers;
mod chains;
mod files;
mod floors;
mod insides;
mod proofs;
mod readbacks;
mod registrations;

use crate::processes::own_thread;
use crate::{Bench, Outcome};

/// Leaves of the log that proofs and audits are measured on.
const LEAVES: u64 = 1_000_000;
/// In a short run, where so many would take too long.
const LEAVES_QUICK: u64 = 100_000;

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    type Part = (&'static str, fn(&mut Bench) -> Outcome<()>);
    const PARTS: &[Part] = &[
        ("inside", insides::run),
        ("registrations", registrations::run),
        ("proofs", proofs::run),
        ("audits", audits::run),
        ("browser", browsers::run),
    ];
    floors::run(bench)?;
    for (name, run) in PARTS {
        if bench.wants(name) {
            eprintln!("  {name}");
            run(bench).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    Ok(())
}

/// Leaves of a part that is too slow for a short run. The rows whose keys begin so then say how many they were.
fn leaves(bench: &mut Bench, rows: &str, instead: &str) -> u64 {
    if bench.options.quick {
        bench.report.relabel(rows, "10⁶ leaves", instead);
        LEAVES_QUICK
    } else {
        LEAVES
    }
}

/// Does something on this thread, and says how many seconds of processor time it took.
fn cpu_s<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(T, f64)> {
    let before = own_thread()?;
    let done = work()?;
    Ok((done, own_thread()?.saturating_sub(before).as_secs_f64()))
}
