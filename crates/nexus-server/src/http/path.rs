//! Ids and codes in paths, and what stands behind the question mark.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use nexus_types::ErrorCode;
use nexus_types::ids::{ChannelId, GuildId, HubEventId, JobId, LoginId, MessageId, UserId, WebhookId};

use super::error::ApiError;

/// The variable segments of a path, in order.
///
/// # Errors
/// 400 `invalid_id` for a segment that is no id.
#[derive(Debug)]
pub(super) struct Path<T>(pub T);

/// One segment.
pub(super) trait Segment: Sized {
    /// The code to refuse it with if it is no text at all.
    const UNREADABLE: ErrorCode = ErrorCode::InvalidId;

    /// # Errors
    /// The code to refuse it with.
    fn read(text: &str) -> Result<Self, ErrorCode>;
}

macro_rules! ids {
    ($($name:ident),*) => {$(
        impl Segment for $name {
            fn read(text: &str) -> Result<Self, ErrorCode> {
                text.parse().map_err(|_| ErrorCode::InvalidId)
            }
        }
    )*};
}
ids!(UserId, LoginId, GuildId, ChannelId, MessageId, HubEventId, JobId, WebhookId);

/// The longest text that a path segment is read as.
const TEXT_BYTES_MAX: usize = 64;

impl Segment for String {
    fn read(text: &str) -> Result<Self, ErrorCode> {
        if text.len() <= TEXT_BYTES_MAX {
            Ok(text.to_owned())
        } else {
            Err(ErrorCode::NotFound)
        }
    }
}

/// All segments of a route.
pub(super) trait Segments: Sized {
    /// The code to refuse them with if they are no text at all.
    const UNREADABLE: ErrorCode = ErrorCode::InvalidId;

    /// # Errors
    /// The code to refuse them with.
    fn read<'a>(segments: impl Iterator<Item = &'a str>) -> Result<Self, ErrorCode>;
}

fn next<'a, T: Segment>(segments: &mut impl Iterator<Item = &'a str>) -> Result<T, ErrorCode> {
    T::read(segments.next().unwrap_or_default())
}

impl<T: Segment> Segments for T {
    const UNREADABLE: ErrorCode = T::UNREADABLE;

    fn read<'a>(mut segments: impl Iterator<Item = &'a str>) -> Result<Self, ErrorCode> {
        next(&mut segments)
    }
}

impl<A: Segment, B: Segment> Segments for (A, B) {
    fn read<'a>(mut segments: impl Iterator<Item = &'a str>) -> Result<Self, ErrorCode> {
        Ok((next(&mut segments)?, next(&mut segments)?))
    }
}

impl<T: Segments, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = RawPathParams::from_request_parts(parts, state).await.map_err(|_| T::UNREADABLE)?;
        Ok(Self(T::read(segments.iter().map(|(_, segment)| segment))?))
    }
}

/// The query of a request. Only what is asked for as a text is decoded; everything else is a number.
#[derive(Debug)]
pub(super) struct Query(String);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.uri.query().unwrap_or_default().to_owned()))
    }
}

impl Query {
    fn value(&self, name: &str) -> Result<Option<&str>, ErrorCode> {
        let mut all = self
            .0
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(key, _)| *key == name);
        match (all.next(), all.next()) {
            (first, None) => Ok(first.map(|(_, value)| value)),
            _ => Err(ErrorCode::InvalidQuery),
        }
    }

    /// An id, if it is there.
    ///
    /// # Errors
    /// `InvalidId`; `InvalidQuery` if it is there twice.
    pub(super) fn id<T: Segment>(&self, name: &str) -> Result<Option<T>, ErrorCode> {
        self.value(name)?.map(T::read).transpose()
    }

    /// A place among ids, if it is there; 0, as Discord's libraries send it, is the beginning.
    ///
    /// # Errors
    /// As [`Query::id`].
    pub(super) fn position<T: Segment + Default>(&self, name: &str) -> Result<Option<T>, ErrorCode> {
        if self.value(name)? == Some("0") {
            Ok(Some(T::default()))
        } else {
            self.id(name)
        }
    }

    /// `limit`, if it is there.
    ///
    /// # Errors
    /// `InvalidLimit` outside of 1 to `max`.
    pub(super) fn limit(&self, default: i64, max: i64) -> Result<i64, ErrorCode> {
        let Some(text) = self.value("limit")? else { return Ok(default) };
        let limit = whole(text).filter(|limit| (1..=max).contains(limit));
        limit.ok_or(ErrorCode::InvalidLimit)
    }

    /// A number from 0 on, if it is there.
    ///
    /// # Errors
    /// `InvalidQuery` if it is no such number, or there twice.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ErrorCode> {
        let Some(text) = self.value(name)? else { return Ok(None) };
        let number = whole(text).map(i64::cast_unsigned);
        number.map(Some).ok_or(ErrorCode::InvalidQuery)
    }

    /// A number from 0 on, which must be there.
    ///
    /// # Errors
    /// As [`Query::number`].
    pub(super) fn required(&self, name: &str) -> Result<u64, ErrorCode> {
        self.number(name)?.ok_or(ErrorCode::InvalidQuery)
    }

    /// A text, if it is there, decoded.
    ///
    /// # Errors
    /// `InvalidQuery` if it is too long, no text, or there twice.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ErrorCode> {
        let Some(text) = self.value(name)? else { return Ok(None) };
        decoded(text).map(Some).ok_or(ErrorCode::InvalidQuery)
    }

    /// Is it there as `true`?
    ///
    /// # Errors
    /// `InvalidQuery` for anything but `true` and `false`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ErrorCode> {
        match self.value(name)? {
            Some("true") => Ok(true),
            None | Some("false") => Ok(false),
            Some(_) => Err(ErrorCode::InvalidQuery),
        }
    }
}

/// The longest text in a query: as many types as a list may have.
const QUERY_TEXT_BYTES_MAX: usize = 4_096;

/// A text without percent signs and pluses, as a form writes it.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, after) = match first {
            b'%' => {
                let digits = tail.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
                (u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?, &tail[2..])
            }
            b'+' => (b' ', tail),
            byte => (byte, tail),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok().filter(|text| text.len() <= QUERY_TEXT_BYTES_MAX)
}

/// Digits alone, up to what a database holds.
fn whole(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_alone() {
        let number = |query: &str| Query(query.to_owned()).number("first");
        assert_eq!(
            (number("x=1"), number("first=0"), number("first=007")),
            (Ok(None), Ok(Some(0)), Ok(Some(7)))
        );
        for bad in [
            "first=",
            "first=-1",
            "first=+1",
            "first=1.0",
            "first=9223372036854775808",
            "first=1&first=1",
        ] {
            assert_eq!(number(bad), Err(ErrorCode::InvalidQuery), "{bad}");
        }
        assert_eq!(Query(String::new()).required("first"), Err(ErrorCode::InvalidQuery));
    }

    #[test]
    fn a_limit_is_a_number_in_its_range() {
        let limit = |query: &str| Query(query.to_owned()).limit(50, 100);
        assert_eq!((limit(""), limit("limit=1&x=2"), limit("limit=100")), (Ok(50), Ok(1), Ok(100)));
        for bad in [
            "limit=0",
            "limit=101",
            "limit=1000000000",
            "limit=-1",
            "limit=%2B5",
            "limit=",
            "limit=5.0",
            "limit=99999999999999999999",
        ] {
            assert_eq!(limit(bad), Err(ErrorCode::InvalidLimit), "{bad}");
        }
        assert_eq!(limit("limit=1&limit=2"), Err(ErrorCode::InvalidQuery));
    }

    #[test]
    fn a_text_is_decoded() {
        let text = |query: &str| Query(query.to_owned()).text("event");
        for (query, expected) in [
            ("", None),
            ("event=", Some("")),
            ("event=FLOWPAY%3A%2A,MIO:*", Some("FLOWPAY:*,MIO:*")),
            ("event=a+%C3%BC", Some("a ü")),
        ] {
            assert_eq!(text(query), Ok(expected.map(str::to_owned)), "{query}");
        }
        for bad in ["event=%", "event=%4", "event=%+1", "event=%FF", "event=a&event=b"] {
            assert_eq!(text(bad), Err(ErrorCode::InvalidQuery), "{bad}");
        }
    }

    #[test]
    fn ids_are_decimal() {
        assert_eq!(
            <(ChannelId, MessageId) as Segments>::read(["1", "2"].into_iter()),
            Ok((ChannelId(1), MessageId(2)))
        );
        for bad in ["-1", "1e3", "18446744073709551616", "x", ""] {
            assert_eq!(<ChannelId as Segments>::read([bad].into_iter()), Err(ErrorCode::InvalidId), "{bad}");
        }
        assert_eq!(Query("before=7".into()).id::<MessageId>("before"), Ok(Some(MessageId(7))));
    }
}
