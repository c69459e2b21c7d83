//! The ids that an audit has seen. A million of them is usual, so names stand in one text and entries in one list, each grows at its
//! end, and the table between them holds numbers only.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;

use crate::keys::KeyBytes;

/// An id as far as the audit has come.
pub(super) struct Known {
    pub(super) key: KeyBytes,
    pub(super) timestamp_s: i64,
    /// Keys that it had and left.
    pub(super) left: Vec<KeyBytes>,
}

/// Ids and what is known of them.
#[derive(Default)]
pub(super) struct Ids {
    names: String,
    entries: Vec<Entry>,
    /// Numbers of entries, by the hash of the name.
    table: HashTable<u32>,
    hasher: RandomState,
}

struct Entry {
    /// Where the name begins; it ends where the next begins.
    begins: usize,
    known: Known,
}

fn name<'a>(names: &'a str, entries: &[Entry], number: u32) -> &'a str {
    let number = number as usize;
    let end = entries.get(number + 1).map_or(names.len(), |next| next.begins);
    &names[entries[number].begins..end]
}

impl Ids {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn find(&mut self, id: &str) -> Option<&mut Known> {
        let hash = self.hasher.hash_one(id);
        let number = *self.table.find(hash, |number| name(&self.names, &self.entries, *number) == id)?;
        Some(&mut self.entries[number as usize].known)
    }

    /// Adds an id that is not there yet.
    pub(super) fn add(&mut self, id: &str, known: Known) {
        let Self {
            names,
            entries,
            table,
            hasher,
        } = self;
        let number = u32::try_from(entries.len()).expect("memory ends before four thousand million ids");
        entries.push(Entry {
            begins: names.len(),
            known,
        });
        names.push_str(id);
        let hash = |id: &str| hasher.hash_one(id);
        table.insert_unique(hash(id), number, |number| hash(name(names, entries, *number)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_found_and_no_other() {
        let mut ids = Ids::default();
        let known = |number: i64| Known {
            key: KeyBytes([0; 32]),
            timestamp_s: number,
            left: vec![],
        };
        for number in 0..5_000 {
            assert!(ids.find(&format!("did:{number}")).is_none());
            ids.add(&format!("did:{number}"), known(number));
        }
        assert_eq!(ids.len(), 5_000);
        for number in (0..5_000).rev() {
            let found = ids.find(&format!("did:{number}")).map(|known| known.timestamp_s);
            assert_eq!(found, Some(number));
        }
        assert!(ids.find("did:").is_none() && ids.find("did:00").is_none() && ids.find("").is_none());
    }
}
