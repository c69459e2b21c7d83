//! An audit of the recorded log of `fixtures/transparency/`, and answers that are none.

use nexus_wasm::{Audit, leaf_of, rotation_message_of};
use serde_json::{Value, json};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../fixtures/transparency/vectors.json")).expect("the vectors are JSON")
}

/// The recorded log as its routes answer it.
struct Answers {
    document: Vec<u8>,
    latest: Vec<u8>,
    leaves: Vec<Value>,
    /// Newest first.
    heads: Vec<Value>,
}

fn answers() -> Answers {
    let vectors = vectors();
    let list = |name: &str| vectors[name].as_array().expect("a list").clone();
    let mut heads = list("heads");
    let latest = bytes(heads.last().expect("it has heads"));
    heads.reverse();
    let leaves = list("registrations").into_iter().enumerate().map(|(index, mut leaf)| {
        leaf["leaf_index"] = json!(index);
        leaf
    });
    Answers {
        document: bytes(&vectors["key_document"]),
        latest,
        leaves: leaves.collect(),
        heads,
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn begun(answers: &Answers) -> Audit {
    let mut audit = Audit::begin(&answers.document, 100).expect("the document is good");
    audit.latest(&answers.latest).expect("the head is one");
    audit.check_latest().expect("and a good one");
    audit
}

fn audited(answers: &Answers) -> Audit {
    let mut audit = begun(answers);
    audit
        .page(&bytes(&json!(answers.leaves)), &bytes(&json!(answers.heads)))
        .expect("the log is good");
    assert_eq!(audit.check_signatures(100), Ok(0));
    audit.finish().expect("the latest head is the end");
    audit
}

/// The code and the place of a fault.
fn place<T>(outcome: Result<T, String>) -> (String, Value, Value) {
    let fault = outcome.err().expect("there is a fault");
    let fault: Value = serde_json::from_str(&fault).expect("a fault is JSON");
    let code = fault["code"].as_str().expect("a fault has a code").to_owned();
    (code, fault["leaf_index"].clone(), fault["tree_size"].clone())
}

#[test]
fn the_recorded_log_is_good_and_every_entry_is_proven() {
    let (answers, vectors) = (answers(), vectors());
    let audit = audited(&answers);
    let size = answers.leaves.len() as u32;
    assert_eq!((audit.size(), audit.heads()), (size, size));
    assert_eq!(audit.subtree(0, size), Some(audit.root()));
    let proofs = vectors["inclusion"].as_array().expect("a list");
    for proof in proofs.iter().filter(|proof| proof["tree_size"] == json!(size)) {
        let index = proof["leaf_index"].as_u64().expect("an index") as usize;
        let mut proof = proof.clone();
        proof["leaf_hash"] = vectors["leaves"][index].clone();
        let proven = audit
            .inclusion(&bytes(&answers.leaves[index]), &bytes(&proof))
            .expect("it is in the log");
        let proven: Value = serde_json::from_str(&proven).expect("a proof is JSON");
        assert_eq!(proven["path"], proof["path"]);
        assert_eq!(leaf_of(&bytes(&answers.leaves[index])).map(Value::from), Ok(proven["hash"].clone()));
        let other = &answers.leaves[(index + 1) % size as usize];
        assert_eq!(place(audit.inclusion(&bytes(other), &bytes(&proof))).0, "bad_inclusion");
    }
    for head in &answers.heads {
        audit.since(&bytes(head)).expect("the log goes on from each of its heads");
    }
    let rows: Value = serde_json::from_str(&audit.rows(0, size)).expect("rows are JSON");
    let history: Value = serde_json::from_str(&audit.history(rows[2]["id"].as_str().expect("an id"))).expect("and a history");
    assert!(history.as_array().is_some_and(|own| own.contains(&rows[2])));
    assert_eq!(audit.history("did"), "[]");
    audit.goes_on_from(&answers.document).expect("and from its own document");
}

#[test]
fn pages_may_overlap_in_their_heads() {
    let answers = answers();
    let mut audit = begun(&answers);
    let half = answers.leaves.len() / 2;
    // Newest first: the second half and the last known head stand before what was told already.
    let older = &answers.heads[answers.heads.len() - half..];
    audit
        .page(&bytes(&json!(answers.leaves[..half])), &bytes(&json!(older)))
        .expect("the first page");
    audit
        .page(&bytes(&json!(answers.leaves[half..])), &bytes(&json!(answers.heads)))
        .expect("the second, with all heads");
    assert_eq!(audit.heads() as usize, answers.heads.len());
    audit.finish().expect("the log is whole");
}

#[test]
fn what_is_missing_or_unreadable_is_a_fault_with_its_place() {
    let answers = answers();
    assert_eq!(place(Audit::begin(b"<html>", 100)).0, "unreadable");
    let page = |leaves: &[Value], heads: &[Value]| begun(&answers).page(&bytes(&json!(leaves)), &bytes(&json!(heads)));

    let mut leaves = answers.leaves.clone();
    leaves.remove(3);
    assert_eq!(
        place(page(&leaves, &answers.heads)),
        ("missing_leaf".to_owned(), json!(3), Value::Null)
    );

    let mut leaves = answers.leaves.clone();
    leaves[4]["id"] = json!("white space");
    assert_eq!(
        place(page(&leaves, &answers.heads)),
        ("bad_registration".to_owned(), json!(4), Value::Null)
    );

    let mut heads = answers.heads.clone();
    heads[0]["root"] = json!("AAAA");
    let size = json!(answers.heads.len());
    assert_eq!(place(page(&answers.leaves, &heads)), ("unreadable".to_owned(), Value::Null, size));
    assert_eq!(place(begun(&answers).page(b"{", b"[]")).0, "unreadable");
}

#[test]
fn a_change_of_key_signs_the_contracts_bytes() {
    let answers = answers();
    let log_id = vectors()["key_document"]["log_id"].as_str().expect("a string").to_owned();
    let (current, next) = (bytes(&answers.leaves[0]), bytes(&answers.leaves[1]));
    let message = rotation_message_of(&log_id, &current, &next).expect("both are registrations");
    assert_eq!(message.len(), b"nexus/did-rotate/2".len() + 3 * 32);
    assert!(message.starts_with(b"nexus/did-rotate/2"));
    assert_eq!(place(rotation_message_of("no id", &current, &next)).0, "unreadable");
}
