//! `nexus cosigner evidence`: what a cosigner refused to sign, for whoever has to show it.
//!
//! # Shape
//! `{"reason", "detail", "times", "first", "last", "proposal"}`: a word, a sentence, how often it was asked, when first and last in
//! seconds since 1970, and the question as it came, as text. A question that was too long is cut off, and no JSON any more.

use nexus_store::StoreError;
use nexus_store::cosigners::{CosignerStore, Evidence};
use nexus_types::limits::EVIDENCE_MAX;
use serde_json::json;

use super::{keys, processes};
use crate::data::DataDir;
use crate::exits::{Exit, Failure};

/// The evidence in a cosigner's own directory or, of a named one, in that of the log; the last first.
///
/// # Errors
/// A [`Failure`] if there is no memory of a cosigner, or it can't be read.
pub fn lines(data: &DataDir, cosigner: Option<&str>) -> Result<Vec<String>, Failure> {
    let path = cosigner.map_or_else(|| data.file(processes::STORE), |name| keys::store_file(data, name));
    if !path.exists() {
        return Err(Failure::new(
            Exit::Usage,
            format!("There is no {}.", path.display()),
            "Name the directory of a cosigner's own program; or that of the log, and the cosigner with --cosigner cosigner_0.",
        ));
    }
    let unreadable = |cause: StoreError| {
        Failure::new(
            Exit::Store,
            format!("Can't read the memory of this cosigner: {cause}."),
            "Keep it as it is; a copy of it can be looked at elsewhere.",
        )
    };
    let store = CosignerStore::reopen(&path).map_err(unreadable)?;
    Ok(store.evidence(EVIDENCE_MAX).map_err(unreadable)?.iter().map(line).collect())
}

fn line(evidence: &Evidence) -> String {
    let line = json!({
        "reason": evidence.reason,
        "detail": evidence.detail,
        "times": evidence.times,
        "first": evidence.first_ms / 1_000,
        "last": evidence.last_ms / 1_000,
        "proposal": evidence.proposal,
    });
    line.to_string()
}
