//! What an auditor remembers from one run to the next: the keys and the last head it saw, so that a log can neither go back nor show
//! it another history.
//!
//! # Shape
//! `{"version": 1, "document": key document, "head": tree head, "all_signed": bool, "verified_at": seconds since 1970}`

use std::path::Path;

use nexus_crypto::audits::Audit;
use nexus_crypto::logs::KeyDocument;
use nexus_crypto::tree_heads::TreeHead;
use serde::{Deserialize, Serialize};

use crate::data;
use crate::exits::{Exit, Failure};

const VERSION: u32 = 1;

/// See the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    /// The keys that were seen.
    pub document: KeyDocument,
    /// The last head that was verified; none of an empty log.
    pub head: Option<TreeHead>,
    /// Were the signatures of all heads up to it checked?
    pub all_signed: bool,
    /// When, in seconds since 1970.
    pub verified_at: i64,
}

impl Saved {
    /// What an audit has seen, if it stands at a head.
    pub fn of(document: &KeyDocument, audit: &Audit, all_signed: bool, now_s: i64) -> Option<Self> {
        let stands = audit.last().map_or(0, |head| head.head.tree_size) == audit.size();
        stands.then(|| Self {
            version: VERSION,
            document: document.clone(),
            head: audit.last().cloned(),
            all_signed,
            verified_at: now_s,
        })
    }

    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// A [`Failure`] if it can't be read or is none of ours.
    pub fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let wrong = |what: String| {
            Failure::new(
                Exit::Data,
                format!("The state file {} can't be used: {what}.", path.display()),
                "Restore it from a backup. Without it everything is verified from the start, and nothing is known of what was seen before.",
            )
        };
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(wrong(cause.to_string())),
        };
        let saved: Self = serde_json::from_slice(&text).map_err(|cause| wrong(cause.to_string()))?;
        if saved.version != VERSION {
            return Err(wrong(format!("it has version {} instead of {VERSION}", saved.version)));
        }
        let document = saved.document.judged().map_err(|cause| wrong(cause.to_string()))?;
        Ok(Some(Self { document, ..saved }))
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// A [`Failure`] if it can't be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).expect("our shapes have string keys and no failing parts");
        data::write_whole(path, &text).map_err(|cause| data::unwritable(path, &cause))
    }
}
