//! The vectors of the transparency contract: made once, replayed here and, later, by every other implementation.
//!
//! `NEXUS_BLESS=1` writes `fixtures/transparency/vectors.json` anew; a change of it is a change of the contract.

use std::collections::HashMap;
use std::path::PathBuf;

use ed25519_dalek::{Signer, SigningKey};
use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::{PublicKey, Signature};
use nexus_crypto::proofs::{verify_consistency, verify_inclusion};
use nexus_crypto::registrations::{Id, Registration};
use nexus_crypto::tree_heads::{CosignerKey, HeadSignature, KeyHistory, POLICY, PrevHash, TreeHead, UnsignedHead};
use nexus_crypto::trees::{Node, RightEdge, consistency_path, inclusion_path};
use serde_json::{Value, json};

/// Leaves of the log of the vectors: more than one carried node at several heights.
const LEAVES: u64 = 13;
const START_S: i64 = 1_795_000_000;

fn signer(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(number: u8) -> PublicKey {
    PublicKey::from_bytes(signer(number).verifying_key().as_bytes()).expect("a key made from a seed is good")
}

fn registration(number: u64) -> Registration {
    let id = Id::parse(&format!("did:nexo:user-{number}")).expect("a good id");
    let time_s = START_S + number as i64;
    Registration::new(id, public(number as u8 + 1), time_s, time_s).expect("a good time")
}

fn cosigners() -> KeyHistory {
    let key = |number: u8| CosignerKey {
        cosigner: format!("cosigner_{number}"),
        public_key: public(200 + number),
        from_s: START_S,
        until_s: None,
    };
    KeyHistory((0..3).map(key).collect())
}

fn head(edge: &RightEdge, before: Option<&TreeHead>, timestamp: i64) -> TreeHead {
    let head = UnsignedHead {
        tree_size: edge.size(),
        root: edge.root(),
        prev_hash: PrevHash(before.map(|before| before.head.hash())),
        policy: POLICY,
        timestamp,
    };
    // Another pair of the three for each head.
    let sign = |number: u64| HeadSignature {
        cosigner: format!("cosigner_{number}"),
        sig: Signature(signer(200 + number as u8).sign(&head.hash().0).to_bytes()),
    };
    let signatures = [edge.size() % 3, (edge.size() + 1) % 3].map(sign).to_vec();
    TreeHead { head, signatures }
}

fn vectors() -> Value {
    let (mut edge, mut nodes) = (RightEdge::default(), HashMap::<Node, Hash>::new());
    let (mut leaves, mut heads) = (vec![], Vec::<TreeHead>::new());
    for number in 0..LEAVES {
        let registration = registration(number);
        nodes.extend(edge.append(registration.leaf()));
        leaves.push(json!({
            "id": registration.id.as_str(),
            "public_key": registration.public_key,
            "timestamp": registration.timestamp_s,
            "leaf": registration.leaf(),
        }));
        heads.push(head(&edge, heads.last(), registration.timestamp_s));
    }
    let stored = |node: Node| nodes.get(&node).copied();
    let hashes: Vec<_> = heads.iter().map(|head| head.head.hash()).collect();
    let inclusion: Vec<_> = (0..LEAVES)
        .map(|index| json!({ "leaf_index": index, "tree_size": LEAVES, "path": inclusion_path(index, LEAVES, stored) }))
        .collect();
    let consistency: Vec<_> = (1..=LEAVES)
        .map(|first| json!({ "first": first, "second": LEAVES, "path": consistency_path(first, LEAVES, stored) }))
        .collect();
    json!({ "cosigners": cosigners(), "registrations": leaves, "heads": heads, "head_hashes": hashes, "inclusion": inclusion, "consistency": consistency })
}

fn recorded() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/transparency/vectors.json")
}

#[test]
fn the_code_still_makes_the_recorded_bytes() {
    let made = vectors();
    if std::env::var_os("NEXUS_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&made).expect("they serialise") + "\n";
        std::fs::write(recorded(), text).expect("the folder is writable");
    }
    let text = std::fs::read_to_string(recorded()).expect("the vectors are recorded");
    assert_eq!(serde_json::from_str::<Value>(&text).expect("they are JSON"), made);
}

#[test]
fn the_recorded_log_holds() {
    let text = std::fs::read_to_string(recorded()).expect("the vectors are recorded");
    let vectors: Value = serde_json::from_str(&text).expect("they are JSON");
    let read = |value: &Value| -> Hash { serde_json::from_value(value.clone()).expect("a hash") };
    let path = |value: &Value| -> Vec<Hash> { serde_json::from_value(value["path"].clone()).expect("a path") };
    let keys: KeyHistory = serde_json::from_value(vectors["cosigners"].clone()).expect("keys");
    let heads: Vec<TreeHead> = serde_json::from_value(vectors["heads"].clone()).expect("heads");
    let mut before = None;
    for head in &heads {
        assert_eq!(
            (head.verify(&keys), head.follows(before)),
            (Ok(()), Ok(())),
            "{}",
            head.head.tree_size
        );
        before = Some(head);
    }
    let root = |size: u64| &heads[size as usize - 1].head.root;
    for proof in vectors["inclusion"].as_array().expect("a list") {
        let (index, size) = (
            proof["leaf_index"].as_u64().expect("an index"),
            proof["tree_size"].as_u64().expect("a size"),
        );
        let leaf = read(&vectors["registrations"][index as usize]["leaf"]);
        assert!(verify_inclusion(&leaf, index, size, &path(proof), root(size)), "{index} of {size}");
    }
    for proof in vectors["consistency"].as_array().expect("a list") {
        let (first, second) = (proof["first"].as_u64().expect("a size"), proof["second"].as_u64().expect("a size"));
        assert!(
            verify_consistency(first, second, root(first), root(second), &path(proof)),
            "{first} in {second}"
        );
    }
}
