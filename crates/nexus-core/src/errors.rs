//! Two kinds of failure: the caller can act on a refusal; everything else is our fault, logged once where it is handled.

use nexus_store::StoreError;
use nexus_types::{ErrorCode, FieldErrors};

/// What every use case answers with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a use case did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller is at fault and can act; nothing was changed.
    #[error("refused: {}", .0.code.word())]
    Refused(Refusal),
    /// The store could not do it; some of these may be tried again.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// We are at fault.
    #[error("could not {doing}")]
    Internal {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// Why it failed.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A refusal.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Which.
    pub code: ErrorCode,
    /// What is wrong with which field.
    pub fields: FieldErrors,
    /// When to come back, for [`ErrorCode::RateLimited`] and [`ErrorCode::Busy`].
    pub retry_after_ms: Option<i64>,
}

impl Error {
    /// A refusal with a code alone.
    pub fn refused(code: ErrorCode) -> Self {
        Self::Refused(Refusal {
            code,
            fields: FieldErrors::default(),
            retry_after_ms: None,
        })
    }

    /// A refusal that says when to come back.
    pub fn later(code: ErrorCode, retry_after_ms: i64) -> Self {
        Self::Refused(Refusal {
            code,
            fields: FieldErrors::default(),
            retry_after_ms: Some(retry_after_ms),
        })
    }

    /// A failure of ours.
    pub fn internal(doing: &'static str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal {
            doing,
            cause: cause.into(),
        }
    }

    /// The code, if it is a refusal.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            Self::Store(_) | Self::Internal { .. } => None,
        }
    }
}

impl From<FieldErrors> for Error {
    fn from(fields: FieldErrors) -> Self {
        Self::Refused(Refusal {
            code: ErrorCode::InvalidBody,
            fields,
            retry_after_ms: None,
        })
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::refused(code)
    }
}
