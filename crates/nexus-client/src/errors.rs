//! What goes wrong between a program and the event hub, sorted by what one can do about it.

use std::error::Error;
use std::time::Duration;

use nexus_types::hub::HubEvent;
use serde::Deserialize;

/// One fault. `Display` is a sentence for whoever operates the program.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// No answer came, or only 5xx and 429. It may work later.
    #[error("{message}")]
    Unreachable {
        /// What was tried.
        message: String,
        /// The status, if there was an answer.
        status: Option<u16>,
        /// How long the hub asks us to wait.
        retry_after: Option<Duration>,
        /// Why there was none.
        #[source]
        cause: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The hub understood and refused; the same request will not do better.
    #[error("{message}")]
    Refused {
        /// The HTTP status; 0 if it was said on a stream.
        status: u16,
        /// The hub's word for it: `invalid_signature`, `missing_permission`, `invalid_payload`, `event_conflict` …
        code: String,
        /// The hub's sentence.
        message: String,
        /// The field of the payload that is wrong, such as `payload.amount`.
        field: Option<String>,
    },
    /// Types that the hub does not know.
    #[error("the hub does not know {}", .0.join(", "))]
    UnknownTypes(Vec<String>),
    /// A callback failed. It is called again for the same event.
    #[error("the callback failed for {} {}: {cause}", event.kind, event.id)]
    Callback {
        /// For which event.
        event: Box<HubEvent>,
        /// How often it failed by now.
        tries: u32,
        /// What it returned.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The client was made or called in a way that cannot work.
    #[error("{0}")]
    Misused(String),
    /// The client was closed while it worked.
    #[error("the client is closed")]
    Closed,
}

impl HubError {
    /// May the same request succeed soon?
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// How long the hub asks us to wait.
    pub(crate) fn retry_after(&self) -> Duration {
        match self {
            Self::Unreachable { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    pub(crate) fn silence(message: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unreachable {
            message: message.into(),
            status: None,
            retry_after: None,
            cause: Some(cause.into()),
        }
    }

    /// An answer that is no success.
    pub(crate) fn of_answer(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        #[derive(Deserialize, Default)]
        struct Words {
            error: Option<String>,
            message: Option<String>,
            field: Option<String>,
        }
        let words: Words = serde_json::from_slice(body).unwrap_or_default();
        let message = words.message.unwrap_or_else(|| format!("the hub answered {status}"));
        if status == 429 || status >= 500 {
            return Self::Unreachable {
                message,
                status: Some(status),
                retry_after,
                cause: None,
            };
        }
        // The one error of the contract that is a sentence.
        let unknown = words.error.as_deref() == Some("Invalid event type");
        Self::Refused {
            status,
            code: if unknown {
                "invalid_event_type".into()
            } else {
                words.error.unwrap_or_else(|| "refused".into())
            },
            message: if unknown {
                "the hub does not know this type of event".into()
            } else {
                message
            },
            field: words.field,
        }
    }
}

/// What to do about an event whose callback failed. For any other fault it makes no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Call back again after a pause, as often as it takes.
    Retry,
    /// Give up on the event and go on with the next.
    Skip,
}
