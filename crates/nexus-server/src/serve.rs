//! Listening, accepting, and stopping without cutting anybody off.
//!
//! It deliberately has an accept loop of its own on hyper's HTTP/1: the gateway needs the bare TCP stream of an upgraded connection,
//! and running out of file descriptors must neither end the loop nor spin it.

mod heads;

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nexus_types::limits::{CONNECTIONS_PER_ADDRESS, HEAD_BYTES_MAX, IDLE_MS_MAX};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::exits::{Exit, Failure};
use crate::http::Door;
use crate::networks::{Net, Networks, net};
pub use heads::Heads;
use heads::Requests;

/// Connections that may wait to be accepted: a reconnect storm after a restart.
const BACKLOG: i32 = 4_096;
/// Pause after an accept that failed because something ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// File descriptors kept for the database, logs and listeners.
const DESCRIPTORS_KEPT: u64 = 128;
/// Connections at once if the number of files is unlimited.
const CONNECTIONS_MAX: u64 = 1_000_000;

/// A connection's place among those that may be open at once. Whoever takes the stream over by an upgrade finds it in the
/// request's extensions, and keeps it as long as the stream.
#[derive(Debug, Clone)]
pub struct Place(#[expect(dead_code, reason = "it is held, not read")] Arc<(OwnedSemaphorePermit, Option<Seat>)>);

/// How many connections each address has.
#[derive(Debug)]
struct Seats {
    most: usize,
    /// Who is not counted.
    exempt: Networks,
    taken: Mutex<HashMap<Net, usize>>,
}

/// One of an address's connections; uncounted when dropped.
#[derive(Debug)]
struct Seat {
    seats: Arc<Seats>,
    net: Net,
}

/// An address has as many connections as it may.
struct Crowded;

impl Seats {
    fn new(most: usize, exempt: Networks) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(1),
            exempt,
            taken: Mutex::default(),
        })
    }

    fn take(self: &Arc<Self>, address: IpAddr) -> Result<Option<Seat>, Crowded> {
        if self.exempt.contains(address) {
            return Ok(None);
        }
        let net = net(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(net).or_insert(0);
        if *count >= self.most {
            return Err(Crowded);
        }
        *count += 1;
        Ok(Some(Seat { seats: self.clone(), net }))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.net) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.net);
            }
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_loopback() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Opens all listeners. With `lenient` an address that this machine does not have is left out, as long as one remains.
///
/// # Errors
/// A [`Failure`] that names the address and says what to do.
pub fn listen_all(addresses: &[SocketAddr], lenient: bool) -> Result<Vec<TcpListener>, Failure> {
    let mut listeners = vec![];
    for address in addresses {
        match listen(*address) {
            Ok(listener) => listeners.push(listener),
            Err(cause) if lenient && cause.kind() != io::ErrorKind::AddrInUse => {
                tracing::info!(%address, %cause, "this machine has no such address; going on without it");
            }
            Err(cause) => return Err(refused(*address, &cause)),
        }
    }
    if listeners.is_empty() {
        Err(refused(addresses[0], &io::ErrorKind::AddrNotAvailable.into()))
    } else {
        Ok(listeners)
    }
}

fn refused(address: SocketAddr, cause: &io::Error) -> Failure {
    let (ip, port) = (address.ip(), address.port());
    let other = SocketAddr::new(ip, port.checked_add(1).unwrap_or(8080));
    match cause.kind() {
        io::ErrorKind::AddrInUse => Failure::new(
            Exit::Listen,
            format!("Port {port} on {ip} is in use by another program."),
            format!("Stop it, or choose another port: nexus serve --listen {other}"),
        ),
        io::ErrorKind::PermissionDenied => Failure::new(
            Exit::Listen,
            format!("This user may not listen on port {port} of {ip}."),
            format!(
                "Ports below 1024 are the administrator's. Choose another: nexus serve --listen {}",
                SocketAddr::new(ip, 8080)
            ),
        ),
        _ => Failure::new(
            Exit::Listen,
            format!("Can't listen on {address}: {cause}."),
            "Choose an address of this machine with --listen.",
        ),
    }
}

/// How many connections may be open at once: what the operator said, or what the system allows, after raising it to its most.
pub fn connections_max(configured: Option<u32>) -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(cause) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%cause, "the number of open files stays as it is");
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = files.saturating_sub(DESCRIPTORS_KEPT).clamp(16, CONNECTIONS_MAX);
    configured.map_or(most, |configured| u64::from(configured).min(most)) as usize
}

/// All connections of a node.
pub struct Connections {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    /// Ends when nobody holds a sender any more.
    ended: mpsc::Receiver<Infallible>,
    alive: Option<mpsc::Sender<Infallible>>,
}

struct Shared {
    door: Door,
    places: Arc<Semaphore>,
    seats: Arc<Seats>,
    http: http1::Builder,
}

impl Connections {
    /// Nobody yet; at most this many at once.
    pub fn new(door: Door, most: usize) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(IDLE_MS_MAX.cast_unsigned()))
            .max_header_size(HEAD_BYTES_MAX)
            .max_buf_size(2 * HEAD_BYTES_MAX);
        let (alive, ended) = mpsc::channel(1);
        let shared = Shared {
            door,
            places: Arc::new(Semaphore::new(most)),
            seats: Seats::new(CONNECTIONS_PER_ADDRESS as usize, Networks::default().and_loopback()),
            http,
        };
        Self {
            shared: Arc::new(shared),
            stop: watch::Sender::new(false),
            ended,
            alive: Some(alive),
        }
    }

    /// At most this many at once from one address, but for those of these networks.
    #[must_use]
    pub fn per_address(mut self, most: usize, exempt: Networks) -> Self {
        let shared = Arc::get_mut(&mut self.shared).expect("nothing is accepted yet");
        shared.seats = Seats::new(most, exempt);
        self
    }

    /// Accepts from a listener until the end.
    pub fn accept(&self, listener: TcpListener) {
        if let Some(alive) = self.alive.clone() {
            tokio::spawn(accept(self.shared.clone(), listener, self.stop.subscribe(), alive));
        }
    }

    /// Accepts nobody more, lets requests that run finish, and waits for them at most this long. Says whether all did.
    pub async fn finish(mut self, at_most: Duration) -> bool {
        self.stop.send_replace(true);
        self.alive = None;
        tokio::time::timeout(at_most, self.ended.recv()).await.is_ok()
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, stop: watch::Receiver<bool>, alive: mpsc::Sender<Infallible>) {
    let mut told_too = stop.clone();
    let mut stopped = pin!(told(&mut told_too));
    loop {
        // The one that was accepted waits for its place here, and all others in the kernel.
        let next = async {
            let (stream, peer) = listener.accept().await?;
            let Ok(seat) = shared.seats.take(peer.ip()) else {
                return Ok(None);
            };
            let place = shared.places.clone().acquire_owned().await.expect("it is never closed");
            io::Result::Ok(Some((stream, peer.ip(), (place, seat))))
        };
        let accepted = tokio::select! {
            () = &mut stopped => return,
            accepted = next => accepted,
        };
        match accepted {
            // Closed without a word: whoever holds so many has been heard.
            Ok(None) => tracing::debug!("an address has as many connections as it may"),
            Ok(Some((stream, address, place))) => {
                let place = Place(Arc::new(place));
                tokio::spawn(connection(shared.clone(), stream, address, stop.clone(), (place, alive.clone())));
            }
            // One that gave up while it waited is its own affair.
            Err(cause) if [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset].contains(&cause.kind()) => {}
            Err(cause) => {
                tracing::warn!(%cause, "can't accept a connection; trying again soon");
                tokio::select! {
                    () = &mut stopped => return,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
}

/// Waits for the end. A sender that is gone means the end as well.
async fn told(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    address: IpAddr,
    mut stop: watch::Receiver<bool>,
    (place, alive): (Place, mpsc::Sender<Infallible>),
) {
    if let Err(cause) = stream.set_nodelay(true) {
        tracing::debug!(%cause, "a connection was gone at once");
        return;
    }
    let requests = Requests::default();
    let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
        if request.headers().contains_key(http::header::UPGRADE) {
            request.extensions_mut().insert(place.clone());
        }
        let alive = alive.clone();
        let (door, requests) = (&shared.door, requests.clone());
        async move {
            requests.begin();
            let answer = door.answer(request, address, alive).await;
            requests.end();
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = pin!(
        shared
            .http
            .serve_connection(TokioIo::new(Heads::new(stream, requests.clone())), service)
            .with_upgrades()
    );
    let outcome = tokio::select! {
        outcome = &mut connection => outcome,
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(cause) = outcome {
        tracing::debug!(%cause, "a connection ended early");
    }
}
