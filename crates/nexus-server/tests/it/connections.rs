//! Many at once.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nexus_server::gateway::{Gateway, GatewayConfig};
use nexus_server::http::origins::Origins;
use nexus_server::http::{Door, Node};
use nexus_server::networks::Networks;
use nexus_server::serve::{Connections, listen_all};
use nexus_testkit::{Rest, Session, World};
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

#[tokio::test]
async fn an_address_has_so_many_connections_and_its_sockets_are_among_them() {
    let world = World::new();
    let alice = nexus_testkit::worlds::person(&world.app, "alice").await;
    for (exempt, is_counted) in [(Networks::default(), true), (Networks::default().and_loopback(), false)] {
        let gateway = Gateway::start(world.app.clone(), GatewayConfig::default());
        let node = Node::new(world.app.clone(), gateway.clone(), Origins::default(), false);
        let connections = Connections::new(Door::new(node), 100).per_address(2, exempt);
        let listener = listen_all(&[([127, 0, 0, 1], 0).into()], false).expect("a port").remove(0);
        let address = listener.local_addr().expect("an address");
        connections.accept(listener);

        let mut socket = Session::begin(address, &alice.token).await;
        let idle = tokio::net::TcpStream::connect(address).await.expect("it listens");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let rest = Rest::new(address);
        assert_eq!(rest.get("//health").await.is_err(), is_counted, "a third one");
        // Whoever goes makes room, and it is taken again.
        drop(idle);
        socket.hang_up();
        let deadline = Instant::now() + Duration::from_secs(5);
        while rest.get("//health").await.is_err() {
            assert!(Instant::now() < deadline, "there is room again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        gateway.drain(Duration::from_secs(1)).await;
    }
}
