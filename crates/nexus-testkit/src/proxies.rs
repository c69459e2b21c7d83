//! A network that can fail: a TCP proxy whose links are cut at a chosen byte or WebSocket frame, or stop reading.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where the next links end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    /// Nowhere.
    #[default]
    Never,
    /// After this many bytes from the server.
    Bytes(usize),
    /// After this many whole WebSocket frames from the server; HELLO is the first.
    Frames(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Weather {
    /// Links of an older generation are cut.
    generation: u64,
    /// Nothing is read from the server.
    stalled: bool,
}

struct Shared {
    upstream: SocketAddr,
    cut: Mutex<Cut>,
    weather: watch::Sender<Weather>,
    links: AtomicUsize,
}

/// A proxy before a server. It ends when dropped, and its links with it.
pub struct Proxy {
    /// Where to connect.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a port of its own.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let shared = Arc::new(Shared {
            upstream,
            cut: Mutex::default(),
            weather: watch::Sender::default(),
            links: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self {
            address,
            shared,
            accepting,
        }
    }

    /// Says where links that begin from now on end.
    pub fn cut_next(&self, cut: Cut) {
        *self.shared.cut.lock().unwrap_or_else(PoisonError::into_inner) = cut;
    }

    /// Cuts every link there is.
    pub fn cut(&self) {
        self.shared.weather.send_modify(|weather| weather.generation += 1);
    }

    /// Stops, or goes on, reading from the server.
    pub fn stall(&self, stalled: bool) {
        self.shared.weather.send_modify(|weather| weather.stalled = stalled);
    }

    /// Links that are open.
    pub fn links(&self) -> usize {
        self.shared.links.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        let shared = shared.clone();
        tokio::spawn(async move {
            shared.links.fetch_add(1, Ordering::Relaxed);
            // A link that breaks is what a proxy is for.
            drop(link(client, &shared).await);
            shared.links.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn link(client: TcpStream, shared: &Shared) -> io::Result<()> {
    let cut = *shared.cut.lock().unwrap_or_else(PoisonError::into_inner);
    let mut weather = shared.weather.subscribe();
    let generation = weather.borrow_and_update().generation;
    let server = TcpStream::connect(shared.upstream).await?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut told = weather.clone();
    tokio::select! {
        done = upward(from_client, to_server) => done,
        done = downward(from_server, to_client, cut, weather) => done,
        _ = told.wait_for(|now| now.generation != generation) => Ok(()),
    }
}

async fn upward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    tokio::io::copy(&mut from, &mut to).await?;
    // The client said that it will send no more; the server still may.
    to.shutdown().await?;
    std::future::pending().await
}

async fn downward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: Cut, mut weather: watch::Receiver<Weather>) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut meter = Meter::new(cut);
    loop {
        if weather.wait_for(|now| !now.stalled).await.is_err() {
            return Ok(());
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read?,
            _ = weather.wait_for(|now| now.stalled) => continue,
        };
        if read == 0 {
            return to.shutdown().await;
        }
        let end = meter.end_within(&buffer[..read]);
        to.write_all(&buffer[..end.unwrap_or(read)]).await?;
        if end.is_some() {
            return to.shutdown().await;
        }
    }
}

/// Counts what passes from a server to a client: the head of an HTTP answer, then unmasked WebSocket frames (RFC 6455, section 5.2).
struct Meter {
    cut: Cut,
    bytes: usize,
    frames: usize,
    /// The last four bytes of the head, until it is over.
    head: Option<[u8; 4]>,
    /// The begun frame's header.
    header: Vec<u8>,
    /// Bytes left of the begun frame's payload, once its header is whole.
    left: Option<usize>,
}

impl Meter {
    fn new(cut: Cut) -> Self {
        Self {
            cut,
            bytes: 0,
            frames: 0,
            head: Some([0; 4]),
            header: vec![],
            left: None,
        }
    }

    /// Where in these bytes the link ends, if it does.
    fn end_within(&mut self, bytes: &[u8]) -> Option<usize> {
        for (index, byte) in bytes.iter().enumerate() {
            if self.is_over() {
                return Some(index);
            }
            self.take(*byte);
        }
        self.is_over().then_some(bytes.len())
    }

    fn is_over(&self) -> bool {
        match self.cut {
            Cut::Never => false,
            Cut::Bytes(most) => self.bytes >= most,
            Cut::Frames(most) => self.frames >= most,
        }
    }

    fn take(&mut self, byte: u8) {
        self.bytes += 1;
        if let Some(last) = &mut self.head {
            last.rotate_left(1);
            last[3] = byte;
            if last == b"\r\n\r\n" {
                self.head = None;
            }
            return;
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        } else {
            self.header.push(byte);
            self.left = payload_len(&self.header);
        }
        if self.left == Some(0) {
            self.frames += 1;
            self.header.clear();
            self.left = None;
        }
    }
}

/// The payload's length, if the header is whole.
fn payload_len(header: &[u8]) -> Option<usize> {
    let short = usize::from(*header.get(1)? & 0x7f);
    match short {
        126 => Some(usize::from(u16::from_be_bytes(header.get(2..4)?.try_into().ok()?))),
        127 => usize::try_from(u64::from_be_bytes(header.get(2..10)?.try_into().ok()?)).ok(),
        _ => Some(short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_ends_right_after_the_frame_it_was_told() {
        let mut bytes = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
        let mut ends = vec![];
        for len in [0, 5, 125, 126, 70_000_usize] {
            match len {
                0..126 => bytes.extend([0x81, len as u8]),
                126..65_536 => bytes.extend([[0x81, 126], (len as u16).to_be_bytes()].concat()),
                _ => bytes.extend([&[0x81, 127][..], &(len as u64).to_be_bytes()].concat()),
            }
            bytes.extend(std::iter::repeat_n(0x81, len));
            ends.push(bytes.len());
        }
        for (index, end) in ends.iter().enumerate() {
            for piece in [1, 7, bytes.len()] {
                let mut meter = Meter::new(Cut::Frames(index + 1));
                let mut passed = 0;
                for part in bytes.chunks(piece) {
                    let end = meter.end_within(part);
                    passed += end.unwrap_or(part.len());
                    if end.is_some() {
                        break;
                    }
                }
                assert_eq!(passed, *end, "frame {index} in pieces of {piece}");
            }
        }
        assert_eq!(Meter::new(Cut::Bytes(9)).end_within(&bytes), Some(9));
    }
}
