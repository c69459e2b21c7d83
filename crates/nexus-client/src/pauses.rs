//! How long to wait before the next try. Chance comes in as an argument.

use std::time::Duration;

/// Doubling from `first` up to `cap`, of which a random half is taken away, so that clients cut off together don't come back together.
pub(crate) fn backoff(attempt: u32, first: Duration, cap: Duration, chance: f64) -> Duration {
    let full = cap.min(first.saturating_mul(1 << attempt.min(20)));
    full / 2 + (full / 2).mul_f64(chance)
}

/// A number from 0 up to 1.
pub(crate) fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_cap_and_lose_at_most_half() {
        let (first, cap) = (Duration::from_millis(250), Duration::from_secs(10));
        let ms = |attempt, chance| backoff(attempt, first, cap, chance).as_millis();
        assert_eq!([0, 1, 2, 6, 99].map(|attempt| ms(attempt, 1.0)), [250, 500, 1_000, 10_000, 10_000]);
        assert_eq!([0, 1, 99].map(|attempt| ms(attempt, 0.0)), [125, 250, 5_000]);
        assert!((0.0..=1.0).contains(&chance()));
    }
}
