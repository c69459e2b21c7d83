//! Is what was answered really so? The whole log is read over HTTP and audited as anybody would, and each leaf must be the one that was
//! answered for its index.

use nexus_crypto::audits::Audit;
use nexus_crypto::logs::KeyDocument;
use nexus_crypto::registrations::Registration;
use nexus_crypto::tree_heads::TreeHead;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::chains::id;
use crate::Outcome;
use crate::http::{Client, Request};
use crate::servers::Server;

/// Leaves, and heads, in one page.
const PAGE: u64 = 1_000;
/// Heads whose signatures are verified: every one would take longer than the load.
const SAMPLE: u64 = 500;

#[derive(Deserialize)]
struct Health {
    users_count: u64,
    sth_count: u64,
}

#[derive(Deserialize)]
struct Leaf {
    leaf_index: u64,
    #[serde(flatten)]
    registration: Registration,
}

/// `answered` are leaf indexes and the numbers of their ids.
pub(super) async fn audit(server: &Server, answered: &[(u64, u64)]) -> Outcome<()> {
    let mut answered = answered.to_vec();
    answered.sort_unstable();
    let size = answered.len() as u64;
    let mut client = Client::connect(server.address).await?;
    let health: Health = ask(&mut client, "/health").await?;
    if (health.users_count, health.sth_count) != (size, size) {
        let Health { users_count, sth_count } = health;
        return Err(format!("{size} registrations were answered, /health says {users_count} users and {sth_count} heads").into());
    }
    let document: KeyDocument = ask(&mut client, "/.well-known/key-transparency").await?;
    let mut audit = Audit::begin(document.log_id, document.keys());
    let every = (size / SAMPLE).max(1);
    while audit.size() < size {
        let from = audit.size();
        let end = (from + PAGE).min(size);
        let leaves: Vec<Leaf> = ask(&mut client, &format!("/did/leaves?from={from}&limit={PAGE}")).await?;
        let mut heads: Vec<TreeHead> = ask(&mut client, &format!("/sth/chain?limit={}&before={}", end - from, end + 1)).await?;
        heads.reverse();
        let (_, expected) = answered.split_at(from as usize);
        let is_it =
            |(leaf, (index, number)): (&Leaf, &(u64, u64))| leaf.leaf_index == *index && leaf.registration.id.as_str() == id(*number);
        if leaves.len() as u64 != end - from || !leaves.iter().zip(expected).all(is_it) {
            return Err(format!("the leaves from {from} to {end} are not those that were answered").into());
        }
        let leaves: Vec<_> = leaves.into_iter().map(|leaf| leaf.registration).collect();
        audit.page(&leaves, &heads, |_, _| {})?;
        for head in heads.iter().filter(|head| head.head.tree_size % every == 0) {
            audit.signatures(head)?;
        }
    }
    let latest: TreeHead = ask(&mut client, "/sth/latest").await?;
    Ok(audit.signatures(&latest).and_then(|()| audit.finish(&latest))?)
}

async fn ask<T: DeserializeOwned>(client: &mut Client, path: &str) -> Outcome<T> {
    let request = Request {
        method: "GET",
        path,
        token: None,
        body: None,
    };
    client.json(&request).await
}
