//! A factory that mints, fails as often as it is told, and lets a test act at the worst moment.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Calls with one key that may fail: a test does not wait for the pauses after more of them.
const FAILING_MAX: u64 = 4;

/// When a test may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// A call has come, and nothing was done about it.
    Received,
    /// A good answer has been written.
    Answered,
}

/// What a test does then, once.
type Act = Box<dyn FnOnce() + Send>;

/// What a call comes to.
enum Fate {
    Confirmed,
    /// 500, and nothing was minted.
    Refused,
    /// It was minted, and 500 said all the same.
    Doubtful,
    /// It was minted, and the connection closed without a word.
    Silent,
}

/// A running factory. Calls with the same `Idempotency-Key` mint once.
pub(super) struct Factory {
    pub(super) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    seed: u64,
    /// Calls in a hundred that fail.
    failing: u8,
    books: Mutex<Books>,
    act: Mutex<Option<(Moment, Act)>>,
}

/// What was asked and what was done.
#[derive(Default)]
pub(super) struct Books {
    /// Calls for each key.
    pub(super) calls: BTreeMap<String, u64>,
    /// What was minted, in order: the key, and the body of its first call.
    pub(super) mints: Vec<(String, Value)>,
    /// Calls that failed.
    pub(super) failed: u64,
}

impl Factory {
    pub(super) fn start(seed: u64, failing: u8) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            seed,
            failing,
            books: Mutex::default(),
            act: Mutex::default(),
        });
        let here = shared.clone();
        // It ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let here = here.clone();
                std::thread::spawn(move || here.serve(&stream));
            }
        });
        Self { port, shared }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.shared.books.lock().expect("nobody panics with it")
    }

    /// Acts at the next such moment.
    pub(super) fn at(&self, moment: Moment, act: impl FnOnce() + Send + 'static) {
        *self.shared.act.lock().expect("nobody panics with it") = Some((moment, Box::new(act)));
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some((key, body)) = request(&mut reader) {
            self.pass(Moment::Received);
            let (fate, answer) = self.decide(&key, body);
            let (status, answer) = match fate {
                Fate::Confirmed => ("200 OK", answer),
                Fate::Refused | Fate::Doubtful => ("500 Not Today", json!({})),
                Fate::Silent => return,
            };
            let answer = answer.to_string();
            let length = answer.len();
            let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
            let mut stream = stream;
            if stream.write_all(format!("{head}{answer}").as_bytes()).is_err() {
                return;
            }
            if matches!(fate, Fate::Confirmed) {
                self.pass(Moment::Answered);
            }
        }
    }

    fn decide(&self, key: &str, body: Value) -> (Fate, Value) {
        let mut books = self.books.lock().expect("nobody panics with it");
        let calls = books.calls.entry(key.to_owned()).or_default();
        *calls += 1;
        let calls = *calls;
        let chance = Sha256::digest(format!("{}/{key}/{calls}", self.seed));
        let fails = calls <= FAILING_MAX && u16::from_be_bytes([chance[0], chance[1]]) % 100 < u16::from(self.failing);
        let fate = match (fails, chance[2] % 3) {
            (false, _) => Fate::Confirmed,
            (true, 0) => Fate::Refused,
            (true, 1) => Fate::Doubtful,
            (true, _) => Fate::Silent,
        };
        books.failed += u64::from(!matches!(fate, Fate::Confirmed));
        let is_new = calls == 1 || !books.mints.iter().any(|(known, _)| known == key);
        if is_new && !matches!(fate, Fate::Refused) {
            books.mints.push((key.to_owned(), body));
        }
        (fate, json!({ "status": "confirmed", "tokenId": format!("token-{key}") }))
    }

    fn pass(&self, moment: Moment) {
        let mut armed = self.act.lock().expect("nobody panics with it");
        if armed.as_ref().is_some_and(|(at, _)| *at == moment)
            && let Some((_, act)) = armed.take()
        {
            act();
        }
    }
}

/// Is this the header that says what is the same? Webhooks have one of their own.
fn is_key(name: &str) -> bool {
    ["idempotency-key", "webhook-id"].iter().any(|key| name.eq_ignore_ascii_case(key))
}

/// The key and the body of the next request.
fn request(reader: &mut BufReader<&TcpStream>) -> Option<(String, Value)> {
    let (mut key, mut length) = (String::new(), 0);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            Some((name, value)) if is_key(name) => value.clone_into(&mut key),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((key, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}
