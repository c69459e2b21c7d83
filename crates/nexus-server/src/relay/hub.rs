//! Who holds which id, and so who gets a frame. It never knows over which transport.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use nexus_types::limits::RELAY_SESSIONS_MAX;

use super::arrivals::Arrivals;
use super::closings::Closing;
use super::frames;
use super::transports::Transport;

/// Names a session within its node.
pub(super) type Key = u64;

/// Somebody who is connected.
pub(super) struct Peer {
    pub(super) key: Key,
    /// The id in its address.
    pub(super) id: Arc<str>,
    pub(super) transport: Transport,
}

/// What became of a wish for an id.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Granted,
    /// Another session has it.
    Occupied,
}

/// Where a frame goes.
pub(super) enum Route {
    /// `from` is not an id of the session.
    Mismatch,
    /// Nobody has the id.
    Nobody,
    To(Arc<Peer>),
}

/// Everybody who is connected.
#[derive(Default)]
pub(super) struct Hub {
    holders: RwLock<HashMap<Arc<str>, Arc<Peer>>>,
    peers: Mutex<HashMap<Key, Arc<Peer>>>,
    next_key: AtomicU64,
    /// Who is on the way in.
    pub(super) arrivals: Arc<Arrivals>,
    /// Bytes that wait for all readers.
    pub(super) waiting_bytes: Arc<AtomicUsize>,
}

/// A peer that is connected for as long as this lives.
pub(super) struct Seat {
    hub: Arc<Hub>,
    pub(super) peer: Arc<Peer>,
    /// The ids that it was granted; it may have lost some of them.
    granted: Vec<Arc<str>>,
}

impl Hub {
    fn peers(&self) -> MutexGuard<'_, HashMap<Key, Arc<Peer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are connected.
    pub(super) fn count(&self) -> usize {
        self.peers().len()
    }

    /// Everybody.
    pub(super) fn all(&self) -> Vec<Arc<Peer>> {
        self.peers().values().cloned().collect()
    }

    /// Is there room for one more? Only [`Hub::sit`] decides.
    pub(super) fn is_full(&self) -> bool {
        self.count() >= RELAY_SESSIONS_MAX
    }

    /// Counts somebody as connected; `None` if there are as many as there may be.
    pub(super) fn sit(self: &Arc<Self>, id: Arc<str>, transport: Transport) -> Option<Seat> {
        let peer = Arc::new(Peer {
            key: self.next_key.fetch_add(1, Ordering::Relaxed),
            id,
            transport,
        });
        let mut peers = self.peers();
        if peers.len() >= RELAY_SESSIONS_MAX {
            return None;
        }
        peers.insert(peer.key, peer.clone());
        Some(Seat {
            hub: self.clone(),
            peer,
            granted: vec![],
        })
    }

    /// Who gets what the session with this key sends.
    pub(super) fn route(&self, key: Key, from: &str, to: &str) -> Route {
        let holders = self.holders.read().unwrap_or_else(PoisonError::into_inner);
        if holders.get(from).is_none_or(|peer| peer.key != key) {
            return Route::Mismatch;
        }
        holders.get(to).map_or(Route::Nobody, |peer| Route::To(peer.clone()))
    }
}

impl Seat {
    /// Asks for an id. A proven one is taken from whoever has it.
    pub(super) fn claim(&mut self, id: &Arc<str>, proven: bool) -> Claim {
        let mut holders = self.hub.holders.write().unwrap_or_else(PoisonError::into_inner);
        let before = holders.get(id).filter(|peer| peer.key != self.peer.key).cloned();
        if before.is_some() && !proven {
            return Claim::Occupied;
        }
        holders.insert(id.clone(), self.peer.clone());
        drop(holders);
        if !self.granted.contains(id) {
            self.granted.push(id.clone());
        }
        if let Some(before) = before {
            before.lose(id);
        }
        Claim::Granted
    }

    /// Does it have this id?
    pub(super) fn has(&self, id: &str) -> bool {
        let holders = self.hub.holders.read().unwrap_or_else(PoisonError::into_inner);
        holders.get(id).is_some_and(|holder| holder.key == self.peer.key)
    }

    /// How many ids it has.
    pub(super) fn ids(&mut self) -> usize {
        let holders = self.hub.holders.read().unwrap_or_else(PoisonError::into_inner);
        self.granted
            .retain(|id| holders.get(id).is_some_and(|holder| holder.key == self.peer.key));
        self.granted.len()
    }

    /// Gives its ids back. It still counts as connected.
    pub(super) fn release(&mut self) {
        let mut holders = self.hub.holders.write().unwrap_or_else(PoisonError::into_inner);
        for id in &self.granted {
            if holders.get(id).is_some_and(|holder| holder.key == self.peer.key) {
                holders.remove(id);
            }
        }
        drop(holders);
        self.granted.clear();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.release();
        self.hub.peers().remove(&self.peer.key);
    }
}

impl Peer {
    /// Another session has proven one of its ids: without its own it ends, of any other it is told.
    fn lose(&self, id: &Arc<str>) {
        if *id == self.id {
            self.transport.close(Closing::TakenOver);
        } else {
            // One that is closing anyway need not know.
            self.transport.send(&frames::lost(id));
        }
    }
}
