//! Servers that lie to `nexus log verify`: a proxy that changes what an honest one says, and an operator who forks its own log.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{body, now_s, path, register, secret};
use crate::server::{Ended, Server, nexus};
use crate::wire::Ask;

/// Changes the body of the answer to a path.
type Lie = Arc<dyn Fn(&str, &mut Value) + Send + Sync>;

/// A proxy in front of a server; it lies as long as the test runs.
fn liar(server: u16, lie: impl Fn(&str, &mut Value) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let lie: Lie = Arc::new(lie);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, lie) = (stream.expect("a connection"), lie.clone());
            // A verifier that has seen enough hangs up.
            std::thread::spawn(move || answer(&stream, server, &lie));
        }
    });
    format!("http://127.0.0.1:{port}")
}

fn answer(stream: &TcpStream, server: u16, lie: &Lie) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(line)) = lines.next() {
        let path = line.split(' ').nth(1)?.to_owned();
        while !lines.next()?.ok()?.is_empty() {}
        let honest = Ask::new(server, "GET", &path).send();
        let mut body = honest.json();
        lie(&path, &mut body);
        let (status, body) = (honest.status(), body.to_string());
        let head = format!(
            "HTTP/1.1 {status} .\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        (&*stream).write_all(format!("{head}{body}").as_bytes()).ok()?;
    }
    None
}

fn verify(url: &str, flags: &[&str]) -> Ended {
    let all: Vec<&str> = ["log", "verify", url].into_iter().chain(flags.iter().copied()).collect();
    nexus(&all, &[])
}

fn list(body: &mut Value) -> &mut Vec<Value> {
    body.as_array_mut().expect("a list")
}

/// Only what a log of this many leaves would show.
fn as_of(leaves: u64, chain: &Value, asked: &str, body: &mut Value) {
    let shown = |head: &Value| head["tree_size"].as_u64().expect("a size") <= leaves;
    if asked == "/sth/latest" {
        *body = chain
            .as_array()
            .expect("a list")
            .iter()
            .find(|head| shown(head))
            .expect("a head")
            .clone();
    } else if asked.starts_with("/sth/chain?limit=1") && !asked.contains("before") {
        *body = json!([chain.as_array().expect("a list").iter().find(|head| shown(head)).expect("a head")]);
    } else if asked.starts_with("/sth/chain") {
        list(body).retain(shown);
    } else if asked.starts_with("/did/leaves") {
        list(body).retain(|leaf| leaf["leaf_index"].as_u64().expect("an index") < leaves);
    }
}

fn log_of(leaves: u64) -> (Server, Value) {
    let server = super::alone("sql", &["--no-rate-limits"]);
    for number in 0..leaves {
        register(&server, &body(&format!("u{number}"), &secret(number), now_s())).expect(201);
    }
    let chain = super::get(&server, "/sth/chain?limit=1000");
    (server, chain)
}

#[test]
fn what_a_server_says_wrong_is_called_by_its_name() {
    let (server, _) = log_of(8);
    let port = server.port;
    let changed = |path: &'static str, change: fn(&mut Value)| {
        liar(port, move |asked, body| {
            if asked.starts_with(path) {
                change(body);
            }
        })
    };
    for (word, entry, url) in [
        (
            "missing_leaf",
            "at leaf 2",
            changed("/did/leaves", |body| drop(list(body).remove(2))),
        ),
        ("missing_leaf", "at leaf 7", changed("/did/leaves", |body| drop(list(body).pop()))),
        (
            "root_mismatch",
            "head of 3 leaves",
            changed("/did/leaves", |body| list(body)[2]["timestamp"] = json!(7)),
        ),
        (
            "root_mismatch",
            "head of 2 leaves",
            changed("/did/leaves", |body| {
                let third = list(body)[2]["id"].clone();
                list(body)[1]["id"] = third;
            }),
        ),
        (
            "missing_leaf",
            "head of 8 leaves",
            changed("/sth/chain?limit=8", |body| drop(list(body).remove(0))),
        ),
        (
            "broken_link",
            "head of 6 leaves",
            changed("/sth/chain?limit=8", |body| drop(list(body).remove(3))),
        ),
        ("unreadable", "/sth/latest", changed("/sth/latest", |body| *body = json!("no head"))),
        (
            "unreadable",
            "/did/leaves",
            changed("/did/leaves", |body| *body = json!({ "leaves": [] })),
        ),
        ("unreadable", "key-transparency", changed("/.well-known", |body| *body = json!([]))),
        (
            "bad_policy",
            "cosigner_7",
            changed("/.well-known", |body| {
                body["cosigners"][0]["cosigner"] = json!("cosigner_7");
            }),
        ),
        (
            "bad_signature",
            "head of 1 leaves",
            changed("/.well-known", |body| {
                body["cosigners"][0]["public_key"] = json!(secret(99).public());
            }),
        ),
    ] {
        let ended = verify(&url, &[]);
        assert_eq!(ended.code, Some(1), "{word}: {} {}", ended.stdout, ended.stderr);
        assert!(ended.stdout.starts_with(&format!("fault: {word}")), "{word}: {}", ended.stdout);
        assert!(ended.stdout.contains(entry), "{word} {entry}: {}", ended.stdout);
    }
}

#[test]
fn a_head_that_is_held_back_is_stale() {
    let (server, chain) = log_of(8);
    // The chain shows more than the latest head.
    let old = chain[3].clone();
    let url = liar(server.port, move |asked, body| {
        if asked == "/sth/latest" {
            *body = old.clone();
        }
    });
    let ended = verify(&url, &[]);
    assert!(
        ended.stdout.starts_with("fault: stale_head at the head of 5 leaves"),
        "{}",
        ended.stdout
    );
    // Both are held back, the leaves are not.
    let held = chain.clone();
    let url = liar(server.port, move |asked, body| {
        if !asked.starts_with("/did/leaves") {
            as_of(5, &held, asked, body);
        }
    });
    let ended = verify(&url, &[]);
    assert!(ended.stdout.starts_with("fault: stale_head at leaf 5"), "{}", ended.stdout);
    // Everything is: nobody can see that who does not remember.
    let held = chain.clone();
    let url = liar(server.port, move |asked, body| as_of(5, &held, asked, body));
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state.json");
    assert!(verify(&url, &[]).stdout.starts_with("honest: 5 leaves"));
    let honest = format!("http://127.0.0.1:{}", server.port);
    assert!(verify(&honest, &["--state", path(&state)]).stdout.starts_with("honest: 8 leaves"));
    let ended = verify(&url, &["--state", path(&state)]);
    assert!(
        ended.stdout.starts_with("fault: rollback at the head of 5 leaves"),
        "{}",
        ended.stdout
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).expect("closed");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry").path();
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).expect("copied");
        }
    }
}

#[test]
fn an_operator_with_all_keys_who_forks_the_log_is_found_out_by_who_remembers() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other, state) = (
        folder.path().join("one"),
        folder.path().join("other"),
        folder.path().join("state.json"),
    );
    let flags = ["--roles", "transparency", "--no-rate-limits"];
    let mut server = Server::start(&one, &flags);
    for number in 0..5 {
        register(&server, &body(&format!("u{number}"), &secret(number), now_s())).expect(201);
    }
    server.stop();
    copy(&one, &other);
    let (first, second) = (Server::start(&one, &flags), Server::start(&other, &flags));
    for number in 0..3 {
        register(&first, &body(&format!("first{number}"), &secret(10 + number), now_s())).expect(201);
        register(&second, &body(&format!("second{number}"), &secret(20 + number), now_s())).expect(201);
    }
    let address = |server: &Server| format!("http://127.0.0.1:{}", server.port);
    let remembering = |server: &Server| verify(&address(server), &["--state", path(&state)]);
    assert!(remembering(&first).stdout.starts_with("honest: 8 leaves"));
    // Each of them is a good log by itself.
    assert!(verify(&address(&second), &[]).stdout.starts_with("honest: 8 leaves"));
    assert!(remembering(&second).stdout.starts_with("fault: split_view at the head of 8 leaves"));
    for number in 3..6 {
        register(&second, &body(&format!("second{number}"), &secret(20 + number), now_s())).expect(201);
    }
    let longer = remembering(&second);
    assert!(
        longer.stdout.starts_with("fault: split_view at the head of 11 leaves"),
        "{}",
        longer.stdout
    );
    assert!(
        remembering(&first).stdout.starts_with("honest: 8 leaves"),
        "the memory is as it was"
    );
}
