//! When a job that failed is tried again. Pure.
//!
//! # Shape
//! Three quick tries within about two seconds, because most failures are over in a moment; then after 2, 4, 8, 16 … seconds, and at
//! last when twelve hours are over. Each pause is shortened by up to a fifth, so that jobs which failed together do not come back
//! together ([ADR 4](../../../../docs/adr/0004-quick-tries-first.md)).

use nexus_types::limits::{RETRY_MS_MAX, SECOND_MS};

/// Pauses after the first failures.
const QUICK_MS: [i64; 3] = [100, 400, SECOND_MS];
/// The first of the pauses that double.
const FIRST_MS: i64 = 2 * SECOND_MS;
/// The longest that an answer may ask to be left alone for.
const ASKED_MS_MAX: i64 = 60 * 60 * SECOND_MS;

/// What is known when a job failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    /// Since when it is tried. How often is not asked: a job that failed slowly is not tried quickly.
    pub(crate) since_ms: i64,
    /// Now.
    pub(crate) now_ms: i64,
    /// For how long the other side asks to be left alone.
    pub(crate) asked_ms: Option<i64>,
    /// Anything from 0 to 255.
    pub(crate) chance: u8,
}

/// When to try again; `None` if the time is over.
pub(crate) fn next_try(failure: Failure) -> Option<i64> {
    let Failure {
        since_ms,
        now_ms,
        asked_ms,
        chance,
    } = failure;
    let end_ms = since_ms + RETRY_MS_MAX;
    if now_ms >= end_ms {
        return None;
    }
    let pause_ms = pause(now_ms - since_ms);
    let jittered_ms = pause_ms - pause_ms / 5 * i64::from(chance) / 255;
    let pause_ms = jittered_ms.max(asked_ms.unwrap_or(0).min(ASKED_MS_MAX));
    // The last try is at the very end.
    Some((now_ms + pause_ms).min(end_ms))
}

/// The pause after this time: the first one that would not have been over by then, jitter included.
fn pause(elapsed_ms: i64) -> i64 {
    let doubling = std::iter::successors(Some(FIRST_MS), |pause_ms| Some(pause_ms * 2));
    let mut over_ms = 0;
    for pause_ms in QUICK_MS.into_iter().chain(doubling) {
        over_ms += pause_ms;
        if elapsed_ms < over_ms * 3 / 4 {
            return pause_ms;
        }
    }
    unreachable!("the pauses grow without end")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses, in milliseconds, of a job that always fails at once.
    fn pauses(chance: u8) -> Vec<i64> {
        let mut pauses = vec![];
        let mut now_ms = 1_000_000;
        let since_ms = now_ms;
        loop {
            let failure = Failure {
                since_ms,
                now_ms,
                asked_ms: None,
                chance,
            };
            let Some(next_ms) = next_try(failure) else { break };
            pauses.push(next_ms - now_ms);
            now_ms = next_ms;
        }
        assert_eq!(now_ms - since_ms, RETRY_MS_MAX, "the last try is at the very end");
        pauses
    }

    #[test]
    fn pauses_are_quick_then_double_for_twelve_hours() {
        let pauses = pauses(0);
        assert_eq!(pauses[..8], [100, 400, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000]);
        assert_eq!(pauses.len(), 18);
    }

    #[test]
    fn chance_shortens_a_pause_by_a_fifth_at_most() {
        assert_eq!(pauses(255)[..5], [80, 320, 800, 1_600, 3_200]);
    }

    #[test]
    fn an_answer_may_ask_for_time_but_not_for_all_of_it() {
        let failure = |asked_ms| Failure {
            since_ms: 0,
            now_ms: 10,
            asked_ms: Some(asked_ms),
            chance: 0,
        };
        assert_eq!(next_try(failure(30_000)), Some(30_010));
        assert_eq!(next_try(failure(1)), Some(110));
        assert_eq!(next_try(failure(i64::MAX)), Some(10 + ASKED_MS_MAX));
    }
}
