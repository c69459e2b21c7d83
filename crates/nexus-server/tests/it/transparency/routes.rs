//! Every route of the contract, on both stores.

use nexus_crypto::hashes::Hash;
use nexus_crypto::proofs::{verify_consistency, verify_inclusion};
use nexus_crypto::tree_heads::{PrevHash, TreeHead};
use serde_json::{Value, json};

use super::{STORES, alone, body, counts, document, get, heads, leaf, now_s, read, refused, register, rotated, secret};

#[test]
fn an_empty_log_says_so() {
    for store in STORES {
        let server = alone(store, &[]);
        let answer = server.ask("GET", "/sth/latest").send();
        assert_eq!((answer.status(), answer.body.as_str()), (404, r#"{"detail":"No STH found"}"#));
        for path in ["/sth/chain", "/did/leaves", "/sth/growth"] {
            assert_eq!(get(&server, path), json!([]), "{path}");
        }
        let health = get(&server, "/health");
        assert_eq!(
            (
                &health["status"],
                &health["users_count"],
                &health["sth_count"],
                health.get("uptime")
            ),
            (&json!("healthy"), &json!(0), &json!(0), None)
        );
        assert!((health["timestamp"].as_i64().expect("a number") - now_s()).abs() < 60);
        for path in ["/livez", "/readyz"] {
            get(&server, path);
        }
    }
}

#[test]
fn a_registration_is_published_with_its_head_before_it_is_answered() {
    for store in STORES {
        let server = alone(store, &["--no-rate-limits"]);
        let document = document(&server);
        let now = now_s();
        let mut chain: Vec<TreeHead> = vec![];
        for number in 0..7 {
            let (id, key) = (format!("did:nexo:user{number}"), secret(number));
            let answer = register(&server, &body(&id, &key, now - 9)).expect(201);
            assert_eq!(
                (&answer["message"], &answer["leaf_index"], &answer["tree_size"]),
                (&json!("registered"), &json!(number), &json!(number + 1))
            );
            let head = counts(&answer["sth"], &document);
            assert_eq!(head.follows(chain.last()), Ok(()));
            assert_eq!(get(&server, "/sth/latest"), answer["sth"]);
            chain.push(head);
        }
        assert_eq!(chain[0].head.root, leaf("did:nexo:user0", &secret(0), now - 9));
        assert_eq!(chain[0].head.prev_hash, PrevHash(None));

        let newest_first: Vec<TreeHead> = read(&get(&server, "/sth/chain?limit=1000"));
        assert!(newest_first.iter().eq(chain.iter().rev()));
        let page: Vec<TreeHead> = read(&get(&server, "/sth/chain?limit=2&before=4"));
        assert!(page.iter().eq([&chain[2], &chain[1]]));
        assert_eq!(get(&server, "/sth/chain?before=1"), json!([]));

        let one = json!({ "leaf_index": 4, "id": "did:nexo:user4", "public_key": secret(4).public(), "timestamp": now - 9 });
        assert_eq!(get(&server, "/did/did:nexo:user4"), one);
        assert_eq!(get(&server, "/did/did%3Anexo%3Auser4/history"), json!([one]));
        assert_eq!(get(&server, "/did/leaves?from=4&limit=1"), json!([one]));
        assert_eq!(get(&server, "/did/leaves?from=7"), json!([]));
        assert_eq!(get(&server, "/did/leaves").as_array().map(Vec::len), Some(7));
        assert_eq!((&get(&server, "/health")["users_count"], heads(&server)), (&json!(7), 7));
        let growth = get(&server, "/sth/growth?hours=1");
        let grown: u64 = growth
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|hour| hour["registrations"].as_u64())
            .sum();
        assert!(grown <= 7, "{growth}");
    }
}

#[test]
fn every_proof_holds_against_the_heads_alone() {
    let server = alone("sql", &["--no-rate-limits"]);
    let (document, now) = (document(&server), now_s());
    let roots: Vec<Hash> = (0..9)
        .map(|number| {
            let answer = register(&server, &body(&format!("u{number}"), &secret(number), now)).expect(201);
            counts(&answer["sth"], &document).head.root
        })
        .collect();
    for size in 1..=9 {
        for index in 0..size {
            let answer = get(&server, &format!("/sth/proof/inclusion?leaf_index={index}&tree_size={size}"));
            assert_eq!((&answer["leaf_index"], &answer["tree_size"]), (&json!(index), &json!(size)));
            let (hash, path): (Hash, Vec<Hash>) = (read(&answer["leaf_hash"]), read(&answer["path"]));
            assert_eq!(hash, leaf(&format!("u{index}"), &secret(index), now));
            let root = &roots[size as usize - 1];
            assert!(verify_inclusion(&hash, index, size, &path, root), "{index} of {size}");
            // The same path proves nothing about another place, nor an inner node a leaf.
            let elsewhere = (0..size).filter(|other| *other != index);
            assert!(
                elsewhere
                    .into_iter()
                    .all(|other| !verify_inclusion(&hash, other, size, &path, root))
            );
            if let Some((sibling, above)) = path.split_first() {
                let inner = if index % 2 == 0 {
                    Hash::node(&hash, sibling)
                } else {
                    Hash::node(sibling, &hash)
                };
                assert!(!verify_inclusion(&inner, index, size, above, root), "a node of {index} in {size}");
            }
        }
        for first in 1..=size {
            let answer = get(&server, &format!("/sth/proof/consistency?first={first}&second={size}"));
            let path: Vec<Hash> = read(&answer["path"]);
            let (old, new) = (&roots[first as usize - 1], &roots[size as usize - 1]);
            assert!(verify_consistency(first, size, old, new, &path), "{first} to {size}");
        }
    }
}

#[test]
fn who_registers_again_gets_the_leaf_that_is_there() {
    for store in STORES {
        let server = alone(store, &["--no-rate-limits"]);
        let (alice, now) = (secret(1), now_s());
        let first = register(&server, &body("alice", &alice, now - 5)).expect(201);
        register(&server, &body("bob", &secret(2), now)).expect(201);
        for timestamp in [now - 5, now] {
            let again = register(&server, &body("alice", &alice, timestamp)).expect(200);
            assert_eq!(again["message"], "already registered");
            for field in ["leaf_index", "tree_size", "sth"] {
                assert_eq!(again[field], first[field], "{field}");
            }
        }
        refused(&register(&server, &body("alice", &secret(3), now)), 409);
        assert_eq!(heads(&server), 2);
    }
}

#[test]
fn a_key_changes_with_the_word_of_both_and_never_comes_back() {
    for store in STORES {
        let server = alone(store, &["--no-rate-limits"]);
        let log = document(&server).log_id;
        let (old, new, stranger, now) = (secret(1), secret(2), secret(3), now_s());
        let first = body("alice", &old, now - 9);
        register(&server, &first).expect(201);

        let good = rotated(&log, &first, &old, &new, now - 5);
        let mut elsewhere = log;
        elsewhere.0[0] ^= 1;
        for bad in [
            rotated(&log, &first, &stranger, &new, now - 5),
            rotated(&log, &first, &old, &new, now - 9),
            rotated(&elsewhere, &first, &old, &new, now - 5),
            rotated(&log, &body("alice", &old, now - 8), &old, &new, now - 5),
        ] {
            refused(&register(&server, &bad), 409);
        }
        assert_eq!(register(&server, &good).expect(201)["leaf_index"], 1);
        assert_eq!(get(&server, "/did/alice")["public_key"], good["public_key"]);
        let history = get(&server, "/did/alice/history");
        let keys: Vec<&Value> = history.as_array().expect("a list").iter().map(|leaf| &leaf["public_key"]).collect();
        assert_eq!(keys, [&first["public_key"], &good["public_key"]]);
        assert!(history[1]["rotation"]["old"].is_string() && history[0].get("rotation").is_none());

        // Replayed, it is what stands there; and the way back is closed, whoever signs it.
        assert_eq!(register(&server, &good).expect(200)["leaf_index"], 1);
        refused(&register(&server, &first), 409);
        refused(&register(&server, &rotated(&log, &good, &new, &old, now)), 409);
        let third = rotated(&log, &good, &new, &stranger, now);
        register(&server, &third).expect(201);
        refused(&register(&server, &good), 409);
        assert_eq!((heads(&server), &get(&server, "/health")["users_count"]), (3, &json!(1)));
    }
}

#[test]
fn a_doubled_or_trailing_slash_changes_nothing() {
    let server = alone("sql", &[]);
    register(&server, &body("alice", &secret(1), now_s())).expect(201);
    for (plain, sloppy) in [
        ("/sth/latest", "//sth///latest/"),
        ("/sth/chain?limit=1", "/sth/chain/?limit=1"),
        ("/did/alice", "/did//alice/"),
        ("/.well-known/key-transparency", "//.well-known/key-transparency/"),
    ] {
        assert_eq!(get(&server, sloppy), get(&server, plain), "{sloppy}");
    }
    let again = server.ask("POST", "//did/register/").json(&body("alice", &secret(1), now_s()));
    again.send().expect(200);
    let nothing = server.ask("GET", "/sth//latest/x/").send();
    assert_eq!(refused(&nothing, 404), refused(&server.ask("GET", "/sth/latest/x").send(), 404));
}

#[test]
fn the_log_outlives_its_process() {
    for store in STORES {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let flags = ["--roles", "transparency", "--store", store];
        let mut first = crate::server::Server::start(&data, &flags);
        for number in 0..3 {
            register(&first, &body(&format!("u{number}"), &secret(number), now_s())).expect(201);
        }
        let (log, chain) = (document(&first), get(&first, "/sth/chain"));
        first.stop();
        let second = crate::server::Server::start(&data, &flags);
        assert_eq!((document(&second), get(&second, "/sth/chain")), (log.clone(), chain));
        let next = register(&second, &body("u3", &secret(3), now_s())).expect(201);
        let before: TreeHead = read(&get(&second, "/sth/chain?limit=1&before=4")[0]);
        assert_eq!(counts(&next["sth"], &log).follows(Some(&before)), Ok(()));
    }
}

#[test]
fn the_cosigners_and_their_keys_are_public() {
    let server = alone("sql", &[]);
    let document = get(&server, "/.well-known/key-transparency");
    assert_eq!(
        (
            &document["version"],
            &document["policy"],
            &document["single_operator"],
            &document["statement"]
        ),
        (&json!(1), &json!({ "t": 2, "n": 3 }), &json!(true), &json!("single-operator log"))
    );
    assert_eq!(document["operators"], json!(["this server"]));
    register(&server, &body("alice", &secret(1), now_s())).expect(201);
    let cosigners = get(&server, "/sth/cosigners");
    for (index, cosigner) in cosigners.as_array().expect("a list").iter().enumerate() {
        assert_eq!(cosigner["cosigner"], format!("cosigner_{index}"));
        assert_eq!(cosigner["public_key"], document["cosigners"][index]["public_key"]);
        assert_eq!(
            (&cosigner["state"], &cosigner["url"], &cosigner["error"]),
            (&json!("healthy"), &Value::Null, &Value::Null)
        );
    }
    assert_eq!(cosigners.as_array().map(Vec::len), Some(3));
}
