//! Every attack on a log, and the word and the entry by which an audit names it.

use nexus_crypto::audits::{Audit, Fault, FaultCode, since};
use nexus_crypto::hashes::Hash;
use nexus_crypto::proofs::verify_inclusion;
use nexus_crypto::registrations::Registration;
use nexus_crypto::tree_heads::{CosignerKey, EndedAt, HeadSignature, Policy, PrevHash, TreeHead, UnsignedHead};
use nexus_crypto::trees::{Node, RightEdge, consistency_path};

use super::{START_S, document, heads, key, registration, registrations, rotated, signed};

/// A log as it is served.
struct Served {
    leaves: Vec<Registration>,
    heads: Vec<TreeHead>,
    latest: TreeHead,
}

impl Served {
    fn of(leaves: Vec<Registration>) -> Self {
        let heads = heads(&leaves);
        let latest = heads.last().expect("there are heads").clone();
        Self { leaves, heads, latest }
    }

    fn audit(&self) -> Result<(), Fault> {
        let document = document();
        let mut audit = Audit::begin(document.log_id, document.keys());
        audit.page(&self.leaves, &self.heads, |_, _| {})?;
        self.heads.iter().try_for_each(|head| audit.signatures(head))?;
        audit.finish(&self.latest)
    }
}

/// Signs heads again after they were changed, each linked to the one before: what a dishonest quorum of cosigners can do.
fn resign(heads: &mut [TreeHead], from: usize) {
    for index in from..heads.len() {
        let mut head = heads[index].head;
        if index > from {
            head.prev_hash = PrevHash(Some(heads[index - 1].head.hash()));
        }
        heads[index] = signed(head, &[0, 1]);
    }
}

fn check(what: &str, attack: impl FnOnce(&mut Served), code: FaultCode, leaf_index: Option<u64>, tree_size: Option<u64>) {
    let mut served = Served::of(registrations());
    attack(&mut served);
    let fault = served.audit().expect_err(what);
    assert_eq!(
        (fault.code, fault.leaf_index, fault.tree_size),
        (code, leaf_index, tree_size),
        "{what}: {fault}"
    );
}

#[test]
fn an_honest_log_is_found_honest() {
    Served::of(registrations()).audit().expect("it is honest");
}

#[test]
fn an_audit_goes_on_after_a_head_it_knows() {
    let served = Served::of(registrations());
    let begin = || Audit::begin(document().log_id, document().keys());
    let mut audit = begin();
    audit.page(&served.leaves[..7], &[], |_, _| {}).expect("the leaves are honest");
    audit.go_on_after(&served.heads[6]).expect("they are those of the head");
    audit
        .page(&served.leaves[7..], &served.heads[7..], |_, _| {})
        .expect("the rest is honest");
    audit.finish(&served.latest).expect("to its end");
    let mut other = begin();
    other
        .page(&served.leaves[1..8], &[], |_, _| {})
        .expect("by themselves they are honest");
    assert_eq!(
        other.go_on_after(&served.heads[6]).expect_err("another beginning").code,
        FaultCode::SplitView
    );
}

/// Two keys that ended are no use to whoever stole them: not for a later size with an old time, nor for another history before.
#[test]
fn ended_keys_sign_no_other_history() {
    let served = Served::of(registrations());
    let mut keys = document().keys();
    for number in 0..2u8 {
        let ended = EndedAt {
            tree_size: 7,
            head: served.heads[6].head.hash(),
        };
        let key_after = CosignerKey {
            public_key: key(150 + number).public(),
            from_s: START_S + 100,
            ..keys.0[number as usize].clone()
        };
        (keys.0[number as usize].until_s, keys.0[number as usize].ended_at) = (Some(START_S + 100), Some(ended));
        keys.0.push(key_after);
    }
    let audit = |leaves: &[Registration], heads: &[TreeHead]| {
        let mut audit = Audit::begin(document().log_id, keys.clone());
        audit.page(leaves, heads, |_, _| {})?;
        audit.finish(heads.last().expect("there is one"))
    };
    let code = |fault: Result<(), Fault>| fault.expect_err("it is a lie").code;
    assert_eq!(audit(&served.leaves[..7], &served.heads[..7]), Ok(()));
    assert_eq!(code(audit(&served.leaves[..8], &served.heads[..8])), FaultCode::UnknownCosigner);
    assert_eq!(code(audit(&served.leaves[..6], &served.heads[..6])), FaultCode::Rollback);
    let mut skipped = served.heads[..8].to_vec();
    skipped.remove(6);
    skipped[6].head.prev_hash = PrevHash(Some(skipped[5].head.hash()));
    let late = UnsignedHead {
        timestamp: START_S + 100,
        ..skipped[6].head
    };
    skipped[6] = TreeHead {
        signatures: [(150, 0), (151, 1)]
            .map(|(number, cosigner)| HeadSignature {
                cosigner: format!("cosigner_{cosigner}"),
                sig: key(number).sign(&late.hash().0),
            })
            .to_vec(),
        head: late,
    };
    assert_eq!(
        code(audit(&served.leaves[..8], &skipped)),
        FaultCode::SplitView,
        "no head where the keys ended"
    );
    let mut leaves = registrations();
    leaves[1] = registration(1, &key(88), START_S + 1);
    let forged = Served::of(leaves);
    assert_eq!(code(audit(&forged.leaves[..7], &forged.heads[..7])), FaultCode::SplitView);
}

#[test]
fn every_attack_on_a_head_is_named() {
    use FaultCode::*;
    check(
        "a bad link",
        |log| log.heads[4].head.prev_hash = log.heads[2].head.prev_hash,
        BrokenLink,
        None,
        Some(5),
    );
    check(
        "a changed head breaks the next link",
        |log| log.heads[4].head.timestamp += 1,
        BrokenLink,
        None,
        Some(6),
    );
    check(
        "one signature",
        |log| log.heads[4].signatures.truncate(1),
        TooFewSignatures,
        None,
        Some(5),
    );
    check(
        "no signature",
        |log| log.heads[4].signatures.clear(),
        TooFewSignatures,
        None,
        Some(5),
    );
    let twice = |log: &mut Served| log.heads[4].signatures[1] = log.heads[4].signatures[0].clone();
    check("the same cosigner twice", twice, SameCosigner, None, Some(5));
    let stranger = |log: &mut Served| log.heads[4].signatures[1].cosigner = "cosigner_9".into();
    check("a stranger", stranger, UnknownCosigner, None, Some(5));
    let swapped = |log: &mut Served| log.heads[4].signatures[1].sig = log.heads[3].signatures[1].sig;
    check("another head's signature", swapped, BadSignature, None, Some(5));
    check(
        "one of three is enough",
        |log| log.heads[4].head.policy = Policy { t: 1, n: 3 },
        BadPolicy,
        None,
        Some(5),
    );
    check(
        "an empty log's head",
        |log| log.heads[0].head.tree_size = 0,
        EmptyHead,
        None,
        Some(0),
    );
    let other_root = |log: &mut Served| {
        let mut second = log.heads[4].clone();
        second.head.root = Hash::of(b"another history");
        log.heads.insert(5, second);
        resign(&mut log.heads, 5);
    };
    check("a reused size with another root", other_root, TwoRoots, None, Some(5));
    check("heads out of order", |log| log.heads.swap(3, 5), BrokenLink, None, Some(6));
    let back = |log: &mut Served| {
        log.heads[6].head.timestamp = START_S;
        resign(&mut log.heads, 6);
    };
    check("time goes back", back, TimeWentBack, None, Some(7));
    let smaller = |log: &mut Served| log.heads.insert(6, log.heads[2].clone());
    check("the log shrinks", smaller, Shrunk, None, Some(3));
    let root = |log: &mut Served| {
        log.heads[6].head.root = Hash::of(b"another history");
        resign(&mut log.heads, 6);
    };
    check("a root that is not that of the leaves", root, RootMismatch, None, Some(7));
    check("a stale head", |log| log.latest = log.heads[9].clone(), StaleHead, None, Some(10));
    check(
        "the latest head comes with one signature",
        |log| log.latest.signatures.truncate(1),
        TooFewSignatures,
        None,
        Some(13),
    );
    let hidden = |log: &mut Served| {
        log.heads.truncate(10);
        log.latest = log.heads[9].clone();
    };
    check("leaves without a head", hidden, StaleHead, None, Some(10));
}

#[test]
fn every_attack_on_a_leaf_is_named() {
    use FaultCode::*;
    check("a dropped leaf", |log| drop(log.leaves.remove(4)), RootMismatch, None, Some(5));
    check(
        "the last leaf dropped",
        |log| drop(log.leaves.pop()),
        MissingLeaf,
        Some(12),
        Some(13),
    );
    check("two leaves swapped", |log| log.leaves.swap(4, 5), RootMismatch, None, Some(5));
    check(
        "another key",
        |log| log.leaves[4].public_key = key(77).public().bytes(),
        RootMismatch,
        None,
        Some(5),
    );

    // From here on all three cosigners are in it: tree and heads are right, and only the rules of leaves betray the log.
    let last = |leaf: fn(&[Registration]) -> Registration| {
        move |log: &mut Served| {
            let mut leaves = registrations();
            leaves.push(leaf(&leaves));
            *log = Served::of(leaves);
        }
    };
    let mut log = Served::of(registrations());
    last(|all| rotated(&all[12], &key(101), &key(102), START_S + 99))(&mut log);
    log.audit().expect("a good rotation is no attack");
    check(
        "a key without the word of the one before",
        last(|_| registration(2, &key(102), START_S + 99)),
        RotationMissing,
        Some(13),
        None,
    );
    let replayed = |all: &[Registration]| Registration {
        timestamp_s: START_S + 99,
        ..all[8].clone()
    };
    check("a replayed rotation to a former key", last(replayed), KeyReturned, Some(13), None);
    let replayed = |all: &[Registration]| Registration {
        rotation: all[12].rotation,
        ..registration(2, &key(102), START_S + 99)
    };
    check(
        "a rotation replayed for another key",
        last(replayed),
        RotationInvalid,
        Some(13),
        None,
    );
    check(
        "a former key, agreed to by both",
        last(|all| rotated(&all[12], &key(101), &key(3), START_S + 99)),
        KeyReturned,
        Some(13),
        None,
    );
    check(
        "a rotation that is not later",
        last(|all| rotated(&all[12], &key(101), &key(102), all[12].timestamp_s)),
        RotationNotLater,
        Some(13),
        None,
    );
    check("the same key twice", last(|all| all[5].clone()), DuplicateLeaf, Some(13), None);
    let nothing_before = |all: &[Registration]| Registration {
        rotation: all[12].rotation,
        ..registration(50, &key(50), START_S + 99)
    };
    check("a rotation of nothing", last(nothing_before), RotationInvalid, Some(13), None);
}

/// The attack of the 24-byte id: the 64 bytes of an inner node, read as id, key and time. It fails three times: the id is none, the
/// phantom is no leaf of the log, and its proof has the wrong length for any index of the signed size.
#[test]
fn an_inner_node_is_no_leaf() {
    let served = Served::of(registrations());
    let leaves: Vec<_> = served.leaves.iter().map(Registration::leaf).collect();
    let preimage = [leaves[0].0, leaves[1].0].concat();
    let phantom = Hash::of(&preimage);
    assert_eq!(
        phantom,
        Hash::node(&leaves[0], &leaves[1]),
        "it is the inner node over the first two leaves"
    );
    let id = String::from_utf8_lossy(&preimage[..24]);
    assert!(nexus_crypto::registrations::Id::parse(&id).is_err());
    let root = &served.latest.head.root;
    let mut nodes = std::collections::HashMap::<Node, Hash>::new();
    let mut edge = RightEdge::default();
    for leaf in &leaves {
        nodes.extend(edge.append(*leaf));
    }
    let path = nexus_crypto::trees::inclusion_path(0, 13, |node| nodes.get(&node).copied()).expect("the nodes are there");
    let folded = path[1..].iter().fold(phantom, |hash, sibling| Hash::node(&hash, sibling));
    assert_eq!(folded, *root, "a verifier that only folds would take it");
    for index in 0..13 {
        assert!(!verify_inclusion(&phantom, index, 13, &path[1..], root), "at {index}");
    }
}

#[test]
fn what_was_seen_before_binds_the_log() {
    let served = Served::of(registrations());
    let mut nodes = std::collections::HashMap::<Node, Hash>::new();
    let mut edge = RightEdge::default();
    served.leaves.iter().for_each(|leaf| nodes.extend(edge.append(leaf.leaf())));
    let path = consistency_path(5, 13, |node| nodes.get(&node).copied()).expect("the nodes are there");
    let (seen, latest) = (&served.heads[4], &served.latest);
    assert_eq!(since(seen, latest, &path), Ok(()));
    assert_eq!(since(latest, latest, &[]), Ok(()));
    let code = |seen: &TreeHead, latest: &TreeHead, path: &[Hash]| since(seen, latest, path).expect_err("it is a lie").code;
    assert_eq!(code(latest, seen, &[]), FaultCode::Rollback);
    let mut leaves = registrations();
    leaves[1] = registration(1, &key(88), START_S + 1);
    let other = Served::of(leaves);
    assert_eq!(code(&other.heads[4], latest, &path), FaultCode::SplitView);
    assert_eq!(code(&other.latest, latest, &[]), FaultCode::SplitView);
    assert_eq!(code(seen, latest, &path[1..]), FaultCode::SplitView);
}
