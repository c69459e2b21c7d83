//! Snowflakes: 64-bit ids that sort by time.
//!
//! # Shape
//! 42 bits of milliseconds since 2015-01-01 (Discord's epoch, or every `createdAt` in its libraries would be wrong), 10 bits of
//! node, 12 bits of sequence; the sign bit stays 0 until 2084.
//!
//! # Source
//! <https://discord.com/developers/docs/reference#snowflakes>

/// 2015-01-01T00:00:00Z in milliseconds since 1970.
pub const EPOCH_MS: i64 = 1_420_070_400_000;
const SEQUENCE_BITS: u32 = 12;
const NODE_BITS: u32 = 10;
const SEQUENCE_MAX: i64 = (1 << SEQUENCE_BITS) - 1;
/// The largest node number.
pub const NODE_MAX: i64 = (1 << NODE_BITS) - 2;
/// No node's number: ids that are made of a position have it.
const NO_NODE: i64 = (1 << NODE_BITS) - 1;

/// When an id was drawn, in milliseconds since 1970.
pub fn time_ms(id: i64) -> i64 {
    (id >> (SEQUENCE_BITS + NODE_BITS)) + EPOCH_MS
}

/// The smallest id of a moment, for searching by time.
pub fn first_of(time_ms: i64) -> i64 {
    (time_ms - EPOCH_MS).max(0) << (SEQUENCE_BITS + NODE_BITS)
}

/// The id of what happened at a position of the log: everybody makes the same one of it, and no node draws it.
///
/// # Invariant
/// Two positions of one moment have different ids as long as fewer than 4,096 entries are written in a millisecond.
pub fn of_position(at_ms: i64, position: i64) -> i64 {
    first_of(at_ms) | (NO_NODE << SEQUENCE_BITS) | (position & SEQUENCE_MAX)
}

/// Draws ids that only ever grow, whatever the clock does.
///
/// # Invariant
/// Each id is larger than all before it and than the one it was started from. A clock that jumps back is ignored until it has
/// caught up; an exhausted sequence moves to the next millisecond instead of waiting for it.
#[derive(Debug)]
pub struct Generator {
    node: i64,
    millis: i64,
    sequence: i64,
}

impl Generator {
    /// Starts after `highest`, the largest id that was ever stored (0 for none).
    pub fn after(highest: i64, node: i64) -> Self {
        assert!((0..=NODE_MAX).contains(&node), "a node number has ten bits");
        Self {
            node,
            millis: if highest == 0 { 0 } else { time_ms(highest) - EPOCH_MS },
            sequence: SEQUENCE_MAX,
        }
    }

    /// The next id at the given time.
    pub fn next(&mut self, now_ms: i64) -> i64 {
        let now = now_ms - EPOCH_MS;
        if now > self.millis {
            self.millis = now;
            self.sequence = 0;
        } else if self.sequence == SEQUENCE_MAX {
            self.millis += 1;
            self.sequence = 0;
        } else {
            self.sequence += 1;
        }
        (self.millis << (SEQUENCE_BITS + NODE_BITS)) | (self.node << SEQUENCE_BITS) | self.sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_though_the_clock_goes_back_or_stands_still() {
        let mut generator = Generator::after(0, 3);
        let mut last = 0;
        for step in 0..10_000 {
            let now = EPOCH_MS + 1_000_000 - (step % 7) * 100;
            let id = generator.next(now);
            assert!(id > last, "{id} after {last}");
            last = id;
        }
    }

    #[test]
    fn a_start_after_a_stored_id_never_repeats_it() {
        let stored = Generator::after(0, 0).next(EPOCH_MS + 5_000);
        assert!(Generator::after(stored, 0).next(EPOCH_MS) > stored);
    }

    #[test]
    fn an_id_of_a_position_is_nobody_elses() {
        let now_ms = EPOCH_MS + 1_000;
        assert_eq!(time_ms(of_position(now_ms, 7)), now_ms);
        assert_ne!(of_position(now_ms, 7), of_position(now_ms, 8));
        let mut generator = Generator::after(0, NODE_MAX);
        let drawn: Vec<_> = (0..4_096).map(|_| generator.next(now_ms)).collect();
        assert!((0..4_096).all(|position| !drawn.contains(&of_position(now_ms, position))));
    }

    #[test]
    fn the_time_is_in_the_id() {
        assert_eq!(time_ms(175_928_847_299_117_063), 1_462_015_105_796); // the example of the source
    }
}
