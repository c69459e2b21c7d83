//! `chat`: what sessions cost. Its parts, each on a server of its own.

use crate::{Bench, Outcome, fanout, history, starts, storms};

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    type Part = (&'static str, fn(&mut Bench) -> Outcome<()>);
    const PARTS: &[Part] = &[
        ("start", starts::run),
        ("fanout", fanout::run),
        ("crowd", storms::run),
        ("history", history::run),
    ];
    for (name, run) in PARTS {
        if bench.wants(name) {
            run(bench).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    Ok(())
}
