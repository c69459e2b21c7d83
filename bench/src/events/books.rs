//! What streams and senders know together: when each event was due, the order in which they came, and who still lacks one.
//!
//! The first stream that hears an event decides its place in the common order; every other one must hear the same at the same place.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::{Notify, Semaphore};

use crate::Outcome;
use crate::report::histogram;

/// Faults that are kept.
const FAULTS_MAX: usize = 5;

/// See the module.
pub(super) struct Book {
    /// By number.
    drawn: RefCell<Vec<Drawn>>,
    /// Positions and numbers as they came.
    order: RefCell<Vec<(i64, u64)>>,
    heard: Cell<u64>,
    /// Microseconds from due to heard.
    pub(super) latency: RefCell<Histogram<u64>>,
    /// A permit for each event that everybody has heard.
    pub(super) complete: Semaphore,
    changed: Notify,
    faults: RefCell<Vec<String>>,
}

struct Drawn {
    due: Instant,
    lacking: usize,
    has_place: bool,
}

/// How far one stream is in the common order.
#[derive(Default)]
pub(super) struct Mark(Cell<usize>);

impl Book {
    pub(super) fn new() -> Self {
        Self {
            drawn: RefCell::default(),
            order: RefCell::default(),
            heard: Cell::new(0),
            latency: RefCell::new(histogram()),
            complete: Semaphore::new(0),
            changed: Notify::new(),
            faults: RefCell::default(),
        }
    }

    /// Draws the next number, of an event that is due at this moment and that so many streams will hear.
    pub(super) fn draw(&self, due: Instant, streams: usize) -> u64 {
        let mut drawn = self.drawn.borrow_mut();
        drawn.push(Drawn {
            due,
            lacking: streams,
            has_place: false,
        });
        drawn.len() as u64 - 1
    }

    /// What all streams heard together.
    pub(super) fn heard(&self) -> u64 {
        self.heard.get()
    }

    pub(super) fn fault(&self, text: impl FnOnce() -> String) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < FAULTS_MAX {
            faults.push(text());
        }
        self.changed.notify_waiters();
        // Whoever waits for a place shall look.
        self.complete.close();
    }

    /// Takes in what a stream heard.
    pub(super) fn hear(&self, mark: &Mark, position: i64, number: u64, now: Instant) {
        if let Err(fault) = self.take(mark, position, number, now) {
            self.fault(|| fault);
        }
    }

    fn take(&self, mark: &Mark, position: i64, number: u64, now: Instant) -> Result<(), String> {
        let mut all = self.drawn.borrow_mut();
        let drawn = all
            .get_mut(number as usize)
            .ok_or_else(|| format!("event {number} was never posted"))?;
        let (at, mut order) = (mark.0.get(), self.order.borrow_mut());
        if at == order.len() {
            if std::mem::replace(&mut drawn.has_place, true) {
                return Err(format!("event {number} came twice, the second time at {position}"));
            }
            if order.last().is_some_and(|(last, _)| *last >= position) {
                return Err(format!("event {number} came out of order, at {position}"));
            }
            order.push((position, number));
        } else if order[at] != (position, number) {
            let (wanted, other) = order[at];
            return Err(format!(
                "a stream got event {number} at {position} where {other} at {wanted} was next"
            ));
        }
        mark.0.set(at + 1);
        self.heard.set(self.heard.get() + 1);
        self.latency
            .borrow_mut()
            .saturating_record(now.saturating_duration_since(drawn.due).as_micros() as u64);
        drawn.lacking = drawn.lacking.saturating_sub(1);
        if drawn.lacking == 0 {
            self.complete.add_permits(1);
            self.changed.notify_waiters();
        }
        Ok(())
    }

    /// A stream that comes now hears what comes from now on.
    pub(super) fn mark(&self) -> Mark {
        Mark(Cell::new(self.order.borrow().len()))
    }

    /// Waits until everybody has heard everything, or somebody found a fault.
    pub(super) async fn until_complete(&self, at_most: Duration) -> Outcome<()> {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                let is_complete = self.drawn.borrow().iter().rev().all(|drawn| drawn.lacking == 0);
                if is_complete || !self.faults.borrow().is_empty() {
                    return;
                }
                changed.await;
            }
        };
        let in_time = tokio::time::timeout(at_most, wait).await.is_ok();
        self.check()?;
        if in_time {
            Ok(())
        } else {
            let lacking = self.drawn.borrow().iter().filter(|drawn| drawn.lacking > 0).count();
            Err(format!("{lacking} events did not reach everybody within {} s", at_most.as_secs()).into())
        }
    }

    /// The first fault.
    pub(super) fn check(&self) -> Outcome<()> {
        self.faults.borrow().first().map_or(Ok(()), |fault| Err(fault.clone().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two streams hear three events, as (position, number).
    fn check(one: &[(i64, u64)], other: &[(i64, u64)], fault: Option<&str>) {
        let book = Book::new();
        for _ in 0..3 {
            book.draw(Instant::now(), 2);
        }
        for heard in [one, other] {
            let mark = Mark::default();
            for (position, number) in heard {
                book.hear(&mark, *position, *number, Instant::now());
            }
        }
        let first = book.check().err().map(|error| error.to_string());
        assert_eq!(first.as_deref(), fault, "{one:?} {other:?}");
        assert!(fault.is_some() || book.complete.available_permits() == 3);
    }

    #[test]
    fn a_gap_a_repeat_and_a_swap_are_faults() {
        let good = [(5, 1), (7, 0), (8, 2)];
        check(&good, &good, None);
        check(&good, &[(5, 1), (8, 2)], Some("a stream got event 2 at 8 where 0 at 7 was next"));
        check(&[(5, 1), (6, 1)], &[], Some("event 1 came twice, the second time at 6"));
        check(&[(5, 1), (4, 0)], &[], Some("event 0 came out of order, at 4"));
        check(&[(5, 3)], &[], Some("event 3 was never posted"));
    }
}
