//! The circuit breaker of one reactor: after failures in a row it rests, then one job tries whether the other side is back. Pure.
//!
//! Jobs that wait meanwhile lose none of their tries.

use nexus_types::limits::{BREAKER_FAILURES, BREAKER_REST_MS, BREAKER_REST_MS_MAX};

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Breaker {
    failures: u32,
    /// Since when it rests, and until when.
    rest: Option<(i64, i64)>,
    /// How long the last rest was.
    rest_ms: i64,
    /// A job is out to try.
    probing: bool,
}

/// How many jobs may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// As many as there are.
    Open,
    /// One, to see.
    One,
    /// None before then; the job that is out decides.
    Shut {
        /// When to ask again, or `None` if a job is out.
        until_ms: Option<i64>,
    },
}

impl Breaker {
    /// How many jobs may begin now.
    pub(crate) fn gate(&self, now_ms: i64) -> Gate {
        match self.rest {
            None => Gate::Open,
            Some(_) if self.probing => Gate::Shut { until_ms: None },
            Some((_, until_ms)) if now_ms < until_ms => Gate::Shut { until_ms: Some(until_ms) },
            Some(_) => Gate::One,
        }
    }

    /// The one job of [`Gate::One`] begins.
    pub(crate) fn probe(&mut self) {
        self.probing = true;
    }

    /// A job ended without asking anybody.
    pub(crate) fn asked_nobody(&mut self, was_probe: bool) {
        if was_probe {
            self.probing = false;
        }
    }

    /// The other side answered.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The other side was not there. A job that began before the rest says nothing about its end.
    pub(crate) fn failed(&mut self, now_ms: i64, was_probe: bool) {
        self.failures = self.failures.saturating_add(1);
        if was_probe {
            self.probing = false;
        }
        if was_probe || (self.rest.is_none() && self.failures >= BREAKER_FAILURES) {
            let twice = if self.rest_ms == 0 { BREAKER_REST_MS } else { self.rest_ms * 2 };
            self.rest_ms = twice.min(BREAKER_REST_MS_MAX);
            let since_ms = self.rest.map_or(now_ms, |(since_ms, _)| since_ms);
            self.rest = Some((since_ms, now_ms + self.rest_ms));
        }
    }

    /// Since when it rests, and until when, if it does.
    pub(crate) fn rest(&self) -> Option<(i64, i64)> {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed_often() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..BREAKER_FAILURES {
            assert_eq!(breaker.gate(0), Gate::Open);
            breaker.failed(0, false);
        }
        breaker
    }

    #[test]
    fn it_rests_after_failures_in_a_row_and_lets_one_try() {
        let mut breaker = failed_often();
        let until_ms = Some(BREAKER_REST_MS);
        assert_eq!(breaker.gate(BREAKER_REST_MS - 1), Gate::Shut { until_ms });
        assert_eq!(breaker.gate(BREAKER_REST_MS), Gate::One);
        breaker.probe();
        assert_eq!(breaker.gate(BREAKER_REST_MS), Gate::Shut { until_ms: None }, "one is out");
        breaker.succeeded();
        assert_eq!(breaker.gate(BREAKER_REST_MS), Gate::Open);
    }

    #[test]
    fn rests_grow_up_to_a_bound_and_tell_since_when() {
        let mut breaker = failed_often();
        let mut now_ms = 0;
        for _ in 0..10 {
            let (since_ms, until_ms) = breaker.rest().expect("it rests");
            assert_eq!(since_ms, 0);
            assert!(until_ms - now_ms <= BREAKER_REST_MS_MAX);
            now_ms = until_ms;
            breaker.probe();
            breaker.failed(now_ms, true);
        }
        assert_eq!(breaker.rest().map(|(_, until_ms)| until_ms - now_ms), Some(BREAKER_REST_MS_MAX));
    }

    #[test]
    fn a_success_in_between_forgives() {
        let mut breaker = Breaker::default();
        for _ in 0..10 * BREAKER_FAILURES {
            breaker.failed(0, false);
            breaker.succeeded();
        }
        assert_eq!(breaker.gate(0), Gate::Open);
    }

    #[test]
    fn jobs_that_were_under_way_when_it_began_to_rest_do_not_prolong_it() {
        let mut breaker = failed_often();
        let before = breaker.rest();
        breaker.failed(5, false);
        assert_eq!(breaker.rest(), before);
        let until_ms = before.map_or(0, |(_, until_ms)| until_ms);
        breaker.probe();
        breaker.failed(until_ms, false);
        breaker.asked_nobody(false);
        assert_eq!(breaker.rest(), before);
        assert_eq!(breaker.gate(until_ms), Gate::Shut { until_ms: None }, "the one that is out decides");
    }
}
