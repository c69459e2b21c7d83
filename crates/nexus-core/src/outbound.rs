//! The one way out: a request to somebody else's server, as data.
//!
//! Core says what to ask and judges the answer. What sends it (addresses that are not asked, time, sizes) is the server's
//! `outbound.rs`; it deliberately is one place for webhooks, rules and everything else that will ask others.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// What is done with the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// As it stands in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request. It may hold secrets, so it has no `Debug`.
#[derive(Clone, PartialEq)]
pub struct Call {
    /// What is done.
    pub method: Method,
    /// `http` or `https`.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Bytes.
    pub body: Vec<u8>,
    /// How long all of it may take.
    pub timeout_ms: u32,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, never a redirect.
    pub status: u16,
    /// Names in small letters, and values.
    pub headers: Vec<(String, String)>,
    /// At most [`OUTBOUND_ANSWER_BYTES_MAX`](nexus_types::limits::OUTBOUND_ANSWER_BYTES_MAX).
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name, which is in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer. The sentence says what happened and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No URL that is asked.
    #[error("The address can't be used: {0}. Correct the url.")]
    BadUrl(String),
    /// A header that can't be sent.
    #[error("A header can't be sent: {0}. Correct the headers.")]
    BadHeader(String),
    /// An address that is not asked.
    #[error("{0} is a private address, or this server itself. If it is meant, list it in outbound.private.")]
    Blocked(String),
    /// Its name leads nowhere.
    #[error("Nobody knows the host {0}. Correct the url, or look after the name server.")]
    NoHost(String),
    /// Its name was not looked up: others are, and the name server does not keep up.
    #[error("Too many names are being looked up. Look after the name server, or the names that it does not answer.")]
    Busy,
    /// Nobody listens there, or not in the language of the web.
    #[error("Could not connect to {0}. Look whether it runs.")]
    Connect(String),
    /// It took too long.
    #[error("No answer within {timeout_ms} ms. Look whether the other side is overloaded.")]
    Timeout {
        /// How long was waited.
        timeout_ms: u32,
    },
    /// It did not end.
    #[error("The answer is longer than {bytes_max} bytes and was cut off. Is it the right address?")]
    AnswerTooLarge {
        /// How much is read.
        bytes_max: usize,
    },
    /// It leads elsewhere, and nobody follows.
    #[error("The answer {status} leads to {to}, and redirects are not followed. Put the final address in.")]
    Redirect {
        /// The status.
        status: u16,
        /// Where to, without what follows the path.
        to: String,
    },
    /// The connection broke.
    #[error("The connection broke: {0}.")]
    Broken(String),
}

impl CallError {
    /// Can the same request never get an answer, however often it is sent?
    pub fn is_final(&self) -> bool {
        matches!(self, Self::BadUrl(_) | Self::BadHeader(_))
    }

    /// Is it about the other side, and will the next job meet the same? Such failures open the breaker.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::BadUrl(_) | Self::BadHeader(_) | Self::Busy => false,
            Self::Blocked(_)
            | Self::NoHost(_)
            | Self::Connect(_)
            | Self::Timeout { .. }
            | Self::AnswerTooLarge { .. }
            | Self::Redirect { .. }
            | Self::Broken(_) => true,
        }
    }
}

type Send = dyn Fn(Call) -> BoxFuture<'static, Result<Answer, CallError>> + std::marker::Send + Sync;
type Check = dyn Fn(&str) -> Result<(), CallError> + std::marker::Send + Sync;

/// The way out. Clones are the same way.
#[derive(Clone)]
pub struct Outbound {
    send: Arc<Send>,
    check: Arc<Check>,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Outbound(…)")
    }
}

impl Outbound {
    /// What sends a request, and what looks at a URL without asking anybody.
    pub fn new(
        send: impl Fn(Call) -> BoxFuture<'static, Result<Answer, CallError>> + std::marker::Send + Sync + 'static,
        check: impl Fn(&str) -> Result<(), CallError> + std::marker::Send + Sync + 'static,
    ) -> Self {
        Self {
            send: Arc::new(send),
            check: Arc::new(check),
        }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// [`CallError`] if there is no answer.
    pub async fn send(&self, call: Call) -> Result<Answer, CallError> {
        (self.send)(call).await
    }

    /// Looks at a URL: its grammar, and whether it names an address that is not asked. Names are looked up only when a request is sent.
    ///
    /// # Errors
    /// [`CallError::BadUrl`], [`CallError::Blocked`].
    pub fn check(&self, url: &str) -> Result<(), CallError> {
        (self.check)(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_could_not_be_asked_is_asked_again_and_is_not_to_blame() {
        assert!(!CallError::Busy.is_final() && !CallError::Busy.is_outage());
        assert!(CallError::NoHost("a.example".into()).is_outage());
    }
}
