//! The transparency contract as a client, an auditor and an operator meet it.

mod audits;
mod cosigners;
mod kills;
mod liars;
mod measures;
mod parties;
mod refusals;
mod roles;
mod routes;
mod secrets;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::SigningKey;
use nexus_crypto::logs::{KeyDocument, LogId};
use nexus_crypto::registrations::{Id, Registration, rotation_message};
use nexus_crypto::tree_heads::TreeHead;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::server::Server;
use crate::wire::Answer;

/// Both places that a log can be kept in.
const STORES: [&str; 2] = ["sql", "jsonl"];

/// A server of the role alone.
fn alone(store: &str, flags: &[&str]) -> Server {
    let all: Vec<&str> = ["--roles", "transparency", "--store", store]
        .into_iter()
        .chain(flags.iter().copied())
        .collect();
    Server::fresh_with(&all)
}

/// A secret that a number stands for.
fn secret(number: u64) -> SigningKey {
    SigningKey::from_seed(&Hash::of(&number.to_be_bytes()).0)
}

fn now_s() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is after 1970")
        .as_secs()
        .cast_signed()
}

/// The body of a registration.
fn body(id: &str, key: &SigningKey, timestamp: i64) -> Value {
    json!({ "id": id, "public_key": STANDARD.encode(key.public().as_bytes()), "timestamp": timestamp })
}

/// The body of a change of key.
fn rotated(log: &LogId, current: &Value, old: &SigningKey, new: &SigningKey, timestamp: i64) -> Value {
    let id = current["id"].as_str().expect("an id");
    let mut body = body(id, new, timestamp);
    let message = rotation_message(log, &registration(current).leaf(), &registration(&body).leaf());
    body["rotation"] = json!({ "old": old.sign(&message), "new": new.sign(&message) });
    body
}

/// A body as the log reads it.
fn registration(body: &Value) -> Registration {
    let mut body = body.clone();
    body.as_object_mut().expect("an object").remove("leaf_index");
    read(&body)
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|cause| panic!("{cause}: {value}"))
}

/// A plain registration as the log hashes it.
fn leaf(id: &str, key: &SigningKey, timestamp_s: i64) -> Hash {
    let id = Id::parse(id).expect("an id");
    Registration::new(id, key.public(), timestamp_s, timestamp_s)
        .expect("a time")
        .leaf()
}

fn register(server: &Server, body: &Value) -> Answer {
    server.ask("POST", "/did/register").json(body).send()
}

fn get(server: &Server, path: &str) -> Value {
    server.ask("GET", path).send().expect(200)
}

fn document(server: &Server) -> KeyDocument {
    read(&get(server, "/.well-known/key-transparency"))
}

fn heads(server: &Server) -> u64 {
    get(server, "/health")["sth_count"].as_u64().expect("a number")
}

/// Checks a refusal: this status, and a sentence alone.
#[track_caller]
fn refused(answer: &Answer, status: u16) -> String {
    let body = answer.expect(status);
    let object = body.as_object().expect("an object");
    assert!(object.len() == 1, "{body}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-request-id").is_some());
    body["detail"].as_str().expect("a sentence").to_owned()
}

/// Checks a head by the log's own keys.
#[track_caller]
fn counts(head: &Value, document: &KeyDocument) -> TreeHead {
    let head: TreeHead = read(head);
    assert_eq!(head.verify(&document.keys()), Ok(()));
    head
}

fn path(folder: &Path) -> &str {
    folder.to_str().expect("UTF-8")
}
