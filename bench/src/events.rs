//! `events`: what the event hub costs. Events in, reactors, streams, a process that is killed, and the way from a payment to a message.
//!
//! Its parts, each beside the floors of the same run: signatures, JSON and bare rows on one core, HTTP without us.

mod books;
mod chain;
mod floors;
mod hubs;
mod intake;
mod kill;
mod payments;
mod posters;
mod reactions;
mod spread;
mod streams;
mod stubs;

use crate::{Bench, Outcome};

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    type Part = (&'static str, fn(&mut Bench) -> Outcome<()>);
    const PARTS: &[Part] = &[
        ("intake", intake::run),
        ("reactions", reactions::run),
        ("streams", spread::run),
        ("kill", kill::run),
        ("chain", chain::run),
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
