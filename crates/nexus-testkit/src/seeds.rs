//! Random numbers from one seed, so that a failure can be run again.
//!
//! # Source
//! SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to choose what a test does.

use std::time::{SystemTime, UNIX_EPOCH};

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Seed(u64);

impl Seed {
    /// The seed of this run: `NEXUS_TEST_SEED`, or one of the moment. It is printed, and shown when the test fails.
    pub fn of_run(test: &str) -> Self {
        let given = std::env::var("NEXUS_TEST_SEED")
            .ok()
            .map(|text| text.parse().expect("NEXUS_TEST_SEED is a number"));
        let seed = given.unwrap_or_else(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(1, |since| since.as_nanos() as u64)
        });
        println!("{test}: NEXUS_TEST_SEED={seed} runs this again");
        Self(seed)
    }

    /// A seed of one's own choice.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another stream that depends on this one.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.draw())
    }

    /// 64 random bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.draw() % end.max(1) as u64) as usize
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// How many rounds a long test runs: `NEXUS_TEST_ROUNDS`, or what suits every day.
pub fn rounds(every_day: usize) -> usize {
    std::env::var("NEXUS_TEST_ROUNDS")
        .ok()
        .map_or(every_day, |text| text.parse().expect("NEXUS_TEST_ROUNDS is a number"))
}
