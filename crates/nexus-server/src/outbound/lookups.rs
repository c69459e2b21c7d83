//! Names, and the addresses that may be connected to.
//!
//! What is judged here is what is connected to: a name that answers otherwise the next time is judged again then. Whoever asks for
//! a name that is being looked up waits for the same answer, so that a name server which is slow holds one thread for one name.
//!
//! Names that nobody answers must not keep others from being looked up. So half of the lookups are for names that were found, and
//! promptly, the last time; and of the other half one domain has a few, however many names of it are asked for.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use nexus_types::limits::{OUTBOUND_LOOKUPS_MAX, OUTBOUND_LOOKUPS_PER_DOMAIN, OUTBOUND_LOOKUPS_UNPROVEN, OUTBOUND_NAMES_PROVEN};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::gates::Gate;
use super::urls::plain;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;
/// A name that is found within this time is no burden.
const PROMPT: Duration = Duration::from_secs(1);

/// What asks for the addresses of a name.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Asks this machine's resolver.
pub(super) fn system() -> Lookup {
    Arc::new(|name| {
        async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|socket| socket.ip()).collect())
        }
        .boxed()
    })
}

/// Why there is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody knows the name.
    Unknown,
    /// None of its addresses may be asked; this is the first.
    Blocked(IpAddr),
    /// Too many names are being looked up.
    Busy,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => formatter.write_str("nobody knows the name"),
            Self::Blocked(address) => write!(formatter, "{address} is not asked"),
            Self::Busy => formatter.write_str("the name server does not keep up"),
        }
    }
}

impl std::error::Error for Refusal {}

type Found = Result<Arc<[IpAddr]>, Refusal>;
type Waiting = Shared<BoxFuture<'static, Found>>;

/// The names that are being looked up, and those that were found the last time.
#[derive(Default)]
struct Desk {
    running: HashMap<String, Running>,
    proven: HashSet<String>,
}

/// A name that is being looked up.
struct Running {
    found: Waiting,
    /// Was it found promptly the last time?
    proven: bool,
}

impl Desk {
    /// May this name be looked up now? One that has no standing must leave room for others.
    fn has_room(&self, name: &str) -> bool {
        if self.proven.contains(name) {
            return self.running.len() < OUTBOUND_LOOKUPS_MAX;
        }
        let unproven = || self.running.iter().filter(|(_, running)| !running.proven);
        let alike = unproven().filter(|(other, _)| domain(other) == domain(name)).count();
        self.running.len() < OUTBOUND_LOOKUPS_MAX && unproven().count() < OUTBOUND_LOOKUPS_UNPROVEN && alike < OUTBOUND_LOOKUPS_PER_DOMAIN
    }

    /// Begins with a name. It has its standing again when it was found.
    fn begin(&mut self, name: String, found: Waiting) {
        let proven = self.proven.remove(&name);
        self.running.insert(name, Running { found, proven });
        assert!(self.running.len() <= OUTBOUND_LOOKUPS_MAX);
    }

    fn end(&mut self, name: &str, was_found: bool, took: Duration) {
        self.running.remove(name);
        if !was_found || took > PROMPT {
            return;
        }
        if self.proven.len() >= OUTBOUND_NAMES_PROVEN {
            self.proven.clear();
        }
        self.proven.insert(name.to_owned());
    }
}

/// The last two labels of a name. Whoever has a domain can make names in it without end.
fn domain(name: &str) -> &str {
    let name = name.trim_end_matches('.');
    name.rmatch_indices('.').nth(1).map_or(name, |(dot, _)| &name[dot + 1..])
}

/// Looks names up.
#[derive(Clone)]
pub(super) struct Lookups {
    lookup: Lookup,
    desk: Arc<Mutex<Desk>>,
}

/// Takes a name out when it has been looked up, whatever became of it.
struct Entry {
    desk: Arc<Mutex<Desk>>,
    name: String,
    began: Instant,
    was_found: bool,
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.desk).end(&self.name, self.was_found, self.began.elapsed());
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lookups {
    pub(super) fn new(lookup: Lookup) -> Self {
        Self {
            lookup,
            desk: Arc::default(),
        }
    }

    async fn find(&self, name: String) -> Found {
        let found = self.join(name)?;
        found.await
    }

    /// The lookup of this name that runs, or a new one. It runs to its end even if nobody waits: nothing can stop the system's.
    fn join(&self, name: String) -> Result<Waiting, Refusal> {
        let mut desk = lock(&self.desk);
        if let Some(running) = desk.running.get(&name) {
            return Ok(running.found.clone());
        }
        if !desk.has_room(&name) {
            return Err(Refusal::Busy);
        }
        let asked = (self.lookup)(name.clone());
        let entry = Entry {
            desk: self.desk.clone(),
            name: name.clone(),
            began: Instant::now(),
            was_found: false,
        };
        let task = tokio::spawn(async move {
            // All of it, not only what is used below: it is dropped when the task ends, and not before.
            let mut entry = entry;
            match asked.await {
                Ok(addresses) if !addresses.is_empty() => {
                    entry.was_found = true;
                    Ok(addresses.into())
                }
                _ => Err(Refusal::Unknown),
            }
        });
        let found = task.map(|ended| ended.unwrap_or(Err(Refusal::Unknown))).boxed().shared();
        desk.begin(name, found.clone());
        Ok(found)
    }
}

/// Gives the sender only addresses that may be connected to at one port, or at any of which nothing special is said.
pub(super) struct Filter {
    pub(super) gate: Arc<Gate>,
    pub(super) lookups: Lookups,
    pub(super) port: Option<u16>,
}

impl Resolve for Filter {
    fn resolve(&self, name: Name) -> Resolving {
        let (gate, lookups, port) = (self.gate.clone(), self.lookups.clone(), self.port);
        async move {
            let found = lookups.find(name.as_str().to_owned()).await?;
            let open = admitted(&gate, name.as_str(), &found, port)?;
            // Port 0 is the URL's.
            Ok(Box::new(open.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        }
        .boxed()
    }
}

/// Those of a name's addresses that may be asked.
fn admitted(gate: &Gate, name: &str, found: &[IpAddr], port: Option<u16>) -> Result<Vec<IpAddr>, Refusal> {
    let name = plain(name);
    let open = found.iter().copied().filter(|address| gate.admits(Some(&name), *address, port));
    let open: Vec<_> = open.take(ADDRESSES_MAX).collect();
    match found.first() {
        Some(first) if open.is_empty() => Err(Refusal::Blocked(*first)),
        Some(_) => Ok(open),
        None => Err(Refusal::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::exceptions::Exceptions;
    use super::super::own::OwnAddresses;
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn of_mixed_answers_only_the_public_ones_are_left() {
        let gate = Gate::new(Exceptions::default(), OwnAddresses::default());
        let found = ["127.0.0.1", "8.8.8.8", "10.0.0.1", "::1", "2606:4700::1", "::ffff:127.0.0.1"].map(address);
        let open = admitted(&gate, "Mixed.example.", &found, None).expect("two are left");
        assert_eq!(open, [address("8.8.8.8"), address("2606:4700::1")]);
        let blocked = admitted(&gate, "evil.example", &[address("10.0.0.1")], None);
        assert_eq!(blocked, Err(Refusal::Blocked(address("10.0.0.1"))));
        let many = vec![address("8.8.8.8"); 4_000];
        assert_eq!(
            admitted(&gate, "many.example", &many, None).map(|open| open.len()),
            Ok(ADDRESSES_MAX)
        );
    }

    #[tokio::test]
    async fn a_name_server_that_is_slow_holds_one_lookup_for_one_name() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let lookups = Lookups::new(Arc::new(move |name| {
            counter.fetch_add(1, Ordering::Relaxed);
            async move {
                if name.starts_with("slow") {
                    std::future::pending::<()>().await;
                }
                Ok(vec![address("8.8.8.8")])
            }
            .boxed()
        }));
        for _ in 0..1_000 {
            assert!(lookups.find("slow.example".into()).now_or_never().is_none());
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert!(lookups.find("fast.example".into()).await.is_ok());
        for number in 1..OUTBOUND_LOOKUPS_UNPROVEN {
            assert!(lookups.join(format!("slow.number{number}.example")).is_ok());
        }
        assert_eq!(lookups.find("new.example".into()).await, Err(Refusal::Busy));
        for _ in 0..3 {
            assert!(lookups.find("fast.example".into()).await.is_ok(), "it was found before");
        }
    }

    #[tokio::test]
    async fn of_one_domain_a_few_names_hold_lookups() {
        let lookups = Lookups::new(Arc::new(|name| {
            async move {
                if name.starts_with("slow") {
                    std::future::pending::<()>().await;
                }
                Ok(vec![address("8.8.8.8")])
            }
            .boxed()
        }));
        assert!(lookups.find("shop.evil.example".into()).await.is_ok());
        let names = |number: usize| format!("slow{number}.a.evil.example{}", if number.is_multiple_of(2) { "" } else { "." });
        for number in 0..OUTBOUND_LOOKUPS_PER_DOMAIN {
            assert!(lookups.join(names(number)).is_ok());
        }
        assert_eq!(lookups.join(names(99)).err(), Some(Refusal::Busy));
        assert_eq!(lookups.join("evil.example".into()).err(), Some(Refusal::Busy));
        assert!(lookups.find("shop.evil.example".into()).await.is_ok(), "it was found before");
        assert!(lookups.find("new.other.example".into()).await.is_ok());
    }

    #[test]
    fn only_who_was_found_promptly_the_last_time_has_standing() {
        let waiting = || async { Err(Refusal::Unknown) }.boxed().shared();
        let mut desk = Desk::default();
        for (was_found, took, proven) in [(true, PROMPT, true), (true, PROMPT * 2, false), (false, Duration::ZERO, false)] {
            desk.begin("a.example".into(), waiting());
            desk.end("a.example", true, Duration::ZERO);
            desk.begin("a.example".into(), waiting());
            assert!(
                desk.running["a.example"].proven && !desk.proven.contains("a.example"),
                "not while it is asked for"
            );
            desk.end("a.example", was_found, took);
            assert_eq!(desk.proven.contains("a.example"), proven, "{was_found} {took:?}");
        }
        for number in 0..3 * OUTBOUND_NAMES_PROVEN {
            let name = format!("a{number}.example");
            desk.begin(name.clone(), waiting());
            desk.end(&name, true, Duration::ZERO);
            assert!(desk.proven.len() <= OUTBOUND_NAMES_PROVEN && desk.proven.contains(&name));
        }
    }

    #[tokio::test]
    async fn a_name_is_asked_for_again_when_it_has_been_looked_up() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let lookups = Lookups::new(Arc::new(move |_| {
            let number = counter.fetch_add(1, Ordering::Relaxed);
            async move {
                match number {
                    0 => Ok(vec![address("8.8.8.8")]),
                    1 => Ok(vec![]),
                    _ => Err(io::Error::other("no such name")),
                }
            }
            .boxed()
        }));
        assert!(lookups.find("a.example".into()).await.is_ok());
        assert_eq!(lookups.find("a.example".into()).await, Err(Refusal::Unknown));
        assert_eq!(lookups.find("a.example".into()).await, Err(Refusal::Unknown));
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    }
}
