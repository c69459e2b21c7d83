//! Somebody else's server: answers requests by hand, on a thread of its own. It is a factory that mints, or only an echo.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::cores::Place;
use crate::{Bench, Outcome};

/// Of a request.
const BYTES_MAX: usize = 64 * 1024;

/// What it did.
#[derive(Default)]
pub(super) struct Done {
    /// By the wallet that was minted for: the keys under which that was asked for.
    keys: HashMap<String, HashSet<String>>,
    pub(super) requests: u64,
    /// Those that it failed.
    pub(super) failed: u64,
    /// Requests under a key that it had minted for already.
    pub(super) repeated: u64,
}

impl Done {
    /// Wallets that were minted for.
    pub(super) fn minted(&self) -> u64 {
        self.keys.len() as u64
    }

    /// Mints too many: a second key for the same wallet.
    pub(super) fn doubled(&self) -> u64 {
        self.keys.values().map(|keys| keys.len() as u64 - 1).sum()
    }
}

/// A running one.
pub(super) struct Stub {
    pub(super) address: SocketAddr,
    /// Its thread, whose processor time can be read.
    pub(super) thread: i32,
    done: Arc<Mutex<Done>>,
}

impl Stub {
    /// Starts one that fails so many requests of a hundred: half of them before it mints, half after it, with the answer lost.
    pub(super) fn start(bench: &Bench, place: Place, failures: u64) -> Outcome<Self> {
        let done = Arc::new(Mutex::new(Done::default()));
        let (cores, shared) = (bench.cores.clone(), done.clone());
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("stub".to_owned()).spawn(move || {
            let served = || -> Outcome<()> {
                cores.pin(place)?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(async {
                    let listener = TcpListener::bind("127.0.0.1:0").await?;
                    let thread = rustix::thread::gettid().as_raw_nonzero().get();
                    tell.send((listener.local_addr()?, thread))?;
                    loop {
                        let (stream, _) = listener.accept().await?;
                        stream.set_nodelay(true)?;
                        let shared = shared.clone();
                        tokio::spawn(async move {
                            // Whoever asks may go.
                            drop(serve(stream, &shared, failures).await);
                        });
                    }
                })
            };
            if let Err(error) = served() {
                eprintln!("the stub: {error}");
            }
        })?;
        let (address, thread) = told.recv_timeout(Duration::from_secs(5))?;
        Ok(Self { address, thread, done })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn done(&self) -> MutexGuard<'_, Done> {
        lock(&self.done)
    }
}

fn lock(done: &Mutex<Done>) -> MutexGuard<'_, Done> {
    done.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What it says.
#[derive(PartialEq, Eq)]
enum Reply {
    Minted,
    Failed,
    Nothing,
}

async fn serve(mut stream: TcpStream, done: &Mutex<Done>, failures: u64) -> std::io::Result<()> {
    let mut held = Vec::with_capacity(2_048);
    loop {
        let (head, length) = loop {
            if let Some(sizes) = sizes(&held) {
                break sizes;
            }
            if held.len() > BYTES_MAX || stream.read_buf(&mut held).await? == 0 {
                return Ok(());
            }
        };
        while held.len() < head + length {
            if stream.read_buf(&mut held).await? == 0 {
                return Ok(());
            }
        }
        let reply = decide(done, &held[..head], &held[head..head + length], failures);
        held.drain(..head + length);
        let text: &[u8] = match reply {
            Reply::Minted => {
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 34\r\n\r\n{\"status\":\"confirmed\",\"tokenId\":7}"
            }
            Reply::Failed => b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            Reply::Nothing => return Ok(()),
        };
        stream.write_all(text).await?;
    }
}

fn decide(done: &Mutex<Done>, head: &[u8], body: &[u8], failures: u64) -> Reply {
    let mut done = lock(done);
    let number = done.requests;
    done.requests += 1;
    let chance = chance(number);
    let fails = chance % 100 < failures;
    let too_early = chance >> 32 & 1 == 0;
    done.failed += u64::from(fails);
    if fails && too_early {
        return Reply::Failed;
    }
    if let (Some(key), Some(wallet)) = (header(head, "idempotency-key"), wallet(body)) {
        let is_new = done.keys.entry(wallet).or_default().insert(key);
        done.repeated += u64::from(!is_new);
    }
    if fails { Reply::Nothing } else { Reply::Minted }
}

/// Bytes of the head and of the body, once the head is whole.
fn sizes(held: &[u8]) -> Option<(usize, usize)> {
    let end = held.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let length = header(&held[..end], "content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    Some((end, length))
}

fn header(head: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(head).ok()?;
    text.split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
}

/// Whom to mint for.
fn wallet(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Asked {
        address: String,
    }
    Some(serde_json::from_slice::<Asked>(body).ok()?.address)
}

/// A number that nobody can tell from a random one, the same in each run.
fn chance(number: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(number);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(done: &Mutex<Done>, key: &str, wallet: &str) {
        let head = format!("POST / HTTP/1.1\r\nIdempotency-Key: {key}\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(sizes(head.as_bytes()), Some((head.len(), 5)));
        let body = format!(r#"{{"address":"{wallet}","amount":15.00}}"#);
        assert!(decide(done, head.as_bytes(), body.as_bytes(), 0) == Reply::Minted);
    }

    #[test]
    fn a_second_key_for_a_wallet_is_a_mint_too_many() {
        let done = Mutex::new(Done::default());
        for (key, wallet) in [("a", "x"), ("a", "x"), ("b", "y"), ("c", "y")] {
            ask(&done, key, wallet);
        }
        let done = lock(&done);
        assert_eq!((done.minted(), done.repeated, done.doubled(), done.requests), (2, 1, 1, 4));
    }
}
