//! Identifiers. Every kind has its own type, so that a channel can't be passed where a guild is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A string that is not an id: empty, signed, not decimal, or beyond 2⁶³−1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal id between 1 and 9223372036854775807")]
pub struct InvalidId;

/// Reads the decimal digits of a positive `i64`; no sign, no white space, no leading plus.
fn parse_decimal(text: &str) -> Result<i64, InvalidId> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidId);
    }
    match text.parse::<i64>() {
        Ok(value) if value > 0 => Ok(value),
        _ => Err(InvalidId),
    }
}

/// Accepts a decimal string or a JSON integer, as Discord's routes do.
struct DecimalVisitor;

impl de::Visitor<'_> for DecimalVisitor {
    type Value = i64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a decimal id as a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
        parse_decimal(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<i64, E> {
        i64::try_from(value)
            .ok()
            .filter(|value| *value > 0)
            .ok_or_else(|| E::custom(InvalidId))
    }
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        ///
        /// # Shape
        /// A snowflake, a decimal string in JSON. 0 is never a valid id and means "none" in the log.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_decimal(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(DecimalVisitor).map(Self)
            }
        }
    )*};
}

id! {
    /// One account.
    UserId,
    /// One authenticated browser or app of a user.
    LoginId,
    /// One community.
    GuildId,
    /// One conversation place.
    ChannelId,
    /// One message; ids sort by commit order within a channel.
    MessageId,
    /// One role. The @everyone role has the id of its guild.
    RoleId,
    /// One event of the hub.
    HubEventId,
    /// One outgoing webhook.
    WebhookId,
    /// One run of a reactor for an event. It counts from 1 and is no snowflake.
    JobId,
}

impl GuildId {
    /// The role that every member of this guild has.
    pub fn everyone(self) -> RoleId {
        RoleId(self.0)
    }
}

/// A position in the event log: 1 is the first entry, 0 is "before everything".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub i64);

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_positive_decimals_are_ids() {
        for bad in [
            "",
            "-1",
            "+1",
            "0",
            "1e3",
            " 1",
            "0x1",
            "9223372036854775808",
            "18446744073709551616",
            "١",
        ] {
            assert_eq!(bad.parse::<UserId>(), Err(InvalidId), "{bad}");
        }
        assert_eq!("9223372036854775807".parse::<UserId>(), Ok(UserId(i64::MAX)));
    }

    #[test]
    fn ids_travel_as_strings_and_are_read_from_both() {
        assert_eq!(serde_json::to_string(&ChannelId(7)).expect("an id serialises"), "\"7\"");
        assert_eq!(serde_json::from_str::<ChannelId>("\"7\"").expect("a string id"), ChannelId(7));
        assert_eq!(serde_json::from_str::<ChannelId>("7").expect("an integer id"), ChannelId(7));
        assert!(serde_json::from_str::<ChannelId>("-7").is_err());
        assert!(serde_json::from_str::<ChannelId>("7.0").is_err());
    }
}
