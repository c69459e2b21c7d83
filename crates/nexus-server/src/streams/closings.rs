//! Why a stream ends. What breaks the WebSocket protocol itself is ended below, with 1002, 1007 or 1009.

/// A close code: of RFC 6455 below 4000, our own from there on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Closing {
    /// A binary frame.
    Binary = 1003,
    /// What was asked for can't be read from the database.
    Failed = 1011,
    /// The server restarts.
    Restart = 1012,
    /// Whoever opened it may no longer read.
    AccessEnded = 4004,
    /// Silent for too long.
    Silent = 4408,
    /// It reads too slowly, or so slowly that old events were deleted meanwhile.
    Slow = 4901,
}

impl Closing {
    /// A few words for whoever reads it.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Binary => "Commands are text.",
            Self::Failed => "The events could not be read; come back with since.",
            Self::Restart => "The server restarts; come back with since.",
            Self::AccessEnded => "You may no longer read events.",
            Self::Silent => "Nothing was heard for too long.",
            Self::Slow => "You read too slowly; come back with since.",
        }
    }

    /// For the metrics.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Failed => "failed",
            Self::Restart => "restart",
            Self::AccessEnded => "access_ended",
            Self::Silent => "silent",
            Self::Slow => "slow",
        }
    }
}
