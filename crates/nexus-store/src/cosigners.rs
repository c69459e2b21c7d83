//! What a cosigner remembers, in a file of its own: the tree it saw, every signature it gave, and the proposals it refused.
//!
//! Nothing here decides what may be signed; that is `nexus_crypto::cosigners`. Here it is kept **before** it is told, and the file itself
//! refuses a second signature for one size. All of it blocks: call it from a thread that may wait for a disk.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nexus_crypto::cosigners::State;
use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::Signature;
use nexus_crypto::logs::LogId;
use nexus_crypto::trees::RightEdge;
use nexus_types::limits::{EVIDENCE_BYTES_MAX, EVIDENCE_MAX};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::StoreError;
use crate::sqlite::{classify, open_alone};

/// A signature that a cosigner gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// The size of the head.
    pub size: u64,
    /// The hash that was signed.
    pub head: Hash,
    /// The signature.
    pub signature: Signature,
}

/// A proposal that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// A word for why.
    pub reason: String,
    /// The sentence.
    pub detail: String,
    /// What was asked, as it came; cut off beyond [`EVIDENCE_BYTES_MAX`].
    pub proposal: String,
    /// How often it was asked.
    pub times: u64,
    /// When first, in milliseconds since 1970.
    pub first_ms: i64,
    /// When last.
    pub last_ms: i64,
}

/// One cosigner's memory. Only one process may have it open.
pub struct CosignerStore {
    conn: Mutex<Connection>,
}

fn failed(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| classify(doing, &error)
}

fn fixed<const N: usize>(row: &Row<'_>, column: usize) -> rusqlite::Result<[u8; N]> {
    row.get(column)
}

impl CosignerStore {
    /// Opens or creates the file (mode 0600) of the cosigner of a log.
    ///
    /// # Errors
    /// [`StoreError::Internal`] with a sentence for the operator: it is another log's, another process has it open, it is damaged, or it
    /// is no such file.
    pub fn open(path: &Path, log: LogId) -> Result<Self, StoreError> {
        let store = Self {
            conn: Mutex::new(open_alone(path)?),
        };
        store
            .lock()
            .execute(
                "INSERT INTO seen (one, log_id, size, peaks, last_s) VALUES (1, ?1, 0, x'', 0) ON CONFLICT DO NOTHING",
                [log.0],
            )
            .map_err(failed("open a cosigner's file"))?;
        let state = store.state()?;
        if state.log_id != log {
            return Err(StoreError::internal("open a cosigner's file", "it belongs to another log"));
        }
        let sql = "SELECT COALESCE(MAX(leaf_index) + 1, 0), COUNT(*) FROM leaves";
        let found: (i64, i64) = store
            .lock()
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(failed("open a cosigner's file"))?;
        if found != (state.size() as i64, state.size() as i64) {
            return Err(StoreError::internal(
                "open a cosigner's file",
                "its leaves are not as many as it saw",
            ));
        }
        Ok(store)
    }

    /// Opens the file of a cosigner, whichever log it is of.
    ///
    /// # Errors
    /// As [`CosignerStore::open`]; also if nothing was ever kept in it.
    pub fn reopen(path: &Path) -> Result<Self, StoreError> {
        let store = Self {
            conn: Mutex::new(open_alone(path)?),
        };
        store.state().map(|_| store)
    }

    /// Has nothing ever been seen or signed with this file, which is there? Also true if it was only just made.
    ///
    /// # Errors
    /// Those of the store; also if another process has it open.
    pub fn is_unused(path: &Path) -> Result<bool, StoreError> {
        const USED: &str =
            "SELECT EXISTS (SELECT 1 FROM seen WHERE size > 0) OR EXISTS (SELECT 1 FROM leaves) OR EXISTS (SELECT 1 FROM signatures)";
        let used: bool = open_alone(path)?
            .query_row(USED, [], |row| row.get(0))
            .map_err(failed("look into a cosigner's file"))?;
        Ok(!used)
    }

    /// What the cosigner knows.
    ///
    /// # Errors
    /// Those of the store.
    pub fn state(&self) -> Result<State, StoreError> {
        let row = self
            .lock()
            .prepare_cached("SELECT log_id, size, peaks, last, last_s FROM seen")
            .and_then(|mut seen| {
                seen.query_row([], |row| {
                    let (size, peaks, last): (i64, Vec<u8>, Option<[u8; 32]>) = (row.get(1)?, row.get(2)?, row.get(3)?);
                    Ok((LogId(fixed(row, 0)?), size, peaks, last.map(Hash), row.get(4)?))
                })
            })
            .map_err(failed("read a cosigner's state"))?;
        let (log_id, size, peaks, last, last_s) = row;
        let (peaks, rest) = peaks.as_chunks::<32>();
        let edge = RightEdge::restore(size as u64, peaks.iter().copied().map(Hash).collect()).filter(|_| rest.is_empty());
        let edge = edge.ok_or_else(|| StoreError::internal("read a cosigner's state", "its peaks do not fit its size"))?;
        Ok(State {
            log_id,
            edge,
            last,
            last_s,
        })
    }

    /// What was signed for a size.
    ///
    /// # Errors
    /// Those of the store.
    pub fn signed(&self, size: u64) -> Result<Option<(Hash, Signature)>, StoreError> {
        let Ok(size) = i64::try_from(size) else { return Ok(None) };
        let sql = "SELECT head, signature FROM signatures WHERE tree_size = ?1";
        self.lock()
            .prepare_cached(sql)
            .and_then(|mut found| {
                found
                    .query_row([size], |row| Ok((Hash(fixed(row, 0)?), Signature(fixed(row, 1)?))))
                    .optional()
            })
            .map_err(failed("read a cosigner's signature"))
    }

    /// A leaf that was seen.
    ///
    /// # Errors
    /// Those of the store.
    pub fn leaf(&self, index: u64) -> Result<Option<Hash>, StoreError> {
        let Ok(index) = i64::try_from(index) else { return Ok(None) };
        self.lock()
            .prepare_cached("SELECT leaf_hash FROM leaves WHERE leaf_index = ?1")
            .and_then(|mut found| found.query_row([index], |row| Ok(Hash(fixed(row, 0)?))).optional())
            .map_err(failed("read a cosigner's leaf"))
    }

    /// Keeps what is about to be signed: the new state, the leaves that lead to it, and the signatures. Only after this returned may
    /// they be told.
    ///
    /// # Errors
    /// [`StoreError::Internal`] if this does not go on from what is stored, [`StoreError::Unique`] if one of the sizes was signed
    /// before; those of the store. Then nothing was kept.
    pub fn record(&self, state: &State, leaves: &[Hash], signed: &[Signed]) -> Result<(), StoreError> {
        if signed.is_empty() {
            return Err(StoreError::internal("record signatures", "there are none"));
        }
        self.grow("record signatures", state, leaves, signed)
    }

    /// Keeps leaves that were published while this cosigner was away. Nothing is signed for them.
    ///
    /// # Errors
    /// As [`CosignerStore::record`].
    pub fn extend(&self, state: &State, leaves: &[Hash]) -> Result<(), StoreError> {
        self.grow("catch up", state, leaves, &[])
    }

    fn grow(&self, doing: &'static str, state: &State, leaves: &[Hash], signed: &[Signed]) -> Result<(), StoreError> {
        let before = self.state()?;
        let mut edge = before.edge.clone();
        for leaf in leaves {
            edge.append(*leaf);
        }
        if state.log_id != before.log_id || state.edge != edge || leaves.is_empty() || state.last.is_none() {
            return Err(StoreError::internal(doing, "it does not go on from what was seen"));
        }
        if signed
            .iter()
            .any(|signed| signed.size <= before.size() || signed.size > state.size())
        {
            return Err(StoreError::internal(doing, "a signature is for none of these leaves"));
        }
        let mut conn = self.lock();
        let tx = conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed(doing))?;
        write(&tx, &before, state, leaves, signed)
            .map_err(failed(doing))?
            .then_some(())
            .ok_or_else(|| StoreError::internal(doing, "something else was recorded meanwhile"))?;
        tx.commit().map_err(failed(doing))
    }

    /// Keeps a refused proposal. One that was refused for the same reason before is only counted. False if it was not kept because
    /// there are [`EVIDENCE_MAX`] others: the oldest tell how it began.
    ///
    /// # Errors
    /// Those of the store.
    pub fn refuse(&self, reason: &str, detail: &str, proposal: &str, now_ms: i64) -> Result<bool, StoreError> {
        const REFUSE: &str = "INSERT INTO evidence (digest, reason, detail, proposal, first_ms, last_ms)
            SELECT ?1, ?2, ?3, ?4, ?5, ?5 WHERE (SELECT COUNT(*) FROM evidence) < ?6 OR EXISTS (SELECT 1 FROM evidence WHERE digest = ?1)
            ON CONFLICT (digest) DO UPDATE SET times = times + 1, last_ms = MAX(last_ms, excluded.last_ms)";
        let digest = Hash::of(format!("{reason}\n{proposal}").as_bytes());
        let proposal = &proposal[..proposal.floor_char_boundary(EVIDENCE_BYTES_MAX)];
        let args = params![digest.0, reason, detail, proposal, now_ms, EVIDENCE_MAX as i64];
        let kept = self.lock().execute(REFUSE, args).map_err(failed("keep evidence"))?;
        Ok(kept == 1)
    }

    /// Refused proposals, those that were asked last first.
    ///
    /// # Errors
    /// Those of the store.
    pub fn evidence(&self, limit: usize) -> Result<Vec<Evidence>, StoreError> {
        const LATEST: &str = "SELECT reason, detail, proposal, times, first_ms, last_ms FROM evidence
            ORDER BY last_ms DESC, id DESC LIMIT ?1";
        let conn = self.lock();
        let mut statement = conn.prepare_cached(LATEST).map_err(failed("read evidence"))?;
        let found = statement.query_map([limit.min(EVIDENCE_MAX) as i64], |row| {
            Ok(Evidence {
                reason: row.get(0)?,
                detail: row.get(1)?,
                proposal: row.get(2)?,
                times: row.get::<_, i64>(3)? as u64,
                first_ms: row.get(4)?,
                last_ms: row.get(5)?,
            })
        });
        found.and_then(Iterator::collect).map_err(failed("read evidence"))
    }

    /// How many refused proposals are kept.
    ///
    /// # Errors
    /// Those of the store.
    pub fn refused_count(&self) -> Result<u64, StoreError> {
        self.lock()
            .query_row("SELECT COUNT(*) FROM evidence", [], |row| row.get::<_, i64>(0))
            .map(|count| count as u64)
            .map_err(failed("count evidence"))
    }

    /// Forgets refused proposals that were last asked before a time, and says how many.
    ///
    /// # Errors
    /// Those of the store.
    pub fn sweep(&self, before_ms: i64) -> Result<usize, StoreError> {
        self.lock()
            .execute("DELETE FROM evidence WHERE last_ms < ?1", [before_ms])
            .map_err(failed("sweep evidence"))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic left is rolled back when it is dropped.
        self.conn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// False if the state is not `before` any more.
fn write(tx: &Transaction<'_>, before: &State, state: &State, leaves: &[Hash], signed: &[Signed]) -> rusqlite::Result<bool> {
    let peaks: Vec<u8> = state.edge.peaks().iter().flat_map(|peak| peak.0).collect();
    let sql = "UPDATE seen SET size = ?1, peaks = ?2, last = ?3, last_s = ?4 WHERE size = ?5";
    let last = state.last.map(|hash| hash.0);
    let moved = tx
        .prepare_cached(sql)?
        .execute(params![state.size() as i64, peaks, last, state.last_s, before.size() as i64])?;
    let mut insert = tx.prepare_cached("INSERT INTO leaves (leaf_index, leaf_hash) VALUES (?1, ?2)")?;
    for (index, leaf) in (before.size()..).zip(leaves) {
        insert.execute(params![index as i64, leaf.0])?;
    }
    let mut insert = tx.prepare_cached("INSERT INTO signatures (tree_size, head, signature) VALUES (?1, ?2, ?3)")?;
    for Signed { size, head, signature } in signed {
        insert.execute(params![*size as i64, head.0, signature.0])?;
    }
    Ok(moved == 1)
}
