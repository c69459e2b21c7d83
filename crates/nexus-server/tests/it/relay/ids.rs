//! Whose id it is: first come, proofs, take-over, listening.

use nexus_types::limits::RELAY_IDS_PER_SESSION_MAX;
use serde_json::{Value, json};

use super::clients::{Client, Heard, Kind, Way};
use super::{Stage, challenged, envelope, error, key, nonce_in, on_both, secret_id, shown, signed};

on_both!(
    a_plain_id_is_whoever_comes_first,
    a_registered_id_has_to_be_proven,
    a_signature_is_good_for_one_challenge_of_one_host,
    the_host_is_the_one_that_the_client_named,
    an_id_of_a_secret_is_proven_by_it,
    before_the_proof_nothing_is_sent_or_received,
    a_proof_takes_an_occupied_id_over,
    a_key_that_is_registered_later_takes_the_id_over,
    a_secret_is_not_taken_away_by_registering_its_id,
    a_key_log_that_does_not_answer_lets_nobody_in,
    one_session_listens_to_many_proven_ids,
    what_is_listened_to_can_be_lost,
    listening_has_its_limits,
);

async fn a_plain_id_is_whoever_comes_first(kind: Kind) {
    let stage = Stage::new();
    let mut alice = stage.connect(kind, "alice").await;
    stage.until_sessions(1).await;
    // Nothing comes unasked: the answer to the ping is the first frame.
    alice.send(r#"{"type":"ping"}"#).await;
    assert_eq!(alice.json().await["type"], "pong");
    let mut second = stage.connect(kind, "alice").await;
    assert_eq!(second.closed().await, 4409);
    alice.send(&envelope("alice", "alice", "still here")).await;
    assert_eq!(alice.json().await["payload"], "still here");
    drop(alice);
    stage.until_sessions(0).await;
    let mut third = stage.connect(kind, "alice").await;
    third.send(&envelope("alice", "alice", "my turn")).await;
    assert_eq!(third.json().await["payload"], "my turn");
}

async fn a_registered_id_has_to_be_proven(kind: Kind) {
    let stage = Stage::new();
    stage.register("did:alice", &key(1));
    let mut alice = stage.connect_proven(kind, "did:alice", &key(1)).await;
    alice.send(&envelope("did:alice", "did:alice", "me")).await;
    assert_eq!(alice.json().await["payload"], "me");
    for proof in [
        |nonce, host: &str| signed(&key(2), host, "did:alice", nonce),
        |nonce, host: &str| signed(&key(1), host, "did:bob", nonce),
        |_, _: &str| shown("a secret"),
    ] {
        let mut mallory = stage.connect(kind, "did:alice").await;
        let nonce = challenged(&mut mallory).await;
        mallory.send(&proof(nonce, &stage.host())).await;
        assert_eq!(mallory.next().await, Heard::Closed(4401));
    }
    alice.send(&envelope("did:alice", "did:alice", "still me")).await;
    assert_eq!(alice.json().await["payload"], "still me");
}

async fn a_signature_is_good_for_one_challenge_of_one_host(kind: Kind) {
    let stage = Stage::new();
    stage.register("did:alice", &key(1));
    let mut alice = stage.connect(kind, "did:alice").await;
    let nonce = challenged(&mut alice).await;
    let proof = signed(&key(1), &stage.host(), "did:alice", nonce);
    alice.send(&proof).await;
    assert_eq!(alice.json().await["type"], "ready");

    let mut replayed = stage.connect(kind, "did:alice").await;
    assert_ne!(challenged(&mut replayed).await, nonce);
    replayed.send(&proof).await;
    assert_eq!(replayed.next().await, Heard::Closed(4401), "another nonce");

    let mut forwarded = stage.connect(kind, "did:alice").await;
    let nonce = challenged(&mut forwarded).await;
    forwarded.send(&signed(&key(1), "other.example", "did:alice", nonce)).await;
    assert_eq!(forwarded.next().await, Heard::Closed(4401), "another host");
}

async fn the_host_is_the_one_that_the_client_named(kind: Kind) {
    let stage = Stage::new();
    stage.register("did:alice", &key(1));
    let way = Way {
        headers: &[("host", "Relay.Example:8000")],
        ..Way::new(kind, stage.address, "did:alice")
    };
    let mut alice = Client::try_connect(way).await.expect("it is let in");
    let nonce = challenged(&mut alice).await;
    alice.send(&signed(&key(1), "relay.example:8000", "did:alice", nonce)).await;
    assert_eq!(alice.json().await, json!({"type": "ready", "session_id": "did:alice"}));
}

async fn an_id_of_a_secret_is_proven_by_it(kind: Kind) {
    let stage = Stage::new();
    let mut alice = stage.connect_secret(kind, "open sesame").await;
    let id = secret_id("open sesame");
    alice.send(&envelope(&id, &id, "me")).await;
    assert_eq!(alice.json().await["payload"], "me");
    let mut mallory = stage.connect(kind, &id).await;
    mallory.send(&shown("shut sesame")).await;
    assert_eq!(mallory.next().await, Heard::Closed(4401));
    // In other digits it is another id, but just as safe.
    let mut shouting = stage.connect(kind, &format!("h-{}", id[2..].to_uppercase())).await;
    shouting.send(&shown("shut sesame")).await;
    assert_eq!(shouting.next().await, Heard::Closed(4401));
}

async fn before_the_proof_nothing_is_sent_or_received(kind: Kind) {
    let stage = Stage::new();
    let (id, mut bob) = (secret_id("s"), stage.connect(kind, "bob").await);
    let mut unproven = stage.connect(kind, &id).await;
    stage.until_sessions(2).await;
    bob.send(&envelope("bob", &id, "too early")).await;
    assert_eq!(bob.json().await["error"], "undeliverable");
    unproven.send(&envelope(&id, "bob", "too early")).await;
    assert_eq!(unproven.json().await, error("proof_required"));
    unproven.send(r#"{"type":"listen","ids":["bob"]}"#).await;
    assert_eq!(unproven.json().await, error("proof_required"));
    unproven.send(&shown("s")).await;
    assert_eq!(unproven.json().await["type"], "ready");
    bob.send(&envelope("bob", &id, "now")).await;
    assert_eq!(unproven.json().await["payload"], "now");
    unproven.send(&envelope(&id, "bob", "now")).await;
    assert_eq!(bob.json().await["payload"], "now");
}

async fn a_proof_takes_an_occupied_id_over(kind: Kind) {
    let stage = Stage::new();
    stage.register("did:alice", &key(1));
    let mut bob = stage.connect(kind, "bob").await;
    let mut old = stage.connect_proven(kind, "did:alice", &key(1)).await;
    let mut new = stage.connect_proven(kind, "did:alice", &key(1)).await;
    assert_eq!(old.closed().await, 4410);
    bob.send(&envelope("bob", "did:alice", "to the new one")).await;
    assert_eq!(new.json().await["payload"], "to the new one");
    drop(old);
    stage.until_sessions(2).await;
    bob.send(&envelope("bob", "did:alice", "still to the new one")).await;
    assert_eq!(
        new.json().await["payload"],
        "still to the new one",
        "the end of the old one took nothing away"
    );
}

async fn a_key_that_is_registered_later_takes_the_id_over(kind: Kind) {
    let stage = Stage::new();
    let mut squatter = stage.connect(kind, "did:alice").await;
    squatter.send(&envelope("did:alice", "did:alice", "mine for now")).await;
    assert_eq!(squatter.json().await["payload"], "mine for now");
    stage.register("did:alice", &key(1));
    let mut alice = stage.connect_proven(kind, "did:alice", &key(1)).await;
    assert_eq!(squatter.closed().await, 4410);
    alice.send(&envelope("did:alice", "did:alice", "mine")).await;
    assert_eq!(alice.json().await["payload"], "mine");
}

async fn a_secret_is_not_taken_away_by_registering_its_id(kind: Kind) {
    let stage = Stage::new();
    stage.register(&secret_id("s"), &key(1));
    stage.connect_secret(kind, "s").await;
}

async fn a_key_log_that_does_not_answer_lets_nobody_in(kind: Kind) {
    let stage = Stage::new();
    let mut alice = stage.connect(kind, "did:unknown").await;
    assert_eq!(alice.closed().await, 1013);
    stage.until_sessions(0).await;
}

/// Listens to an id of a secret, and says what came in answer.
async fn listen_secret(client: &mut Client, secret: &str, shows: &str) -> Value {
    let id = secret_id(secret);
    client.send(&json!({"type": "listen", "ids": [id]}).to_string()).await;
    let challenge = client.json().await;
    assert_eq!((&challenge["type"], &challenge["id"]), (&json!("challenge"), &json!(id)));
    let mut auth: Value = serde_json::from_str(&shown(shows)).expect("JSON");
    auth["id"] = json!(id);
    client.send(&auth.to_string()).await;
    client.json().await
}

async fn one_session_listens_to_many_proven_ids(kind: Kind) {
    let stage = Stage::new();
    stage.register("did:device", &key(1));
    let (mut alice, mut bob) = (stage.connect(kind, "alice").await, stage.connect(kind, "bob").await);
    let mailbox = secret_id("mailbox");
    let ids = json!({"type": "listen", "ids": ["did:device", mailbox, "alice"]});
    alice.send(&ids.to_string()).await;
    let (first, second) = (alice.json().await, alice.json().await);
    assert_eq!((&first["id"], &second["id"]), (&json!("did:device"), &json!(mailbox)));
    assert_eq!(
        alice.json().await,
        json!({"type": "listening", "id": "alice"}),
        "its own it has already"
    );

    // The proofs may come in any order.
    let mut auth: Value = serde_json::from_str(&shown("mailbox")).expect("JSON");
    auth["id"] = json!(mailbox);
    alice.send(&auth.to_string()).await;
    assert_eq!(alice.json().await, json!({"type": "listening", "id": mailbox}));
    let proof = signed(&key(1), &stage.host(), "did:device", nonce_in(&first));
    let mut auth: Value = serde_json::from_str(&proof).expect("JSON");
    auth["id"] = json!("did:device");
    alice.send(&auth.to_string()).await;
    assert_eq!(alice.json().await, json!({"type": "listening", "id": "did:device"}));

    for to in ["alice", "did:device", &mailbox] {
        bob.send(&envelope("bob", to, to)).await;
        assert_eq!(alice.json().await["payload"], to);
        alice.send(&envelope(to, "bob", to)).await;
        assert_eq!(bob.json().await["from"], to);
    }
    drop(alice);
    stage.until_sessions(1).await;
    bob.send(&envelope("bob", &mailbox, "x")).await;
    assert_eq!(bob.json().await["error"], "undeliverable", "it took all its ids along");
}

async fn what_is_listened_to_can_be_lost(kind: Kind) {
    let stage = Stage::new();
    let mailbox = secret_id("mailbox");
    let mut alice = stage.connect(kind, "alice").await;
    let answer = listen_secret(&mut alice, "mailbox", "mailbox").await;
    assert_eq!(answer, json!({"type": "listening", "id": mailbox}));
    let mut other = stage.connect_secret(kind, "mailbox").await;
    assert_eq!(alice.json().await, json!({"type": "lost", "id": mailbox}));
    alice.send(&envelope(&mailbox, "alice", "x")).await;
    assert_eq!(alice.json().await, error("sender_mismatch"));
    alice.send(&envelope("alice", &mailbox, "to the other")).await;
    assert_eq!(other.json().await["payload"], "to the other");
}

async fn listening_has_its_limits(kind: Kind) {
    let stage = Stage::new();
    let mut alice = stage.connect(kind, "alice").await;
    let failed = listen_secret(&mut alice, "mailbox", "another").await;
    assert_eq!(
        failed,
        json!({"type": "error", "error": "proof_failed", "id": secret_id("mailbox")})
    );
    alice.send(r#"{"type":"listen","ids":["plain","did:unknown"]}"#).await;
    assert_eq!(alice.json().await, json!({"type": "error", "error": "unprovable", "id": "plain"}));
    assert_eq!(
        alice.json().await,
        json!({"type": "error", "error": "unavailable", "id": "did:unknown"})
    );
    let many: Vec<_> = (0..RELAY_IDS_PER_SESSION_MAX)
        .map(|number| secret_id(&number.to_string()))
        .collect();
    alice.send(&json!({"type": "listen", "ids": many}).to_string()).await;
    assert_eq!(alice.json().await, error("too_many_ids"), "with its own it would be one more");
    alice.send(&json!({"type": "listen", "ids": many[1..]}).to_string()).await;
    for id in &many[1..] {
        assert_eq!(alice.json().await["id"], *id);
    }
    alice.send(&json!({"type": "listen", "ids": ["h-1"]}).to_string()).await;
    assert_eq!(alice.json().await, error("too_many_ids"), "those that are waited for count");
}
