//! One call: what is sent, and what is read of the answer.

use std::error::Error;
use std::time::Duration;

use nexus_core::outbound::{Answer, Call, CallError, Method};
use nexus_types::limits::{OUTBOUND_ANSWER_BYTES_MAX, OUTBOUND_HEADER_BYTES_MAX, OUTBOUND_HEADERS_MAX, OUTBOUND_MS_MAX};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Response};

use super::lookups::Refusal;
use super::urls::{self, Target};

/// What only the sender may say: who is asked, how long a body is, what becomes of the connection.
const OURS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Characters of a redirect's address that are repeated.
const REDIRECT_CHARS_MAX: usize = 200;

/// The headers of a call.
///
/// # Errors
/// [`CallError::BadHeader`] for what is no header, for one of [`OURS`], and for too many.
pub(super) fn headers(listed: &[(String, String)]) -> Result<HeaderMap, CallError> {
    let mut headers = HeaderMap::new();
    let bytes: usize = listed.iter().map(|(name, value)| name.len() + value.len()).sum();
    if listed.len() > OUTBOUND_HEADERS_MAX || bytes > OUTBOUND_HEADER_BYTES_MAX {
        let what = format!("all together: there may be {OUTBOUND_HEADERS_MAX}, with {OUTBOUND_HEADER_BYTES_MAX} bytes");
        return Err(CallError::BadHeader(what));
    }
    for (name, value) in listed {
        let bad = |what: &str| CallError::BadHeader(format!("`{}`: {what}", name.escape_default()));
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("no header has this name"))?;
        if OURS.contains(&known.as_str()) || known.as_str().starts_with("proxy-") {
            return Err(bad("this server itself says it"));
        }
        // A value may be a secret, so it is not repeated.
        let value = HeaderValue::from_str(value).map_err(|_| bad("its value has a line break or another control character"))?;
        headers.append(known, value);
    }
    Ok(headers)
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// Sends a call whose URL was looked at, and reads the answer. Whatever takes longer than the call may is dropped, with its
/// connection.
///
/// # Errors
/// [`CallError`].
pub(super) async fn send(client: &Client, target: Target, call: Call, headers: HeaderMap) -> Result<Answer, CallError> {
    let timeout_ms = call.timeout_ms.min(OUTBOUND_MS_MAX);
    let all = exchange(client, target, call, headers);
    let ended = tokio::time::timeout(Duration::from_millis(timeout_ms.into()), all).await;
    ended.unwrap_or(Err(CallError::Timeout { timeout_ms }))
}

async fn exchange(client: &Client, target: Target, call: Call, headers: HeaderMap) -> Result<Answer, CallError> {
    let mut request = client.request(method(call.method), target.url.clone()).headers(headers);
    if !call.body.is_empty() {
        request = request.body(call.body);
    }
    let response = request.send().await.map_err(|cause| failure(&target, &cause))?;
    let status = response.status().as_u16();
    if response.status().is_redirection()
        && let Some(location) = response.headers().get(LOCATION)
    {
        let to = elsewhere(&target, location);
        return Err(CallError::Redirect { status, to });
    }
    let headers = said(response.headers())?;
    let body = body(&target, response).await?;
    Ok(Answer { status, headers, body })
}

/// The headers of an answer, as text.
fn said(headers: &HeaderMap) -> Result<Vec<(String, String)>, CallError> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > OUTBOUND_HEADER_BYTES_MAX {
        return Err(CallError::Broken(format!(
            "the answer's headers are longer than {OUTBOUND_HEADER_BYTES_MAX} bytes"
        )));
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect())
}

/// The body, as it came: packed if it was packed.
async fn body(target: &Target, mut response: Response) -> Result<Vec<u8>, CallError> {
    let too_large = CallError::AnswerTooLarge {
        bytes_max: OUTBOUND_ANSWER_BYTES_MAX,
    };
    let announced = response.content_length().unwrap_or(0);
    if announced > OUTBOUND_ANSWER_BYTES_MAX as u64 {
        return Err(too_large);
    }
    let mut body = vec![];
    while let Some(chunk) = response.chunk().await.map_err(|cause| failure(target, &cause))? {
        if body.len() + chunk.len() > OUTBOUND_ANSWER_BYTES_MAX {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    assert!(body.len() <= OUTBOUND_ANSWER_BYTES_MAX);
    Ok(body)
}

/// Where a redirect leads, without what follows the path.
fn elsewhere(target: &Target, location: &HeaderValue) -> String {
    let joined = location.to_str().ok().and_then(|to| target.url.join(to).ok());
    let Some(to) = joined.filter(|to| matches!(to.scheme(), "http" | "https")) else {
        return "an address that is not of the web".to_owned();
    };
    let to = format!("{}{}", to.origin().ascii_serialization(), to.path());
    to.chars().take(REDIRECT_CHARS_MAX).collect()
}

/// Why the library has no answer. Its own sentences hold the URL, the innermost cause does not.
fn failure(target: &Target, error: &reqwest::Error) -> CallError {
    let mut cause: &dyn Error = error;
    loop {
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            return match refusal {
                Refusal::Unknown => CallError::NoHost(target.url.host_str().unwrap_or_default().to_owned()),
                Refusal::Blocked(address) => CallError::Blocked(format!("{} ({address})", target.authority())),
                Refusal::Busy => CallError::Busy,
            };
        }
        match cause.source() {
            Some(next) => cause = next,
            None => break,
        }
    }
    if error.is_builder() {
        CallError::BadUrl("it can't be sent as a request".to_owned())
    } else if error.is_connect() {
        CallError::Connect(format!("{} ({cause})", target.authority()))
    } else {
        CallError::Broken(cause.to_string())
    }
}

/// A call that is not sent: why not, or whom it would ask.
///
/// # Errors
/// [`CallError::BadUrl`], [`CallError::BadHeader`].
pub(super) fn read(call: &Call) -> Result<(Target, HeaderMap), CallError> {
    Ok((urls::parse(&call.url)?, headers(&call.headers)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(listed: &[(&str, &str)]) -> Vec<(String, String)> {
        listed
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_caller_says_nothing_that_is_the_senders_to_say() {
        let good = headers(&pairs(&[
            ("Authorization", "Bearer a"),
            ("X-A", "1"),
            ("x-a", "2"),
            ("User-Agent", "me"),
        ]))
        .expect("good ones");
        assert_eq!(good.get_all("x-a").iter().count(), 2);
        let ours = OURS
            .iter()
            .copied()
            .chain(["Host", "Proxy-Authorization", "PROXY-X", "Transfer-Encoding"]);
        for name in ours.chain(["a b", "", "a:", "a\r\nb"]) {
            let cause = headers(&pairs(&[(name, "hunter2")])).expect_err("refused");
            assert!(
                matches!(cause, CallError::BadHeader(_)) && !cause.to_string().contains("hunter2"),
                "{name}: {cause}"
            );
            assert!(!cause.to_string().contains('\n'));
        }
        for value in ["hunter2\r\nHost: a", "hunter2\n", "hunter2\0"] {
            let cause = headers(&pairs(&[("a", value)])).expect_err("refused");
            assert!(!cause.to_string().contains("hunter2"), "{cause}");
        }
        let many = vec![("a".to_owned(), "b".to_owned()); OUTBOUND_HEADERS_MAX + 1];
        assert!(headers(&many).is_err() && headers(&many[1..]).is_ok());
        let long = |bytes: usize| headers(&[("a".to_owned(), "b".repeat(bytes))]);
        assert!(long(OUTBOUND_HEADER_BYTES_MAX).is_err() && long(OUTBOUND_HEADER_BYTES_MAX - 1).is_ok());
    }

    #[test]
    fn a_redirect_is_named_without_its_query() {
        let target = urls::parse("https://example.org/a/b?key=hunter2").expect("a URL");
        for (location, expected) in [
            ("/c?key=hunter2#hunter2", "https://example.org/c"),
            ("d", "https://example.org/a/d"),
            ("http://u:hunter2@127.0.0.1:81/x?y", "http://127.0.0.1:81/x"),
            ("//evil.example", "https://evil.example/"),
            ("file:///hunter2", "an address that is not of the web"),
            ("javascript:hunter2", "an address that is not of the web"),
            ("http://[hunter2", "an address that is not of the web"),
        ] {
            let to = elsewhere(&target, &HeaderValue::from_static(location));
            assert_eq!(to, expected, "{location}");
        }
    }
}
