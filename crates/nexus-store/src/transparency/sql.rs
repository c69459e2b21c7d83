//! The key log in the tables of the database. The statements are in `sql/transparency.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use nexus_crypto::hashes::Hash;
use nexus_crypto::logs::LogId;
use nexus_crypto::registrations::{Id, Registration};
use nexus_crypto::tree_heads::TreeHead;
use nexus_crypto::trees::Node;

use super::nodes::Nodes;
use super::{Batch, Compacted, Leaf, LogState, StoredKey};
use crate::sql::transparency::{self, leaves, tree_heads, tree_nodes};
use crate::{Db, StoreError, Tx};

/// The key log in a database. Clones share it.
#[derive(Clone)]
pub struct SqlLog {
    db: Db,
    nodes: Arc<Nodes>,
}

impl SqlLog {
    pub(super) fn new(db: Db) -> Self {
        Self { db, nodes: Arc::default() }
    }

    pub(super) async fn state(&self) -> Result<LogState, StoreError> {
        self.db.read(transparency::state).await
    }

    pub(super) async fn begin(&self, log_id: LogId) -> Result<(), StoreError> {
        self.db
            .write(async move |tx: &mut Tx<'_>| transparency::begin(tx, &log_id).await)
            .await
    }

    pub(super) async fn propose(&self, batch: Arc<Batch>) -> Result<(), StoreError> {
        self.db
            .write(async move |tx: &mut Tx<'_>| transparency::propose(tx, &batch).await)
            .await
    }

    pub(super) async fn publish(&self, batch: Arc<Batch>, heads: Vec<TreeHead>) -> Result<(), StoreError> {
        self.db
            .write(async move |tx: &mut Tx<'_>| transparency::publish(tx, &batch, &heads).await)
            .await
    }

    pub(super) async fn append_published(&self, registrations: Vec<Registration>, heads: Vec<TreeHead>) -> Result<(), StoreError> {
        self.db
            .write(async move |tx: &mut Tx<'_>| transparency::append_published(tx, &registrations, &heads).await)
            .await
    }

    pub(super) async fn current(&self, ids: Vec<Id>) -> Result<HashMap<Id, Leaf>, StoreError> {
        self.db
            .read(async move |tx: &mut Tx<'_>| {
                let mut found = HashMap::with_capacity(ids.len());
                for id in ids {
                    if let Some(leaf) = leaves::current(tx, &id).await? {
                        found.insert(id, leaf);
                    }
                }
                Ok(found)
            })
            .await
    }

    pub(super) async fn history(&self, id: Id) -> Result<Vec<Leaf>, StoreError> {
        self.db.read(async move |tx: &mut Tx<'_>| leaves::history(tx, &id).await).await
    }

    pub(super) async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<Leaf>, StoreError> {
        self.db.read(async move |tx: &mut Tx<'_>| leaves::page(tx, from, limit).await).await
    }

    pub(super) async fn heads(&self, before: Option<u64>, limit: usize) -> Result<Vec<TreeHead>, StoreError> {
        self.db
            .read(async move |tx: &mut Tx<'_>| tree_heads::page(tx, before, limit).await)
            .await
    }

    pub(super) async fn head_at(&self, size: u64) -> Result<Option<TreeHead>, StoreError> {
        self.db.read(async move |tx: &mut Tx<'_>| tree_heads::at(tx, size).await).await
    }

    pub(super) async fn nodes(&self, nodes: Vec<Node>) -> Result<Vec<Hash>, StoreError> {
        let (found, missing) = self.nodes.find(&nodes);
        let asked = missing.clone();
        let mut read = if missing.is_empty() {
            vec![]
        } else {
            self.db
                .read(async move |tx: &mut Tx<'_>| tree_nodes::load(tx, &missing).await)
                .await?
        };
        self.nodes.keep(asked.into_iter().zip(read.iter().copied()));
        let mut read = read.drain(..);
        let hash = |found: Option<Hash>| found.unwrap_or_else(|| read.next().expect("each that was not found was read"));
        Ok(found.into_iter().map(hash).collect())
    }

    pub(super) async fn growth(&self, since_s: i64, step_s: i64) -> Result<Vec<(i64, u64)>, StoreError> {
        self.db
            .read(async move |tx: &mut Tx<'_>| tree_heads::growth(tx, since_s, step_s).await)
            .await
    }

    pub(super) async fn set_keys(&self, keys: Vec<StoredKey>) -> Result<(), StoreError> {
        self.db
            .write(async move |tx: &mut Tx<'_>| transparency::set_keys(tx, &keys).await)
            .await
    }

    pub(super) async fn compact(&self) -> Result<Compacted, StoreError> {
        let bytes = self.db.read(transparency::bytes).await?;
        Ok(Compacted {
            bytes_before: bytes,
            bytes_after: bytes,
        })
    }
}
