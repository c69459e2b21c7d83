//! A planned restart under load: the process is told to stop, ends by itself, and comes back; nobody loses anything.

use std::time::Duration;

use nexus_testkit::{Crowd, Process, Seed, Size, rounds};
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_under_load_costs_nobody_anything() {
    let mut seed = Seed::of_run("restart");
    let mut process = Process::start(env!("CARGO_BIN_EXE_nexus"), &[]).await;
    let crowd = Crowd::gather(process.address, process.address, Size { writers: 20, readers: 5 }, &mut seed).await;
    let rounds = rounds(3);
    for _ in 0..rounds {
        sleep(Duration::from_millis(200 + seed.below(500) as u64)).await;
        assert_eq!(process.terminate().await, Some(0), "it ends by itself:\n{}", process.logged());
        process.run().await;
    }
    let outcome = crowd.finish().await;
    outcome.oracle.assert_holds();
    for session in &outcome.sessions {
        assert_eq!(session.identified, 1, "a restart costs no session");
        assert!(session.resumed >= 1 && session.resumed <= rounds, "{}", session.resumed);
        assert!(
            session.closes.contains(&1012) && session.closes.iter().all(|code| *code == 1012),
            "{:?}",
            session.closes
        );
    }
}
