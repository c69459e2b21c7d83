//! The one source of time, ids and randomness, so that a test can replay what happened.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use nexus_types::snowflakes::Generator;
use nexus_types::timestamps::Timestamp;

/// Time, ids and randomness. Clones share one id generator.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Milliseconds that a test has set; 0 means the system's clock.
    fixed_ms: AtomicI64,
    ids: Mutex<Generator>,
}

impl Clock {
    /// The system's clock; ids go on after `highest`, the largest that was ever stored.
    pub fn system(highest: i64, node: i64) -> Self {
        Self(Arc::new(Inner {
            fixed_ms: AtomicI64::new(0),
            ids: Mutex::new(Generator::after(highest, node)),
        }))
    }

    /// A clock that stands still until [`Clock::set`] moves it.
    pub fn fixed(now_ms: i64) -> Self {
        let clock = Self::system(0, 0);
        clock.set(now_ms);
        clock
    }

    /// Sets a standing clock, for tests.
    pub fn set(&self, now_ms: i64) {
        self.0.fixed_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        match self.0.fixed_ms.load(Ordering::Relaxed) {
            0 => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as i64),
            fixed => fixed,
        }
    }

    /// The time as it stands in shapes.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.now_ms())
    }

    /// A new id, larger than all before it.
    ///
    /// # Invariant
    /// Inside a write job ids are drawn in commit order; message ids must be drawn there.
    pub fn next_id(&self) -> i64 {
        let now_ms = self.now_ms();
        self.0.ids.lock().unwrap_or_else(PoisonError::into_inner).next(now_ms)
    }

    /// Random bytes from the operating system.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        bytes
    }
}
