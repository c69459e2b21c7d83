//! Many at once.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::Server;
use crate::wire::{connect, read};

#[test]
fn one_connection_too_many_waits_for_a_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    Server::start(&data, &[]).stop();
    std::fs::write(data.join("nexus.toml"), "[limits]\nconnections = 2\n").expect("written");
    let server = Server::start(&data, &[]);
    let idle = [connect(server.port), connect(server.port)];
    std::thread::sleep(Duration::from_millis(200));
    let (answered, answer) = channel();
    let bytes = server.ask("GET", "/health").header("connection", "close").bytes();
    let mut third = connect(server.port);
    let thread = std::thread::spawn(move || {
        third.write_all(&bytes).expect("the kernel takes it");
        answered
            .send(read(&mut third).expect("an answer").status())
            .expect("somebody waits");
    });
    assert_eq!(answer.recv_timeout(Duration::from_millis(400)), Err(RecvTimeoutError::Timeout));
    drop(idle);
    assert_eq!(answer.recv_timeout(Duration::from_secs(5)), Ok(200));
    thread.join().expect("it ended");
}

#[test]
fn a_flood_of_logins_is_bounded_and_leaves_the_rest_alive() {
    let mut server = Server::fresh_with(&[]);
    let ask = |name: usize| {
        let draft = json!({ "username": format!("nobody{name}"), "password": "correct horse" });
        server.ask("POST", "/api/v1/auth/login").json(&draft)
    };
    let threads: Vec<_> = (0..200)
        .map(ask)
        .map(|ask| std::thread::spawn(move || ask.send().status()))
        .collect();
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let began = Instant::now();
        server.ask("GET", "/health").send().expect(200);
        slowest = slowest.max(began.elapsed());
    }
    let statuses: BTreeSet<u16> = threads.into_iter().map(|thread| thread.join().expect("it ended")).collect();
    assert!(statuses.is_subset(&BTreeSet::from([401, 429])), "{statuses:?}");
    // Generous, because other tests run beside this one; a server that hashes on its own threads needs several seconds.
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    server.stop();
}
