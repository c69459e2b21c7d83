//! Who was let in and does not have its id yet. A client may be told "connected" before its session's task has run; a frame that comes
//! for it meanwhile waits for the arrival instead of being undeliverable.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// The longest that a frame waits.
const ARRIVAL_MAX: Duration = Duration::from_secs(2);

/// Ids that are on their way in.
#[derive(Default)]
pub(super) struct Arrivals(Mutex<HashMap<Arc<str>, Expected>>);

struct Expected {
    /// Sessions that want the id.
    count: usize,
    /// Dropped when the last of them is in or gone.
    over: watch::Sender<()>,
}

/// One session on its way in, until this is dropped.
pub(super) struct Arrival {
    arrivals: Arc<Arrivals>,
    id: Arc<str>,
}

impl Arrivals {
    /// Expects a session for an id.
    pub(super) fn expect(self: &Arc<Self>, id: Arc<str>) -> Arrival {
        let mut all = self.lock();
        let expected = all.entry(id.clone()).or_insert_with(|| Expected {
            count: 0,
            over: watch::Sender::default(),
        });
        expected.count += 1;
        drop(all);
        Arrival {
            arrivals: self.clone(),
            id,
        }
    }

    /// If a session is expected for the id, waits until it is in or gone, and says that it is worth looking again.
    pub(super) async fn over(&self, id: &str) -> bool {
        let Some(mut over) = self.lock().get(id).map(|expected| expected.over.subscribe()) else {
            return false;
        };
        // Nothing is ever sent: it ends when the sender does.
        tokio::time::timeout(ARRIVAL_MAX, over.changed()).await.is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Expected>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut all = self.arrivals.lock();
        if let Some(expected) = all.get_mut(&self.id) {
            expected.count -= 1;
            if expected.count == 0 {
                all.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_expected_is_waited_for_and_nobody_else() {
        let arrivals = Arc::new(Arrivals::default());
        assert!(!arrivals.over("bob").await, "nobody is expected");
        let (first, second) = (arrivals.expect("bob".into()), arrivals.expect("bob".into()));
        let waits = tokio::spawn({
            let arrivals = arrivals.clone();
            async move { arrivals.over("bob").await }
        });
        tokio::task::yield_now().await;
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waits.is_finished(), "one is still on its way");
        drop(second);
        assert!(waits.await.expect("it ends"));
        assert!(arrivals.lock().is_empty());
    }
}
