//! A log as files: those of an export, and the pages that a browser would fetch.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use nexus_crypto::registrations::Registration;
use nexus_crypto::tree_heads::TreeHead;
use serde::Serialize;

use super::chains::Chain;
use crate::Outcome;

/// Leaves in a page, as the web client asks for them.
const PAGE: usize = 1_000;

/// Writes what `nexus log export` writes, and says how many bytes that is.
pub(super) fn export(chain: &Chain, folder: &Path) -> Outcome<u64> {
    std::fs::write(folder.join("key-transparency.json"), serde_json::to_vec(&chain.document)?)?;
    Ok(lines(&folder.join("users.jsonl"), &chain.leaves)? + lines(&folder.join("sth.jsonl"), &chain.heads)?)
}

fn lines(path: &Path, values: &[impl Serialize]) -> Outcome<u64> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for value in values {
        serde_json::to_writer(&mut file, value)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(file.get_ref().metadata()?.len())
}

/// A leaf as `GET /did/leaves` answers it.
#[derive(Serialize)]
struct Leaf<'a> {
    leaf_index: u64,
    #[serde(flatten)]
    registration: &'a Registration,
}

/// Writes the answers that a whole audit fetches, and says how many bytes they are: the key document, the latest head, then in turn a
/// page of leaves and the heads among them, newest first. Each has its length before it, as 4 bytes little-endian.
pub(super) fn pages(chain: &Chain, with_heads: bool, path: &Path) -> Outcome<u64> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let latest = if with_heads {
        chain.heads.last().ok_or("the log has a head")?
    } else {
        &chain.only
    };
    write(&mut file, &chain.document)?;
    write(&mut file, latest)?;
    for (number, leaves) in chain.leaves.chunks(PAGE).enumerate() {
        let from = number * PAGE;
        let listed = (from as u64..)
            .zip(leaves)
            .map(|(leaf_index, registration)| Leaf { leaf_index, registration });
        write(&mut file, &listed.collect::<Vec<_>>())?;
        let heads: Vec<&TreeHead> = if with_heads {
            chain.heads[from..from + leaves.len()].iter().rev().collect()
        } else if from + leaves.len() == chain.leaves.len() {
            vec![latest]
        } else {
            vec![]
        };
        write(&mut file, &heads)?;
    }
    file.flush()?;
    Ok(file.get_ref().metadata()?.len())
}

fn write(file: &mut impl std::io::Write, answer: &impl Serialize) -> Outcome<()> {
    let bytes = serde_json::to_vec(answer)?;
    file.write_all(&u32::try_from(bytes.len())?.to_le_bytes())?;
    Ok(file.write_all(&bytes)?)
}
