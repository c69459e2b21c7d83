//! `nexus health`: asks a running server how it is, for scripts and containers.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use http::Uri;

use crate::exits::{Exit, Failure};

/// How long each step of the question may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Asks `url`, and answers with what the server said.
///
/// # Errors
/// A [`Failure`] if nothing answers, or the answer is not a healthy one.
pub fn ask(url: &str) -> Result<String, Failure> {
    let uri: Uri = url.parse().map_err(|_| {
        Failure::new(
            Exit::Usage,
            format!("`{url}` is no URL."),
            "Try: nexus health --url http://127.0.0.1:8080",
        )
    })?;
    if uri.scheme_str() != Some("http") {
        let next = "Ask the server itself rather than its proxy: nexus health --url http://127.0.0.1:8080";
        return Err(Failure::new(Exit::Usage, format!("Only http:// can be asked, not `{url}`."), next));
    }
    let host = uri.host().unwrap_or("127.0.0.1");
    let port = uri.port_u16().unwrap_or(80);
    let path = if uri.path() == "/" { "/health" } else { uri.path() };
    let answer = fetch(host, port, path).map_err(|cause| {
        Failure::new(
            Exit::Failed,
            format!("Nothing healthy answers at {url}: {cause}."),
            "Is it running? Start it with: nexus serve",
        )
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or("nothing");
    if status == "200" {
        return Ok(body.to_owned());
    }
    Err(Failure::new(
        Exit::Failed,
        format!("The server at {url} answered {status}."),
        "Look at its log.",
    ))
}

fn fetch(host: &str, port: u16, path: &str) -> std::io::Result<String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
    for address in (bare, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n")?;
                let mut answer = String::new();
                stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
                return Ok(answer);
            }
            Err(cause) => last = cause,
        }
    }
    Err(last)
}
