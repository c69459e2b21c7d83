//! Servers that say what they are told to, however wrong it is.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Between two bytes of a host that drips.
const DRIP: Duration = Duration::from_millis(20);

/// What a client begins with that wants TLS, which nobody here speaks: RFC 8446, section 5.1.
const TLS_HANDSHAKE: u8 = 22;

/// What becomes of a connection when the answer has been sent.
#[derive(Clone, Copy)]
enum Then {
    /// The next request is read.
    Again,
    /// It is closed.
    Leave,
    /// Nothing, until the other side hangs up.
    Stay,
    /// Bytes follow as fast as they are read.
    Flood,
    /// A byte follows now and then.
    Drip,
}

/// A server on this machine.
pub(crate) struct Host {
    pub(crate) port: u16,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    ended: AtomicUsize,
    heads: Mutex<Vec<String>>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Host {
    /// Answers every request with this.
    pub(crate) async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        Self::begin(answer.into(), Then::Again).await
    }

    /// Says this and closes the connection.
    pub(crate) async fn leaving(answer: impl Into<Vec<u8>>) -> Self {
        Self::begin(answer.into(), Then::Leave).await
    }

    /// Reads and says nothing.
    pub(crate) async fn silent() -> Self {
        Self::begin(vec![], Then::Stay).await
    }

    /// Never stops saying what follows this.
    pub(crate) async fn endless(answer: impl Into<Vec<u8>>) -> Self {
        Self::begin(answer.into(), Then::Flood).await
    }

    /// Says more of it for ever, slowly.
    pub(crate) async fn dripping(answer: impl Into<Vec<u8>>) -> Self {
        Self::begin(answer.into(), Then::Drip).await
    }

    /// Counts connections to this very address, if this machine has it.
    pub(crate) async fn at(address: IpAddr, port: u16) -> Option<Self> {
        let listener = TcpListener::bind((address, port)).await.ok()?;
        Some(Self::over(listener, vec![], Then::Leave))
    }

    async fn begin(answer: Vec<u8>, then: Then) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        Self::over(listener, answer, then)
    }

    fn over(listener: TcpListener, answer: Vec<u8>, then: Then) -> Self {
        let port = listener.local_addr().expect("it is bound").port();
        let seen = Arc::<Seen>::default();
        let here = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                here.connections.fetch_add(1, Ordering::SeqCst);
                let (here, answer) = (here.clone(), answer.clone());
                tokio::spawn(async move {
                    serve(stream, &answer, then, &here).await;
                    here.ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, seen, task }
    }

    /// How often somebody connected.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// The heads of all requests.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.seen.heads.lock().expect("nobody panics with it").clone()
    }

    /// Waits until every connection has ended.
    pub(crate) async fn hung_up(&self) {
        let ended = async {
            while self.connections() == 0 || self.seen.ended.load(Ordering::SeqCst) < self.connections() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ended)
            .await
            .expect("the other side hangs up");
    }
}

/// A port at which nobody listens.
pub(crate) async fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

async fn serve(mut stream: TcpStream, answer: &[u8], then: Then, seen: &Seen) {
    while let Some(head) = request(&mut stream).await {
        seen.heads.lock().expect("nobody panics with it").push(head);
        if stream.write_all(answer).await.is_err() {
            return;
        }
        match then {
            Then::Again => {}
            Then::Leave => return,
            Then::Stay => {
                let mut rest = vec![];
                stream.read_to_end(&mut rest).await.ok();
                return;
            }
            Then::Flood => {
                // A chunk of a chunked body as well as bytes of a plain one.
                let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
                while stream.write_all(chunk.as_bytes()).await.is_ok() {}
                return;
            }
            Then::Drip => {
                while stream.write_all(b"a").await.is_ok() {
                    tokio::time::sleep(DRIP).await;
                }
                return;
            }
        }
    }
}

/// The head of the next request, its body read and dropped.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut read = vec![];
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).await.ok()?;
        read.push(byte[0]);
        if read[0] == TLS_HANDSHAKE {
            return None;
        }
    }
    let head = String::from_utf8(read).ok()?;
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(head)
}
