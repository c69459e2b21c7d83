//! The process is killed without warning, again and again, while many write: nothing acknowledged is lost, nothing comes twice or in
//! another order, and every session goes on where it was.
//!
//! A killed process shows the order of commit, publication and answer; that a commit survives the power is SQLite's `synchronous =
//! FULL`, which the store's own tests assert.

use std::time::Duration;

use nexus_testkit::{Crowd, Process, Seed, Size, rounds};
use tokio::time::sleep;

/// Those who write.
const WRITERS: usize = 50;
/// Sessions that read.
const READERS: usize = 5;
/// A life of the process takes at least and at most this long.
const LIFE_MS: (usize, usize) = (100, 700);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_doubles_and_reorders_nothing() {
    let mut seed = Seed::of_run("kill");
    let mut process = Process::start(env!("CARGO_BIN_EXE_nexus"), &[]).await;
    let crowd = Crowd::gather(
        process.address,
        process.address,
        Size {
            writers: WRITERS,
            readers: READERS,
        },
        &mut seed,
    )
    .await;
    let rounds = rounds(4);
    for _ in 0..rounds {
        sleep(Duration::from_millis((LIFE_MS.0 + seed.below(LIFE_MS.1 - LIFE_MS.0)) as u64)).await;
        process.kill().await;
        process.run().await;
    }
    let outcome = crowd.finish().await;
    outcome.oracle.assert_holds();
    println!("{rounds} kills, {} messages acknowledged", outcome.oracle.acked_count());
    assert!(outcome.oracle.acked_count() > rounds * WRITERS / 2, "the writers got on");
    for session in &outcome.sessions {
        assert_eq!(session.identified, 1, "a kill costs no session");
        // One that is killed while it resumes tries again.
        assert!(session.resumed >= 1 && session.resumed <= rounds, "{}", session.resumed);
    }
}
