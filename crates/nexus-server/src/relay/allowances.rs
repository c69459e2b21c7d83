//! How much of something a session may do.
//!
//! # Source
//! The generic cell rate algorithm (ITU-T I.371, virtual scheduling): one number, no timer.

/// So many at once, and one more every so often.
#[derive(Debug)]
pub(super) struct Allowance {
    burst: i64,
    interval_ms: i64,
    /// When everything that was used is given back.
    free_ms: i64,
}

impl Allowance {
    pub(super) fn new(burst: u32, interval_ms: i64) -> Self {
        Self {
            burst: i64::from(burst),
            interval_ms,
            free_ms: i64::MIN,
        }
    }

    /// Uses one, if there is one.
    pub(super) fn take(&mut self, now_ms: i64) -> bool {
        let after_ms = self.free_ms.max(now_ms) + self.interval_ms;
        let granted = after_ms - now_ms <= self.burst * self.interval_ms;
        if granted {
            self.free_ms = after_ms;
        }
        granted
    }

    /// Uses so many, also if they are not there, and says from when on there is one again.
    pub(super) fn spend(&mut self, now_ms: i64, count: usize) -> i64 {
        self.free_ms = self.free_ms.max(now_ms) + self.interval_ms * count as i64;
        self.free_ms - (self.burst - 1) * self.interval_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_at_a_time() {
        let mut allowance = Allowance::new(3, 10);
        let taken: Vec<bool> = [0, 0, 0, 0, 9, 10, 10].map(|now| allowance.take(now)).to_vec();
        assert_eq!(taken, [true, true, true, false, false, true, false]);
    }

    #[test]
    fn what_is_overdrawn_is_waited_for() {
        let mut allowance = Allowance::new(3, 10);
        let next: Vec<i64> = [1, 1, 1, 1, 5].map(|count| allowance.spend(100, count)).to_vec();
        assert_eq!(next, [90, 100, 110, 120, 170]);
    }
}
