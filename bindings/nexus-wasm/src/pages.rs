//! The log's answers, from bytes to values. What can't be read is a fault with its place.

use nexus_crypto::audits::{Fault, FaultCode};
use nexus_crypto::hashes::Hash;
use nexus_crypto::registrations::Registration;
use nexus_crypto::tree_heads::TreeHead;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A leaf as `GET /did/leaves` and `GET /did/{id}` answer it.
#[derive(Deserialize)]
pub(crate) struct Leaf {
    pub(crate) leaf_index: u64,
    #[serde(flatten)]
    pub(crate) registration: Registration,
}

/// The answer of `GET /sth/proof/inclusion`.
#[derive(Deserialize)]
pub(crate) struct Inclusion {
    pub(crate) leaf_index: u64,
    pub(crate) tree_size: u64,
    pub(crate) leaf_hash: Hash,
    pub(crate) path: Vec<Hash>,
}

/// A fault as JavaScript gets it: JSON.
pub(crate) fn thrown(fault: &Fault) -> String {
    serde_json::to_string(fault).expect("a fault has only strings and numbers")
}

/// Any one answer.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|cause| Fault::new(FaultCode::Unreadable, format!("{what}: {cause}")))
}

/// The leaves of a page that must begin at `first`.
pub(crate) fn leaves(body: &[u8], first: u64) -> Result<Vec<Registration>, Fault> {
    let rows: Vec<Leaf> = serde_json::from_slice(body).map_err(|cause| broken_leaf(body, first, &cause))?;
    let at = |(row, index): (Leaf, u64)| {
        if row.leaf_index == index {
            return Ok(row.registration);
        }
        let detail = format!(
            "entry {index} is missing; the log answered with entry {} in its place",
            row.leaf_index
        );
        Err(Fault::at_leaf(FaultCode::MissingLeaf, index, detail))
    };
    rows.into_iter().zip(first..).map(at).collect()
}

/// The heads of a page in the order of the log. The route answers newest first.
pub(crate) fn heads(body: &[u8]) -> Result<Vec<TreeHead>, Fault> {
    let mut heads: Vec<TreeHead> = serde_json::from_slice(body).map_err(|cause| broken_head(body, &cause))?;
    heads.reverse();
    Ok(heads)
}

/// Which leaf of the page is no leaf?
fn broken_leaf(body: &[u8], first: u64, cause: &serde_json::Error) -> Fault {
    let rows: Vec<Value> = serde_json::from_slice(body).unwrap_or_default();
    let broken = rows.into_iter().zip(first..).find_map(|(row, index)| {
        let cause = serde_json::from_value::<Leaf>(row).err()?;
        Some(Fault::at_leaf(FaultCode::BadRegistration, index, cause.to_string()))
    });
    broken.unwrap_or_else(|| Fault::new(FaultCode::Unreadable, format!("the log's entries from {first} on: {cause}")))
}

/// Which head of the page is no head?
fn broken_head(body: &[u8], cause: &serde_json::Error) -> Fault {
    let rows: Vec<Value> = serde_json::from_slice(body).unwrap_or_default();
    let broken = rows.into_iter().rev().find_map(|row| {
        let tree_size = row.get("tree_size").and_then(Value::as_u64);
        let cause = serde_json::from_value::<TreeHead>(row).err()?;
        Some(Fault {
            tree_size,
            ..Fault::new(FaultCode::Unreadable, cause.to_string())
        })
    });
    broken.unwrap_or_else(|| Fault::new(FaultCode::Unreadable, format!("the log's tree heads: {cause}")))
}
