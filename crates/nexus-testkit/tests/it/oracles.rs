//! The oracle finds every kind of breach that is planted into a good run, and nothing in the good run.

use nexus_testkit::{Breach, Oracle, Row, Seed, Stream};

/// A good run: a few authors, a history, two live streams and one that was resumed.
struct Run {
    sent: Vec<(String, String)>,
    acked: Vec<(String, String, i64)>,
    history: Vec<Row>,
    live: Vec<Row>,
    resumed: Vec<Row>,
    resumed_after: i64,
}

fn run(seed: &mut Seed) -> Run {
    let count = 20 + seed.below(40);
    let mut run = Run {
        sent: vec![],
        acked: vec![],
        history: vec![],
        live: vec![],
        resumed: vec![],
        resumed_after: 0,
    };
    let mut id = 1_000;
    for number in 0..count {
        let author = format!("author-{}", seed.below(4));
        let key = format!("{author} {number}");
        run.sent.push((author.clone(), key.clone()));
        // Some were sent and never arrived; some arrived and their answer was lost.
        if seed.once_in(8) {
            continue;
        }
        id += 1 + seed.below(9) as i64;
        run.history.push(Row { id, key: key.clone() });
        if !seed.once_in(8) {
            run.acked.push((author, key, id));
        }
    }
    run.live.clone_from(&run.history);
    let cut = run.history.len() / 2;
    run.resumed_after = run.history[cut - 1].id;
    run.resumed = run.history[cut..].to_vec();
    run
}

fn breaches(run: &Run) -> Vec<Breach> {
    let mut oracle = Oracle::default();
    for (author, key) in &run.sent {
        oracle.sent(author, key);
        for (author, key, id) in run.acked.iter().filter(|(_, acked, _)| acked == key) {
            oracle.acked(author, key, *id);
        }
    }
    oracle.history(run.history.clone());
    oracle.stream(Stream {
        name: "live".into(),
        after: 0,
        until: i64::MAX,
        rows: run.live.clone(),
    });
    oracle.stream(Stream {
        name: "resumed".into(),
        after: run.resumed_after,
        until: i64::MAX,
        rows: run.resumed.clone(),
    });
    oracle.breaches()
}

/// Plants a fault into many runs and asks that the oracle calls it by this name.
fn planted(fault: impl Fn(&mut Run, &mut Seed) -> Breach) {
    let mut seed = Seed::of_run("oracle");
    for _ in 0..200 {
        let mut run = run(&mut seed);
        assert_eq!(breaches(&run), [], "a good run is found good");
        let expected = fault(&mut run, &mut seed);
        let found = breaches(&run);
        assert!(found.contains(&expected), "{expected} was planted, {found:?} was found");
    }
}

fn place(rows: &[Row], seed: &mut Seed) -> usize {
    seed.below(rows.len())
}

#[test]
fn a_lost_message_is_found() {
    planted(|run, seed| {
        let (_, key, _) = run.acked[seed.below(run.acked.len())].clone();
        for rows in [&mut run.history, &mut run.live, &mut run.resumed] {
            rows.retain(|row| row.key != key);
        }
        Breach::Lost { key }
    });
}

#[test]
fn a_doubled_row_is_found() {
    planted(|run, seed| {
        let at = place(&run.history, seed);
        let row = Row {
            id: run.history.last().expect("there are some").id + 1,
            key: run.history[at].key.clone(),
        };
        for rows in [&mut run.history, &mut run.live, &mut run.resumed] {
            rows.push(row.clone());
        }
        Breach::Doubled { key: row.key }
    });
}

#[test]
fn a_repeated_dispatch_is_found() {
    planted(|run, seed| {
        let at = place(&run.live, seed);
        let row = run.live[at].clone();
        run.live.insert(at + 1, row.clone());
        Breach::Repeated {
            place: "live".into(),
            key: row.key,
        }
    });
}

#[test]
fn a_swap_is_found_in_a_stream_and_in_history() {
    planted(|run, seed| {
        let at = seed.below(run.live.len() - 1);
        run.live.swap(at, at + 1);
        Breach::Swapped {
            place: "live".into(),
            key: run.live[at].key.clone(),
        }
    });
    planted(|run, seed| {
        let at = seed.below(run.history.len() - 1);
        run.history.swap(at, at + 1);
        Breach::Swapped {
            place: "history".into(),
            key: run.history[at].key.clone(),
        }
    });
}

#[test]
fn a_gap_is_found_in_a_live_and_in_a_resumed_stream() {
    planted(|run, seed| {
        let at = place(&run.live, seed);
        Breach::Gap {
            place: "live".into(),
            key: run.live.remove(at).key,
        }
    });
    planted(|run, seed| {
        let at = place(&run.resumed, seed);
        Breach::Gap {
            place: "resumed".into(),
            key: run.resumed.remove(at).key,
        }
    });
}

#[test]
fn a_phantom_is_found() {
    planted(|run, _| {
        let row = Row {
            id: run.history.last().expect("there are some").id + 1,
            key: "nobody sent this".into(),
        };
        for rows in [&mut run.history, &mut run.live, &mut run.resumed] {
            rows.push(row.clone());
        }
        Breach::Phantom {
            place: "history".into(),
            key: row.key,
        }
    });
    planted(|run, _| {
        let row = Row {
            id: run.history[0].id,
            key: "another text under this id".into(),
        };
        run.live[0] = row.clone();
        Breach::Phantom {
            place: "live".into(),
            key: row.key,
        }
    });
}

#[test]
fn an_answer_with_another_id_is_found() {
    planted(|run, seed| {
        let at = seed.below(run.acked.len());
        run.acked[at].2 += 1_000_000;
        Breach::OtherId {
            key: run.acked[at].1.clone(),
        }
    });
}

#[test]
fn a_message_that_overtakes_an_acknowledged_one_is_found() {
    planted(|run, _| {
        // The first two of an author that were acknowledged trade places, ids and all.
        let author = run.acked[0].0.clone();
        let mut own = run.acked.iter_mut().filter(|(other, ..)| *other == author);
        let (Some(one), Some(other)) = (own.next(), own.next()) else {
            // An author alone in its run: make one.
            let next = run.history.last().expect("there are some").id;
            run.sent.extend([("z".into(), "z 1".into()), ("z".into(), "z 2".into())]);
            run.acked
                .extend([("z".into(), "z 1".into(), next + 2), ("z".into(), "z 2".into(), next + 1)]);
            let rows = [
                Row {
                    id: next + 1,
                    key: "z 2".into(),
                },
                Row {
                    id: next + 2,
                    key: "z 1".into(),
                },
            ];
            for list in [&mut run.history, &mut run.live, &mut run.resumed] {
                list.extend(rows.clone());
            }
            return Breach::Overtaken {
                first: "z 1".into(),
                second: "z 2".into(),
            };
        };
        std::mem::swap(&mut one.2, &mut other.2);
        let (first, second) = (one.1.clone(), other.1.clone());
        for row in run.history.iter_mut().chain(&mut run.live).chain(&mut run.resumed) {
            if row.key == first {
                row.key.clone_from(&second);
            } else if row.key == second {
                row.key.clone_from(&first);
            }
        }
        Breach::Overtaken { first, second }
    });
}
