//! Posting: one keep-alive connection, one signed event at a time.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::payments::{body, number_after, signature};
use crate::Outcome;
use crate::http::Client;

/// For how long a connection is used again; the server closes idle ones soon after.
const IDLE: Duration = Duration::from_secs(5);

/// A connection on which events are posted.
pub(super) struct Poster {
    client: Client,
    host: String,
    /// Does each event have an id of its own, so that it can be posted again?
    with_ids: bool,
}

impl Poster {
    pub(super) async fn connect(address: SocketAddr, with_ids: bool) -> Outcome<Self> {
        Ok(Self {
            client: Client::connect(address).await?,
            host: address.to_string(),
            with_ids,
        })
    }

    /// Posts the payment of this number, and says its position once it is durable.
    pub(super) async fn post(&mut self, number: u64) -> Outcome<i64> {
        let answer = self.client.exchange(&request(&self.host, number, self.with_ids)).await?;
        let position = number_after(&answer.body, br#""position":"#);
        match (answer.status, position) {
            (200, Some(position)) => Ok(position.cast_signed()),
            (status, _) => {
                let body = String::from_utf8_lossy(&answer.body);
                Err(format!("event {number} was answered {status}: {body}").into())
            }
        }
    }
}

/// The bytes of a request.
pub(super) fn request(host: &str, number: u64, with_id: bool) -> Vec<u8> {
    let body = body(number);
    let (signature, length) = (signature(&[&body]), body.len());
    let id = if with_id {
        format!("X-Nexus-Event-Id: bench-{number}\r\n")
    } else {
        String::new()
    };
    format!(
        "POST /events HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nX-Nexus-Signature: {signature}\r\n{id}\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// As many connections as it takes.
pub(super) struct Pool {
    address: SocketAddr,
    idle: RefCell<Vec<(Poster, Instant)>>,
}

impl Pool {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            idle: RefCell::default(),
        }
    }

    pub(super) async fn post(&self, number: u64) -> Outcome<i64> {
        let idle = self.idle.borrow_mut().pop();
        let mut poster = match idle {
            Some((poster, since)) if since.elapsed() < IDLE => poster,
            _ => Poster::connect(self.address, false).await?,
        };
        let position = poster.post(number).await?;
        self.idle.borrow_mut().push((poster, Instant::now()));
        Ok(position)
    }
}
