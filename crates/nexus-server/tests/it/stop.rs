//! Stopping, and clients that stop first.

use std::io::Write as _;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::server::Server;
use crate::wire::{connect, read};

#[test]
fn a_stop_lets_a_running_request_finish_and_closes_idle_connections() {
    let mut server = Server::fresh();
    let alice = server.register("alice");
    let (_, channel) = alice.guild("Reeds");
    let mut idle = connect(server.port);
    idle.write_all(&server.ask("GET", "/health").bytes()).expect("it reads");
    let bytes = alice
        .ask("POST", &format!("/api/v1/channels/{channel}/messages"))
        .json(&json!({ "content": "last words" }))
        .bytes();
    let (head, tail) = bytes.split_at(bytes.len() - 5);
    let mut running = connect(server.port);
    running.write_all(head).expect("it reads");
    std::thread::sleep(Duration::from_millis(200));
    server.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(200));
    running.write_all(tail).expect("it still reads");
    let answer = read(&mut running).expect("an answer");
    assert_eq!(answer.expect(200)["content"], "last words");
    assert_eq!(read(&mut idle).expect("it was answered, then closed").status(), 200);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn a_stop_does_not_wait_for_a_client_that_never_finishes() {
    let mut server = Server::fresh();
    let mut stream = connect(server.port);
    stream
        .write_all(b"POST /api/v1/auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        .expect("it reads");
    std::thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    server.signal(Signal::INT);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(7), "{log}");
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
}

#[test]
fn a_second_signal_stops_at_once() {
    let mut server = Server::fresh();
    let mut stream = connect(server.port);
    stream
        .write_all(b"POST /api/v1/auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        .expect("it reads");
    std::thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    server.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(300));
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(130), "{log}");
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_client_that_hangs_up_harms_nothing() {
    let mut server = Server::fresh();
    let alice = server.register("alice");
    let (_, channel) = alice.guild("Reeds");
    let path = format!("/api/v1/channels/{channel}/messages");
    for round in 0..40 {
        let bytes = alice
            .ask("POST", &path)
            .json(&json!({ "content": format!("m{round}"), "nonce": format!("n{round}") }))
            .bytes();
        let whole = round % 2 == 0;
        let mut stream = connect(server.port);
        stream
            .write_all(if whole { &bytes } else { &bytes[..bytes.len() - 3] })
            .expect("it reads");
        stream.shutdown(Shutdown::Both).expect("it was open");
    }
    std::thread::sleep(Duration::from_millis(500));
    // A whole request may have been stored though nobody read the answer; half a one never. Again with its nonce: still once.
    for round in (0..40).step_by(2) {
        alice
            .post(&path, &json!({ "content": format!("m{round}"), "nonce": format!("n{round}") }))
            .expect(200);
    }
    let mut stored = alice.history(&channel);
    stored.sort();
    let mut expected: Vec<String> = (0..40).step_by(2).map(|round| format!("m{round}")).collect();
    expected.sort();
    assert_eq!(stored, expected);
    let log = server.stop();
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
}
