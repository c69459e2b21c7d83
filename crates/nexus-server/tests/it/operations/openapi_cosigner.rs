//! `docs/OPENAPI.cosigner.yml` against a running cosigner. The test is its log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::PublicKey;
use nexus_crypto::logs::LogId;
use nexus_crypto::proposals::{Extension, Proposal, request_message};
use nexus_crypto::tree_heads::{POLICY, PrevHash, UnsignedHead};
use nexus_crypto::trees::RightEdge;
use serde_json::{Value, json};

use super::documents::OpenApi;
use super::programs::Cosigner;
use super::registrations::key;
use crate::wire::Answer;

const LOG: LogId = LogId([3; 32]);

struct Stage {
    document: OpenApi,
    cosigner: Cosigner,
    key: PublicKey,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log_key = STANDARD.encode(key(9).public().as_bytes());
        let cosigner = Cosigner::start(&folder.path().join("data"), 0, &LOG.to_string(), &log_key);
        let state = cosigner.ask("GET", "/").send().json();
        let key = state["public_key"].as_str().expect("it tells its key");
        Self {
            document: OpenApi::read("docs/OPENAPI.cosigner.yml"),
            key: PublicKey::parse(key).expect("a good key"),
            cosigner,
            _folder: folder,
        }
    }

    #[track_caller]
    fn check(&self, method: &str, path: &str, status: u16, answer: &Answer) -> Value {
        assert_eq!(answer.status(), status, "{method} {path}: {answer:?}");
        let schema = &self.document.response(method, path, status)["content"]["application/json"]["schema"];
        let body = answer.json();
        if let Some(fault) = self.document.fault(schema, &body) {
            panic!("{method} {path} {status}: {fault}");
        }
        body
    }

    /// Asks as the log does.
    #[track_caller]
    fn ask(&self, path: &str, question: &Value, status: u16) -> Value {
        let body = question.to_string();
        let signature = STANDARD.encode(
            key(9)
                .sign(&request_message(&self.key, path.trim_start_matches('/'), body.as_bytes()))
                .0,
        );
        let ask = self.cosigner.ask("POST", path).header("x-nexus-signature", &signature);
        self.check("POST", path, status, &ask.body("application/json", body).send())
    }

    fn asks(&self, path: &str, question: &Value) {
        let schema = &self.document.operation("POST", path)["requestBody"]["content"]["application/json"]["schema"];
        if let Some(fault) = self.document.fault(schema, question) {
            panic!("{path}: {fault}");
        }
    }
}

/// The heads of a log of these leaves.
fn heads(leaves: &[Hash]) -> Vec<UnsignedHead> {
    let (mut edge, mut before) = (RightEdge::default(), None);
    let head = |leaf: &Hash| {
        edge.append(*leaf);
        let head = UnsignedHead {
            tree_size: edge.size(),
            root: edge.root(),
            prev_hash: PrevHash(before),
            policy: POLICY,
            timestamp: 1_700_000_000,
        };
        before = Some(head.hash());
        head
    };
    leaves.iter().map(head).collect()
}

fn proposal(leaves: &[Hash], first: usize) -> Value {
    let heads = heads(leaves);
    let proposal = Proposal {
        log_id: LOG,
        first: first as u64,
        before: first.checked_sub(1).map(|last| heads[last].hash()),
        leaves: leaves[first..].to_vec(),
        heads: heads[first..].to_vec(),
    };
    serde_json::to_value(proposal).expect("it serialises")
}

#[test]
fn a_cosigner_answers_as_documented() {
    let stage = Stage::new();
    let leaves: Vec<Hash> = (0..6_u8).map(|number| Hash::of(&[number])).collect();
    let other = [leaves[0], Hash::of(b"another history")];
    let first = proposal(&leaves[..2], 0);
    stage.asks("/sign", &first);
    assert_eq!(stage.ask("/sign", &first, 200)["signatures"].as_array().map(Vec::len), Some(2));
    assert_eq!(stage.ask("/sign", &first, 200), stage.ask("/sign", &first, 200), "the same again");
    assert_eq!(
        stage.ask("/sign", &proposal(&leaves, 4), 409),
        json!({ "error": "behind", "size": 2 })
    );
    let extension = Extension {
        log_id: LOG,
        first: 2,
        leaves: leaves[2..4].to_vec(),
        head: heads(&leaves)[3],
    };
    let extension = serde_json::to_value(extension).expect("it serialises");
    stage.asks("/extend", &extension);
    assert_eq!(stage.ask("/extend", &extension, 200), json!({ "size": 4 }));
    stage.ask("/sign", &proposal(&leaves, 4), 200);
    assert_eq!(stage.ask("/sign", &proposal(&other, 0), 409)["error"], "refused");
    assert_eq!(stage.ask("/extend", &extension, 409)["error"], "refused");
    stage.ask("/sign", &json!({}), 400);
    stage.ask("/extend", &json!([]), 400);
    for path in ["/sign", "/extend"] {
        let unsigned = stage.cosigner.ask("POST", path).json(&first).send();
        stage.check("POST", path, 401, &unsigned);
    }
    stage.check("GET", "/health", 200, &stage.cosigner.ask("GET", "/health").send());
    let state = stage.check("GET", "/", 200, &stage.cosigner.ask("GET", "/").send());
    assert_eq!(
        (&state["public_key"], &state["size"]),
        (&json!(stage.cosigner.public_key), &json!(6))
    );
    assert_eq!(state["refused"], 1, "what is dishonest is kept, to be asked again is not: {state}");
}

#[test]
fn a_cosigner_serves_the_documented_routes_and_no_others() {
    let stage = Stage::new();
    let documented = stage.document.operations();
    assert_eq!(documented.len(), 4);
    for (method, path) in documented {
        let status = stage.cosigner.ask(&method, &path).send().status();
        assert!(![404, 405].contains(&status), "{method} {path} {status}");
    }
    for path in ["/sth/latest", "/metrics", "/state"] {
        assert_eq!(stage.cosigner.ask("GET", path).send().status(), 404, "{path}");
    }
}
