//! Cosigners of other operators: one may be away, two may not, none signs what did not grow; and their keys change.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::SigningKey;
use nexus_crypto::logs::KeyDocument;
use nexus_crypto::proposals::{Extension, Proposal, request_message};
use nexus_crypto::tree_heads::{POLICY, PrevHash, TreeHead, UnsignedHead};
use nexus_crypto::trees::RightEdge;
use serde::Serialize;
use serde_json::{Value, json};

use super::parties::{Party, configuration, three};
use super::{body, counts, document, get, heads, now_s, path, read, refused, register, secret};
use crate::server::{Server, nexus};
use crate::wire::Answer;

const FLAGS: [&str; 3] = ["--roles", "transparency", "--no-rate-limits"];

/// Registers until it is published.
fn surely(server: &Server, body: &Value) -> Value {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = register(server, body);
        match answer.status() {
            200 | 201 => return answer.json(),
            503 if Instant::now() < deadline => {}
            _ => panic!("{answer:?}"),
        }
    }
}

#[test]
fn one_cosigner_away_is_normal_and_two_mean_not_published_yet() {
    let mut parties = three();
    let server = Server::configured(&configuration(&parties), &FLAGS);
    let log = document(&server);
    assert_eq!(
        (log.single_operator, log.statement.as_str()),
        (false, "cosigned by independent operators")
    );
    assert_eq!(log.operators, ["Alice", "Bob", "Carol"]);
    for party in &mut parties {
        party.run(&log);
    }
    let now = now_s();
    let first = register(&server, &body("u0", &secret(0), now)).expect(201);
    assert!(counts(&first["sth"], &log).signatures.len() >= 2);

    parties[1].kill();
    let second = surely(&server, &body("u1", &secret(1), now));
    let signers: Vec<_> = counts(&second["sth"], &log)
        .signatures
        .iter()
        .map(|signature| signature.cosigner.clone())
        .collect();
    assert_eq!(signers, ["cosigner_0", "cosigner_2"]);

    parties[2].kill();
    let third = body("u2", &secret(2), now);
    let waits = register(&server, &third);
    let said = refused(&waits, 503);
    assert!(said.contains("not published"), "{said}");
    assert!(waits.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    assert_eq!(
        (heads(&server), server.ask("GET", "/did/u2").send().status()),
        (2, 404),
        "nothing is visible"
    );
    refused(&register(&server, &third), 503);
    let states = |server: &Server| -> Vec<String> {
        let cosigners = get(server, "/sth/cosigners");
        let states = cosigners.as_array().expect("a list").iter();
        states
            .map(|cosigner| cosigner["state"].as_str().expect("a word").to_owned())
            .collect()
    };
    assert_eq!(states(&server), ["healthy", "unreachable", "unreachable"]);

    // It comes back, behind what was published without it, and the very same leaf is published.
    parties[1].run(&log);
    let published = surely(&server, &third);
    assert_eq!(published["leaf_index"], 2);
    counts(&published["sth"], &log);
    parties[2].run(&log);
    let chain: Vec<TreeHead> = read(&get(&server, "/sth/chain"));
    for pair in chain.windows(2) {
        assert_eq!(pair[0].follows(Some(&pair[1])), Ok(()));
    }
    surely(&server, &body("u3", &secret(3), now));
    let deadline = Instant::now() + Duration::from_secs(10);
    while parties.iter().any(|party| party.state()["size"] != json!(heads(&server))) {
        assert!(Instant::now() < deadline, "all of them catch up: {:?}", states(&server));
        surely(&server, &body(&format!("more{}", heads(&server)), &secret(4), now));
    }
    assert!(parties.iter().all(|party| party.state()["refused"] == 0));
}

/// Answers every request with these bytes, or with nothing at all.
fn impostor(answer: Option<String>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let mut held = vec![];
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            if let Some(answer) = &answer {
                // What it is asked does not matter to it; who has heard enough hangs up.
                if stream.read(&mut [0; 4_096]).is_ok_and(|bytes| bytes > 0) {
                    stream.write_all(answer.as_bytes()).ok();
                }
            } else {
                held.push(stream);
            }
        }
    });
    port
}

#[test]
fn a_cosigner_that_answers_nonsense_or_nothing_harms_nobody() {
    let answer = |status: &str, body: &str| Some(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    let forged = json!({ "signatures": [secret(5).sign(b"something else")] }).to_string();
    let refusal = json!({ "error": "refused", "reason": "root_mismatch", "detail": "x" }).to_string();
    for (answer, state, words) in [
        (answer("200 .", &forged), "unreachable", "not good"),
        (answer("200 .", "{}"), "unreachable", "can't be read"),
        (answer("200 .", &"x".repeat(300 * 1024)), "unreachable", "too long"),
        (answer("302 .\r\nlocation: http://127.0.0.1:1/", ""), "unreachable", "302"),
        (answer("401 .", "{}"), "unreachable", "does not know the key"),
        (answer("409 .", &refusal), "refused", "root_mismatch"),
        (answer("409 .", r#"{"error":"behind","size":99}"#), "behind", "99"),
        (None, "unreachable", "no answer"),
    ] {
        let port = impostor(answer);
        let key = nexus_server::transparency::spelled(&secret(5).public());
        let config = format!("[transparency]\ncosigners = [\"cosigner_2 http://127.0.0.1:{port} {key} Mallory\"]\n");
        let server = Server::configured(&config, &FLAGS);
        let published = register(&server, &body("u0", &secret(0), now_s())).expect(201);
        let head = counts(&published["sth"], &document(&server));
        assert_eq!(head.signatures.len(), 2, "{words}");
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let mallory = get(&server, "/sth/cosigners")[2].clone();
            let error = mallory["error"].as_str().unwrap_or_default();
            if mallory["state"] == state && error.contains(words) {
                break;
            }
            assert!(Instant::now() < deadline, "{words}: {mallory}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What a log asks of a cosigner, signed by this key.
fn asked(party: &Party, route: &str, key: &SigningKey, question: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(question).expect("it serialises");
    let signature = STANDARD.encode(key.sign(&request_message(&party.key, route.trim_start_matches('/'), &body)).0);
    let ask = party.ask("POST", route).header("x-nexus-signature", &signature);
    ask.body("application/json", body).send()
}

/// A proposal of these leaves after others, with whatever heads they have.
fn proposal(log: &KeyDocument, before: &[Hash], leaves: &[Hash]) -> Proposal {
    let (mut edge, mut last, mut first) = (RightEdge::default(), None, None);
    let mut heads = vec![];
    for (index, leaf) in before.iter().chain(leaves).enumerate() {
        edge.append(*leaf);
        let head = UnsignedHead {
            tree_size: edge.size(),
            root: edge.root(),
            prev_hash: PrevHash(last),
            policy: POLICY,
            timestamp: 100,
        };
        if index >= before.len() {
            first.get_or_insert(last);
            heads.push(head);
        }
        last = Some(head.hash());
    }
    Proposal {
        log_id: log.log_id,
        first: before.len() as u64,
        before: first.flatten(),
        leaves: leaves.to_vec(),
        heads,
    }
}

#[test]
fn a_cosigner_signs_only_growth_keeps_evidence_and_answers_its_log_alone() {
    let (log_key, mut party) = (secret(50), Party::new("cosigner_1"));
    let mut id = [9; 32];
    id[0] = 1;
    let log = KeyDocument::new(nexus_crypto::logs::LogId(id), log_key.public(), vec![]);
    party.run(&log);
    let leaves: Vec<Hash> = (0..5_u64).map(|number| Hash::of(&number.to_be_bytes())).collect();

    let good = proposal(&log, &[], &leaves[..3]);
    let signed = asked(&party, "/sign", &log_key, &good).expect(200);
    for (head, signature) in good.heads.iter().zip(signed["signatures"].as_array().expect("a list")) {
        assert!(party.key.verifies(&head.hash().0, &read(signature)));
    }
    // Asked again, also after a kill, it answers the same.
    party.kill();
    party.run(&log);
    assert_eq!(asked(&party, "/sign", &log_key, &good).expect(200), signed);

    for (bad, reason) in [
        (proposal(&log, &[], &leaves[1..4]), "two_roots"),
        (proposal(&log, &[leaves[4], leaves[1], leaves[2]], &leaves[3..4]), "broken_link"),
        (
            {
                let mut bad = proposal(&log, &leaves[..3], &leaves[3..4]);
                bad.heads[0].root = Hash::of(b"another");
                bad
            },
            "root_mismatch",
        ),
        (
            {
                let mut bad = proposal(&log, &leaves[..3], &leaves[3..4]);
                bad.heads[0].policy.t = 1;
                bad
            },
            "bad_policy",
        ),
    ] {
        let body = asked(&party, "/sign", &log_key, &bad).expect(409);
        assert_eq!((&body["error"], &body["reason"]), (&json!("refused"), &json!(reason)), "{body}");
    }
    assert_eq!(
        (party.state()["refused"].clone(), party.state()["size"].clone()),
        (json!(4), json!(3))
    );

    let behind = asked(&party, "/sign", &log_key, &proposal(&log, &leaves[..4], &leaves[4..])).expect(409);
    assert_eq!((&behind["error"], &behind["size"]), (&json!("behind"), &json!(3)));
    let next = proposal(&log, &leaves[..3], &leaves[3..4]);
    let extension = Extension {
        log_id: log.log_id,
        first: 3,
        leaves: leaves[3..4].to_vec(),
        head: next.heads[0],
    };
    assert_eq!(asked(&party, "/extend", &log_key, &extension).expect(200)["size"], 4);
    asked(&party, "/sign", &log_key, &proposal(&log, &leaves[..4], &leaves[4..])).expect(200);

    for answer in [
        asked(&party, "/sign", &secret(51), &good),
        party.ask("POST", "/sign").json(&json!(good)).send(),
        party
            .ask("POST", "/extend")
            .header("x-nexus-signature", "AAAA")
            .json(&json!(extension))
            .send(),
    ] {
        assert_eq!(answer.expect(401)["error"], "unsigned");
    }
    asked(&party, "/sign", &log_key, &json!({ "x": 1 })).expect(400);
    asked(&party, "/sign", &log_key, &"x".repeat(600 * 1024)).expect(400);
    party.ask("GET", "/other").send().expect(404);
    assert_eq!(party.state()["refused"], json!(4), "strangers leave no evidence");
}

#[test]
fn a_cosigner_of_this_process_gets_a_new_key_and_old_heads_stay_valid() {
    for store in super::STORES {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let flags = ["--roles", "transparency", "--no-rate-limits", "--store", store];
        let mut server = Server::start(&data, &flags);
        let before = document(&server);
        register(&server, &body("u0", &secret(0), now_s())).expect(201);
        let rotate = [
            "cosigner",
            "rotate",
            "--data",
            path(&data),
            "--store",
            store,
            "--cosigner",
            "cosigner_1",
        ];
        let running = nexus(&rotate, &[]);
        assert_eq!(running.code, Some(3), "{}", running.stderr);
        server.stop();
        let done = nexus(&rotate, &[]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);

        let mut again = Server::start(&data, &flags);
        let after = document(&again);
        assert_eq!(
            nexus_crypto::logs::keys_follow(&after.log_id, &before.keys(), &after.keys()),
            Ok(())
        );
        assert_eq!(after.cosigners.len(), 4);
        let second = register(&again, &body("u1", &secret(1), now_s())).expect(201);
        let head = counts(&second["sth"], &after);
        assert!(head.verify(&before.keys()).is_err() || head.signatures.iter().all(|signature| signature.cosigner != "cosigner_1"));
        let chain: Vec<TreeHead> = read(&get(&again, "/sth/chain"));
        assert!(chain.iter().all(|head| head.verify(&after.keys()).is_ok()));
        again.stop();
        let unknown = nexus(
            &[
                "cosigner",
                "rotate",
                "--data",
                path(&data),
                "--store",
                store,
                "--cosigner",
                "cosigner_7",
            ],
            &[],
        );
        assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    }
}

#[test]
fn a_cosigner_elsewhere_gets_a_new_key_in_three_steps() {
    let mut party = Party::new("cosigner_2");
    let config = format!("[transparency]\ncosigners = [\"{}\"]\n", party.line("Carol"));
    let mut server = Server::configured(&config, &FLAGS);
    let (data, log, own) = (server.data(), document(&server), party.data());
    party.run(&log);
    surely(&server, &body("u0", &secret(0), now_s()));
    let old = party.key;

    party.kill();
    let id = log.log_id.to_string();
    let prepare = [
        "cosigner",
        "rotate",
        "--data",
        path(&own),
        "--cosigner",
        "cosigner_2",
        "--log-id",
        &id,
    ];
    let made = nexus(&prepare, &[]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let line = made
        .stdout
        .lines()
        .find(|line| line.contains("--endorsement"))
        .expect("what the log's operator runs");
    let entered: Vec<&str> = line
        .split_whitespace()
        .skip(1)
        .map(|word| if word == "DATA" { path(&data) } else { word })
        .collect();
    server.stop();
    // Bent, it is refused.
    let mut bent: Vec<&str> = entered.clone();
    *bent.last_mut().expect("a time") = "1";
    assert_eq!(nexus(&bent, &[]).code, Some(2));
    let done = nexus(&entered, &[]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(party.read_key(), old, "it uses the old key until it is told");
    let finish = ["cosigner", "rotate", "--data", path(&own), "--finish"];
    assert_eq!(nexus(&finish, &[]).code, Some(0));
    assert_eq!(nexus(&finish, &[]).code, Some(2));

    party.key = party.read_key();
    assert_ne!(party.key, old);
    let config = format!("[transparency]\ncosigners = [\"{}\"]\n", party.line("Carol"));
    std::fs::write(data.join("nexus.toml"), config).expect("written");
    party.run(&log);
    let again = Server::start(&data, &FLAGS);
    let (after, deadline) = (document(&again), Instant::now() + Duration::from_secs(10));
    let signs = |number: u64| {
        let published = surely(&again, &body(&format!("u{number}"), &secret(number), now_s()));
        let head = counts(&published["sth"], &after);
        head.signatures.iter().any(|signature| signature.cosigner == "cosigner_2")
    };
    let mut number = 1;
    while !signs(number) {
        assert!(Instant::now() < deadline, "the new key signs");
        number += 1;
    }
}
