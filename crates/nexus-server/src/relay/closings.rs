//! Why the relay ends a session. What breaks the WebSocket protocol itself is ended below, with 1002.

/// A close code: of RFC 6455 below 4000, our own from there on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// A binary frame.
    Binary = 1003,
    /// Not UTF-8.
    Encoding = 1007,
    /// A frame over the limit.
    TooBig = 1009,
    /// The server restarts.
    Restart = 1012,
    /// The key log does not answer, or there is no room.
    TryLater = 1013,
    /// Too many frames that could not be taken.
    Faults = 4400,
    /// The proof was none.
    Unproven = 4401,
    /// Silent for too long, or no proof in time.
    Silent = 4408,
    /// Another session has the id, which can't be proven.
    Occupied = 4409,
    /// Another session has proven the id.
    TakenOver = 4410,
    /// It reads too slowly.
    Slow = 4901,
}

impl Closing {
    /// A few words for whoever reads it.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Binary => "Frames are text.",
            Self::Encoding => "Text is UTF-8.",
            Self::TooBig => "Message too big.",
            Self::Restart => "The server restarts.",
            Self::TryLater => "There is no room, or no answer from the key log; try again later.",
            Self::Faults => "Too many invalid frames.",
            Self::Unproven => "The proof of the id is not good.",
            Self::Silent => "Nothing was heard for too long.",
            Self::Occupied => "Another session has this id.",
            Self::TakenOver => "Another session has proven this id.",
            Self::Slow => "You read too slowly.",
        }
    }
}
