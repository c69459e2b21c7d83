//! A client of the REST interface that costs next to nothing: one keep-alive connection, one request at a time.

use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Outcome;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    host: String,
    held: Vec<u8>,
}

/// One request.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// The bare access token.
    pub(crate) token: Option<&'a str>,
    /// JSON.
    pub(crate) body: Option<&'a str>,
}

/// The answer to a request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            host: address.to_string(),
            held: Vec::with_capacity(4096),
        })
    }

    /// Asks, and waits for the whole answer.
    pub(crate) async fn call(&mut self, request: &Request<'_>) -> Outcome<Answer> {
        let text = encode(request, &self.host);
        self.exchange(text.as_bytes()).await
    }

    /// The same with the bytes of a request.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Outcome<Answer> {
        self.stream.write_all(request).await?;
        self.held.clear();
        loop {
            if self.stream.read_buf(&mut self.held).await? == 0 {
                return Err("the server closed a connection".into());
            }
            if let Some(head) = Head::read(&self.held)? {
                while self.held.len() < head.bytes + head.content_bytes {
                    if self.stream.read_buf(&mut self.held).await? == 0 {
                        return Err("the server closed a connection amid an answer".into());
                    }
                }
                return Ok(Answer {
                    status: head.status,
                    body: self.held[head.bytes..].to_vec(),
                });
            }
        }
    }

    /// Asks, and reads the JSON of the answer; every other status than 2xx is an error.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self, request: &Request<'_>) -> Outcome<T> {
        let answer = self.call(request).await?;
        if !(200..300).contains(&answer.status) {
            let (status, body) = (answer.status, String::from_utf8_lossy(&answer.body));
            return Err(format!("{} {} answered {status}: {body}", request.method, request.path).into());
        }
        Ok(serde_json::from_slice(&answer.body)?)
    }
}

fn encode(request: &Request<'_>, host: &str) -> String {
    let Request { method, path, token, body } = request;
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
    if let Some(token) = token {
        text.push_str("Authorization: Bearer ");
        text.push_str(token);
        text.push_str("\r\n");
    }
    if let Some(body) = body {
        text.push_str("Content-Type: application/json\r\nContent-Length: ");
        text.push_str(&body.len().to_string());
        text.push_str("\r\n\r\n");
        text.push_str(body);
    } else {
        text.push_str("\r\n");
    }
    text
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Of the head, with the empty line.
    bytes: usize,
    content_bytes: usize,
}

impl Head {
    /// `None`: there is more to come.
    fn read(bytes: &[u8]) -> Outcome<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes[..end])?;
        let mut lines = text.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .ok_or("no status line")?
            .parse()?;
        let mut content_bytes = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                content_bytes = value.trim().parse()?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err("an answer in chunks".into());
            }
        }
        Ok(Some(Self {
            status,
            bytes: end + 4,
            content_bytes,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let answer = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(Head::read(&answer[..60]).expect("no fault yet"), None);
        assert_eq!(
            Head::read(answer).expect("a good head"),
            Some(Head {
                status: 201,
                bytes: answer.len() - 5,
                content_bytes: 5
            })
        );
        assert!(Head::read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
