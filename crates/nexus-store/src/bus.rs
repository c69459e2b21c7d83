//! The bus inside one process: the tail of the log in memory, the last published position, and fleeting events.
//!
//! The bus carries, it never records: whoever falls behind the ring reads SQL (see [`crate::log`]). Entries arrive in order of
//! position, after their transaction was committed and before its jobs are answered.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{broadcast, watch};

use crate::limits::{FLEETING_MAX, RING_BYTES_MAX};

/// An entry of the log before it has a position. `0` means none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// When it happened, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened, as a number of nexus-types.
    pub kind: i64,
    /// The guild or direct conversation.
    pub topic: i64,
    /// The channel whose viewers may see it.
    pub channel: i64,
    /// The user whose scope changed, or the only reader.
    pub subject: i64,
    /// What a scrub must find, for instance the message.
    pub object: i64,
    /// JSON. Never empty: an empty body means scrubbed.
    pub body: String,
}

/// A committed entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log; positions start at 1.
    pub position: i64,
    /// When it happened, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    pub kind: i64,
    /// The guild or direct conversation, or 0.
    pub topic: i64,
    /// The channel whose viewers may see it, or 0.
    pub channel: i64,
    /// The user whose scope changed, or the only reader, or 0.
    pub subject: i64,
    /// What a scrub must find, or 0.
    pub object: i64,
    /// JSON, or empty if the entry was scrubbed.
    pub body: Arc<str>,
}

impl Entry {
    /// Whether the body was erased. Fan-out and replay pass over such an entry.
    pub fn is_scrubbed(&self) -> bool {
        self.body.is_empty()
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + size_of::<Arc<Self>>() + self.body.len()
    }
}

/// Something that matters only now and is never stored, for instance typing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleeting {
    /// What happens.
    pub kind: i64,
    /// The guild or direct conversation.
    pub topic: i64,
    /// The channel whose viewers may see it.
    pub channel: i64,
    /// The user it is about.
    pub subject: i64,
    /// JSON.
    pub body: String,
}

/// What the ring holds after a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// Every entry after the position, in order, up to the limit. Empty: there is none yet.
    ///
    /// Scrubbed entries are among them, with an empty body, so that a reader can move on over them.
    Entries(Vec<Arc<Entry>>),
    /// The ring no longer reaches back to the next position; read SQL.
    Gone,
}

/// The tail of the log in memory.
///
/// # Invariant
/// `entries` holds every committed entry with a position above `floor`, in order, and at most the bytes of the cap.
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    floor: i64,
    bytes: usize,
}

/// The bus of one process. See the module for what it promises.
pub struct Bus {
    ring: RwLock<Ring>,
    ring_bytes_max: usize,
    head: watch::Sender<i64>,
    fleeting: broadcast::Sender<Arc<Fleeting>>,
}

impl Bus {
    pub(crate) fn new(head: i64, ring_bytes_max: usize) -> Self {
        Self {
            ring: RwLock::new(Ring {
                entries: VecDeque::new(),
                floor: head,
                bytes: 0,
            }),
            ring_bytes_max: ring_bytes_max.min(RING_BYTES_MAX),
            head: watch::Sender::new(head),
            fleeting: broadcast::Sender::new(FLEETING_MAX),
        }
    }

    /// The last position that was committed and published. At the start the highest position ever given, also when the log was
    /// trimmed empty since.
    pub fn head(&self) -> i64 {
        *self.head.borrow()
    }

    /// Follows the head. When it changes, every entry up to it can be read with [`Bus::after`].
    pub fn watch(&self) -> watch::Receiver<i64> {
        self.head.subscribe()
    }

    /// Up to `limit` entries after `position`.
    pub fn after(&self, position: i64, limit: usize) -> Window {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        if position < ring.floor {
            return Window::Gone;
        }
        let start = ring.entries.partition_point(|entry| entry.position <= position);
        let end = ring.entries.len().min(start.saturating_add(limit));
        Window::Entries(ring.entries.range(start..end).cloned().collect())
    }

    /// Tells everyone who listens at this moment. Nobody waits for a slow listener: it loses the oldest.
    pub fn send_fleeting(&self, fleeting: Fleeting) {
        // The only error is that nobody listens, which is no failure.
        drop(self.fleeting.send(Arc::new(fleeting)));
    }

    /// Listens to fleeting events from now on.
    pub fn fleeting(&self) -> broadcast::Receiver<Arc<Fleeting>> {
        self.fleeting.subscribe()
    }

    /// Takes over what a transaction appended and scrubbed, after its commit and before its answers.
    pub(crate) fn publish(&self, entries: &mut Vec<Arc<Entry>>, scrubbed: &mut Vec<i64>) {
        if entries.is_empty() && scrubbed.is_empty() {
            return;
        }
        let mut guard = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let ring = &mut *guard;
        let mut head = ring.entries.back().map_or(ring.floor, |entry| entry.position);
        for entry in entries.drain(..) {
            assert!(entry.position > head, "entries are published in order of position");
            head = entry.position;
            ring.bytes += entry.bytes();
            ring.entries.push_back(entry);
        }
        if !scrubbed.is_empty() {
            scrub(ring, scrubbed);
            scrubbed.clear();
        }
        while ring.bytes > self.ring_bytes_max {
            let oldest = ring.entries.pop_front().expect("a ring with bytes has an entry");
            ring.bytes -= oldest.bytes();
            ring.floor = oldest.position;
        }
        drop(guard);
        // Last, so that whoever sees the new head finds the entries.
        self.head.send_if_modified(|current| std::mem::replace(current, head) != head);
    }
}

fn scrub(ring: &mut Ring, objects: &[i64]) {
    for entry in &mut ring.entries {
        if objects.contains(&entry.object) && !entry.is_scrubbed() {
            ring.bytes -= entry.body.len();
            *entry = Arc::new(Entry {
                body: "".into(),
                ..Entry::clone(entry)
            });
        }
    }
}
