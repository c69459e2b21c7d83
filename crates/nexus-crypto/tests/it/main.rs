//! The vectors of the transparency contract: made once, replayed here and by every other implementation.
//!
//! `NEXUS_BLESS=1` writes `fixtures/transparency/vectors.json` anew; a change of it is a change of the contract.

mod audits;

use std::collections::HashMap;
use std::path::PathBuf;

use nexus_crypto::audits::Audit;
use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::SigningKey;
use nexus_crypto::logs::{KeyDocument, ListedKey, LogId};
use nexus_crypto::proofs::{verify_consistency, verify_inclusion};
use nexus_crypto::registrations::{Id, Registration, Rotation, rotation_message};
use nexus_crypto::tree_heads::{CosignerKey, HeadSignature, POLICY, PrevHash, TreeHead, UnsignedHead};
use nexus_crypto::trees::{Node, RightEdge, consistency_path, inclusion_path};
use serde_json::{Value, json};

/// Leaves of the log of the vectors: more than one carried node at several heights.
const LEAVES: u64 = 13;
const START_S: i64 = 1_795_000_000;
const LOG: LogId = LogId([0x4e; 32]);

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

fn registration(id: u64, with: &SigningKey, time_s: i64) -> Registration {
    let id = Id::parse(&format!("did:nexo:user-{id}")).expect("a good id");
    Registration::new(id, with.public(), time_s, time_s).expect("a good time")
}

/// The leaf that changes an id's key.
fn rotated(current: &Registration, from: &SigningKey, to: &SigningKey, time_s: i64) -> Registration {
    let mut next = Registration::new(current.id.clone(), to.public(), time_s, time_s).expect("a good time");
    let message = rotation_message(&LOG, &current.leaf(), &next.leaf());
    next.rotation = Some(Rotation {
        old: from.sign(&message),
        new: to.sign(&message),
    });
    next
}

fn document() -> KeyDocument {
    let listed = |number: u8| ListedKey {
        key: CosignerKey {
            cosigner: format!("cosigner_{number}"),
            public_key: key(200 + number).public(),
            from_s: START_S,
            until_s: None,
            endorsement: None,
            ended_at: None,
        },
        operator: "this server".into(),
        url: None,
    };
    KeyDocument::new(LOG, key(199).public(), (0..3).map(listed).collect())
}

/// A head signed by these cosigners.
fn head(edge: &RightEdge, before: Option<&TreeHead>, timestamp: i64, cosigners: &[u8]) -> TreeHead {
    let head = UnsignedHead {
        tree_size: edge.size(),
        root: edge.root(),
        prev_hash: PrevHash(before.map(|before| before.head.hash())),
        policy: POLICY,
        timestamp,
    };
    signed(head, cosigners)
}

fn signed(head: UnsignedHead, cosigners: &[u8]) -> TreeHead {
    let sign = |number: &u8| HeadSignature {
        cosigner: format!("cosigner_{number}"),
        sig: key(200 + number).sign(&head.hash().0),
    };
    let signatures = cosigners.iter().map(sign).collect();
    TreeHead { head, signatures }
}

/// Registrations of different ids, but that the ninth and the last change the key of the third.
fn registrations() -> Vec<Registration> {
    let mut all: Vec<Registration> = vec![];
    for number in 0..LEAVES {
        let time_s = START_S + number as i64;
        all.push(match number {
            8 => rotated(&all[2], &key(3), &key(100), time_s),
            12 => rotated(&all[8], &key(100), &key(101), time_s),
            _ => registration(number, &key(number as u8 + 1), time_s),
        });
    }
    all
}

/// The heads of some leaves, another pair of the three cosigners for each.
fn heads(leaves: &[Registration]) -> Vec<TreeHead> {
    let (mut edge, mut heads) = (RightEdge::default(), Vec::<TreeHead>::new());
    for leaf in leaves {
        edge.append(leaf.leaf());
        let pair = [edge.size() % 3, (edge.size() + 1) % 3].map(|number| number as u8);
        heads.push(head(&edge, heads.last(), leaf.timestamp_s, &pair));
    }
    heads
}

fn vectors() -> Value {
    let (mut edge, mut nodes) = (RightEdge::default(), HashMap::<Node, Hash>::new());
    let registrations = registrations();
    for registration in &registrations {
        nodes.extend(edge.append(registration.leaf()));
    }
    let leaves: Vec<_> = registrations.iter().map(Registration::leaf).collect();
    let heads = heads(&registrations);
    let stored = |node: Node| nodes.get(&node).copied();
    let hashes: Vec<_> = heads.iter().map(|head| head.head.hash()).collect();
    let inclusion: Vec<_> = (0..LEAVES)
        .map(|index| json!({ "leaf_index": index, "tree_size": LEAVES, "path": inclusion_path(index, LEAVES, stored) }))
        .collect();
    let consistency: Vec<_> = (1..=LEAVES)
        .map(|first| json!({ "first": first, "second": LEAVES, "path": consistency_path(first, LEAVES, stored) }))
        .collect();
    json!({
        "key_document": document(), "registrations": registrations, "leaves": leaves, "heads": heads, "head_hashes": hashes,
        "inclusion": inclusion, "consistency": consistency,
    })
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
    let recorded: Value = serde_json::from_str(&text).expect("they are JSON");
    assert!(recorded == made, "the code makes other bytes than those recorded");
}

#[test]
fn the_recorded_log_holds() {
    let text = std::fs::read_to_string(recorded()).expect("the vectors are recorded");
    let vectors: Value = serde_json::from_str(&text).expect("they are JSON");
    let read = |value: &Value| -> Hash { serde_json::from_value(value.clone()).expect("a hash") };
    let path = |value: &Value| -> Vec<Hash> { serde_json::from_value(value["path"].clone()).expect("a path") };
    let document: KeyDocument = serde_json::from_value(vectors["key_document"].clone()).expect("keys");
    let leaves: Vec<Registration> = serde_json::from_value(vectors["registrations"].clone()).expect("leaves");
    let heads: Vec<TreeHead> = serde_json::from_value(vectors["heads"].clone()).expect("heads");
    let mut audit = Audit::begin(document.log_id, document.keys());
    audit.page(&leaves, &heads, |_, _| {}).expect("the log is honest");
    for head in &heads {
        audit.signatures(head).expect("so are its signatures");
    }
    audit
        .finish(heads.last().expect("there are heads"))
        .expect("the last head is the newest");
    let root = |size: u64| &heads[size as usize - 1].head.root;
    for proof in vectors["inclusion"].as_array().expect("a list") {
        let (index, size) = (
            proof["leaf_index"].as_u64().expect("an index"),
            proof["tree_size"].as_u64().expect("a size"),
        );
        let leaf = read(&vectors["leaves"][index as usize]);
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
