//! The judge of a run: what was sent, what was acknowledged, what history holds at the end, and what every reader saw.
//!
//! The laws (promises P1 to P6): acknowledged ⊆ final ⊆ sent; one row per nonce; one order in live streams, history and resumed
//! streams; a stream that was resumed equals its slice of history; an author's message sent after another was acknowledged comes
//! after it. Every breach has a name, and the oracle is itself tested with each of them planted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

/// A message as a row of history or a dispatch of a stream shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Row {
    /// Its id.
    pub id: i64,
    /// What names it in the test: content that no other nonce has.
    pub key: String,
}

/// What one reader saw of a channel, in the order it came.
#[derive(Debug, Clone)]
pub struct Stream {
    /// For the report.
    pub name: String,
    /// The stream claims everything after this id …
    pub after: i64,
    /// … up to this one.
    pub until: i64,
    /// What came.
    pub rows: Vec<Row>,
}

/// A breach of a law.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breach {
    /// Acknowledged, and not in history.
    Lost {
        /// Which message.
        key: String,
    },
    /// In history or a stream, and never sent.
    Phantom {
        /// Where.
        place: String,
        /// Which message.
        key: String,
    },
    /// More than one row of one nonce in history.
    Doubled {
        /// Which message.
        key: String,
    },
    /// Acknowledged with another id than history has.
    OtherId {
        /// Which message.
        key: String,
    },
    /// A stream, or history itself, in another order than the ids of history.
    Swapped {
        /// Where.
        place: String,
        /// The first message that comes too early.
        key: String,
    },
    /// A stream lacks a message of the slice it claims.
    Gap {
        /// Which stream.
        place: String,
        /// Which message.
        key: String,
    },
    /// A stream has a message twice.
    Repeated {
        /// Which stream.
        place: String,
        /// Which message.
        key: String,
    },
    /// An author's message precedes one that was acknowledged before it was sent.
    Overtaken {
        /// The message that should have come first.
        first: String,
        /// The one that did.
        second: String,
    },
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { key } => write!(formatter, "lost: {key} was acknowledged and is not in history"),
            Self::Phantom { place, key } => write!(formatter, "phantom: {key} in {place} was never sent"),
            Self::Doubled { key } => write!(formatter, "doubled: {key} has more than one row"),
            Self::OtherId { key } => write!(formatter, "other id: {key} was acknowledged with another id"),
            Self::Swapped { place, key } => write!(formatter, "swapped: {key} comes too early in {place}"),
            Self::Gap { place, key } => write!(formatter, "gap: {key} is missing in {place}"),
            Self::Repeated { place, key } => write!(formatter, "repeated: {key} comes twice in {place}"),
            Self::Overtaken { first, second } => write!(
                formatter,
                "overtaken: {second} precedes {first}, which was acknowledged before it was sent"
            ),
        }
    }
}

/// What happened in one channel.
#[derive(Debug, Clone, Default)]
pub struct Oracle {
    sent: HashSet<String>,
    acked: BTreeMap<String, i64>,
    /// Pairs of one author: the second was sent after the first was acknowledged.
    in_order: Vec<(String, String)>,
    last_acked: HashMap<String, String>,
    history: Vec<Row>,
    streams: Vec<Stream>,
}

impl Oracle {
    /// An author is about to send a message for the first time.
    pub fn sent(&mut self, author: &str, key: &str) {
        self.sent.insert(key.to_owned());
        if let Some(before) = self.last_acked.get(author) {
            self.in_order.push((before.clone(), key.to_owned()));
        }
    }

    /// The server acknowledged it.
    pub fn acked(&mut self, author: &str, key: &str, id: i64) {
        self.acked.insert(key.to_owned(), id);
        self.last_acked.insert(author.to_owned(), key.to_owned());
    }

    /// How many messages were acknowledged.
    pub fn acked_count(&self) -> usize {
        self.acked.len()
    }

    /// Takes over what another oracle of the same channel has seen; both saw different authors.
    pub fn merge(&mut self, other: Self) {
        self.sent.extend(other.sent);
        self.acked.extend(other.acked);
        self.in_order.extend(other.in_order);
        self.last_acked.extend(other.last_acked);
        self.streams.extend(other.streams);
    }

    /// What the channel holds at the end, oldest first.
    pub fn history(&mut self, rows: Vec<Row>) {
        self.history = rows;
    }

    /// What a reader saw.
    pub fn stream(&mut self, stream: Stream) {
        self.streams.push(stream);
    }

    /// Every breach, in no order that means anything.
    pub fn breaches(&self) -> Vec<Breach> {
        let mut breaches = Vec::new();
        self.check_rows(&mut breaches);
        self.check_order(&mut breaches);
        for stream in &self.streams {
            self.check_stream(stream, &mut breaches);
        }
        breaches
    }

    /// # Panics
    /// With every breach, if there is one.
    #[track_caller]
    pub fn assert_holds(&self) {
        let breaches = self.breaches();
        let words: Vec<_> = breaches.iter().take(20).map(ToString::to_string).collect();
        assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), words.join("\n"));
    }

    fn check_rows(&self, breaches: &mut Vec<Breach>) {
        let mut ids: HashMap<&str, i64> = HashMap::new();
        for row in &self.history {
            if !self.sent.contains(&row.key) {
                breaches.push(Breach::Phantom {
                    place: "history".into(),
                    key: row.key.clone(),
                });
            }
            if ids.insert(&row.key, row.id).is_some() {
                breaches.push(Breach::Doubled { key: row.key.clone() });
            }
        }
        for (key, id) in &self.acked {
            match ids.get(key.as_str()) {
                None => breaches.push(Breach::Lost { key: key.clone() }),
                Some(found) if found != id => breaches.push(Breach::OtherId { key: key.clone() }),
                Some(_) => {}
            }
        }
    }

    fn check_order(&self, breaches: &mut Vec<Breach>) {
        for pair in self.history.windows(2) {
            if pair[0].id >= pair[1].id {
                breaches.push(Breach::Swapped {
                    place: "history".into(),
                    key: pair[0].key.clone(),
                });
            }
        }
        let place: HashMap<&str, usize> = self
            .history
            .iter()
            .enumerate()
            .map(|(place, row)| (row.key.as_str(), place))
            .collect();
        for (first, second) in &self.in_order {
            if let (Some(one), Some(other)) = (place.get(first.as_str()), place.get(second.as_str()))
                && one > other
            {
                breaches.push(Breach::Overtaken {
                    first: first.clone(),
                    second: second.clone(),
                });
            }
        }
    }

    fn check_stream(&self, stream: &Stream, breaches: &mut Vec<Breach>) {
        let place = || stream.name.clone();
        let mut seen = HashSet::new();
        let mut newest = i64::MIN;
        let mut newest_key = "";
        for row in &stream.rows {
            if !seen.insert(row) {
                breaches.push(Breach::Repeated {
                    place: place(),
                    key: row.key.clone(),
                });
                continue;
            }
            if row.id < newest {
                breaches.push(Breach::Swapped {
                    place: place(),
                    key: newest_key.to_owned(),
                });
            } else {
                newest = row.id;
                newest_key = &row.key;
            }
        }
        let slice: HashSet<&Row> = self
            .history
            .iter()
            .filter(|row| row.id > stream.after && row.id <= stream.until)
            .collect();
        for row in self.history.iter().filter(|row| slice.contains(row) && !seen.contains(row)) {
            breaches.push(Breach::Gap {
                place: place(),
                key: row.key.clone(),
            });
        }
        let known: HashSet<&Row> = self.history.iter().collect();
        for row in stream.rows.iter().filter(|row| !known.contains(row)) {
            breaches.push(Breach::Phantom {
                place: place(),
                key: row.key.clone(),
            });
        }
    }
}
