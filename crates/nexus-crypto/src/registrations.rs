//! Registrations: what the log's leaves are made of.

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::hashes::Hash;
use crate::keys::{KeyBytes, PublicKey, Signature};
use crate::logs::LogId;

/// How far ahead of the log's clock a registration's time may be.
pub const FUTURE_S_MAX: i64 = 300;
/// Bytes of an id.
pub const ID_BYTES_MAX: usize = 255;

/// Whole numbers from here on are not the same in every JSON parser.
const TIMESTAMP_S_END: i64 = 1 << 53;

/// An id: 1 to 255 bytes of `[A-Za-z0-9:._@%-]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Id(String);

/// Why something is not a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRegistration {
    /// Empty, too long, or with a character outside of its alphabet.
    #[error("id must be 1 to 255 bytes of letters, digits and : . _ @ % -")]
    Id,
    /// Negative, or too far in the future.
    #[error("timestamp must be an integer from 0 to 300 seconds from now")]
    Timestamp,
}

impl TryFrom<String> for Id {
    type Error = InvalidRegistration;

    fn try_from(raw: String) -> Result<Self, InvalidRegistration> {
        if is_id(&raw) { Ok(Self(raw)) } else { Err(InvalidRegistration::Id) }
    }
}

fn is_id(raw: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b":._@%-".contains(&byte);
    (1..=ID_BYTES_MAX).contains(&raw.len()) && raw.bytes().all(good)
}

impl Id {
    /// # Errors
    /// [`InvalidRegistration::Id`].
    pub fn parse(raw: &str) -> Result<Self, InvalidRegistration> {
        if is_id(raw) {
            Ok(Self(raw.to_owned()))
        } else {
            Err(InvalidRegistration::Id)
        }
    }

    /// As given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An id and the key it had at a time.
///
/// # Shape
/// `{"id", "public_key", "timestamp", "rotation"?: {"old", "new"}}`; seconds since 1970. What is read from a log is checked for its
/// grammar, not against a clock, and its key not against the curve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Who.
    pub id: Id,
    /// The key.
    pub public_key: KeyBytes,
    /// When, in seconds since 1970.
    #[serde(rename = "timestamp", deserialize_with = "timestamp")]
    pub timestamp_s: i64,
    /// That the id's key before agreed; only where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// Both keys agree to a change of key: signatures over [`rotation_message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// By the key that the id leaves.
    pub old: Signature,
    /// By the key that it takes.
    pub new: Signature,
}

/// What both keys sign when an id changes its key. It names the log and the leaf that is left, so that it can be used once only.
///
/// # Shape
/// `"nexus/did-rotate/2" ‖ log id (32 bytes) ‖ the id's current leaf (32) ‖ the new leaf (32)`
pub fn rotation_message(log: &LogId, current_leaf: &Hash, new_leaf: &Hash) -> Vec<u8> {
    [&b"nexus/did-rotate/2"[..], &log.0, &current_leaf.0, &new_leaf.0].concat()
}

impl Registration {
    /// # Errors
    /// [`InvalidRegistration::Timestamp`].
    pub fn new(id: Id, public_key: PublicKey, timestamp_s: i64, now_s: i64) -> Result<Self, InvalidRegistration> {
        if (0..=now_s.saturating_add(FUTURE_S_MAX)).contains(&timestamp_s) {
            Ok(Self {
                id,
                public_key: public_key.bytes(),
                timestamp_s,
                rotation: None,
            })
        } else {
            Err(InvalidRegistration::Timestamp)
        }
    }

    /// Its leaf. A rotation is not part of it.
    ///
    /// # Shape
    /// `SHA-256( id as UTF-8 ‖ public key, 32 raw bytes ‖ timestamp as 8-byte big-endian )`, without a prefix. The last 40 bytes have
    /// a fixed length, so different registrations never have the same bytes.
    pub fn leaf(&self) -> Hash {
        let id = self.id.0.as_bytes();
        let mut bytes = [0; ID_BYTES_MAX + 40];
        let (name, rest) = bytes.split_at_mut(id.len());
        name.copy_from_slice(id);
        rest[..32].copy_from_slice(&self.public_key.0);
        rest[32..40].copy_from_slice(&self.timestamp_s.to_be_bytes());
        Hash::of(&bytes[..id.len() + 40])
    }

    /// May this follow the id's current registration? `before` are the keys that the id had and left, without the current one.
    ///
    /// # Errors
    /// [`BadRotation`], the first fault found.
    pub fn may_follow(&self, current: &Registration, before: &[KeyBytes], log: &LogId) -> Result<(), BadRotation> {
        if self.public_key == current.public_key {
            return Err(BadRotation::SameKey);
        }
        if before.contains(&self.public_key) {
            return Err(BadRotation::KeyReturned);
        }
        let rotation = self.rotation.ok_or(BadRotation::Missing)?;
        if self.timestamp_s <= current.timestamp_s {
            return Err(BadRotation::NotLater);
        }
        let message = rotation_message(log, &current.leaf(), &self.leaf());
        let signed = |key: KeyBytes, signature: &Signature| key.parse().is_ok_and(|key| key.verifies(&message, signature));
        if signed(current.public_key, &rotation.old) && signed(self.public_key, &rotation.new) {
            Ok(())
        } else {
            Err(BadRotation::Invalid)
        }
    }
}

/// Why an id may not change its key so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRotation {
    /// It has that key.
    #[error("the id already has that key")]
    SameKey,
    /// It had that key and left it.
    #[error("the id had that key before, and a key that was left never returns")]
    KeyReturned,
    /// The holder of the current key did not agree.
    #[error("the id has another key, and there is no rotation signed by it")]
    Missing,
    /// The time is not after that of the current leaf.
    #[error("the timestamp is not later than that of the id's current leaf")]
    NotLater,
    /// One of the two signatures is wrong, or over something else, such as another rotation.
    #[error("a signature of the rotation is not good for this log, this leaf and this key")]
    Invalid,
}

fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let seconds = i64::deserialize(deserializer)?;
    if (0..TIMESTAMP_S_END).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(de::Error::custom(InvalidRegistration::Timestamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKey;

    #[test]
    fn ids_have_a_narrow_alphabet() {
        for bad in ["", " ", "a b", "ä", "a\0", "\u{202E}a", "a/b", &"x".repeat(256)] {
            assert_eq!(Id::parse(bad), Err(InvalidRegistration::Id), "{bad:?}");
        }
        assert!(Id::parse(&"x".repeat(255)).is_ok());
        assert_eq!(
            Id::parse("did:nexo:alice@host.example_%20-1").expect("a good one").as_str(),
            "did:nexo:alice@host.example_%20-1"
        );
    }

    #[test]
    fn a_rotation_is_good_once_and_only_here() {
        let (log, old, new) = (LogId([1; 32]), SigningKey::from_seed(&[2; 32]), SigningKey::from_seed(&[3; 32]));
        let at = |key: &SigningKey, time_s: i64| {
            let id = Id::parse("did:nexo:a").expect("a good id");
            Registration::new(id, key.public(), time_s, time_s).expect("a good time")
        };
        let rotate = |from: &Registration, from_key: &SigningKey, to_key: &SigningKey, time_s: i64, log: &LogId| {
            let mut to = at(to_key, time_s);
            let message = rotation_message(log, &from.leaf(), &to.leaf());
            to.rotation = Some(Rotation {
                old: from_key.sign(&message),
                new: to_key.sign(&message),
            });
            to
        };
        let first = at(&old, 100);
        let second = rotate(&first, &old, &new, 101, &log);
        assert_eq!(second.may_follow(&first, &[], &log), Ok(()));
        let mut bare = second.clone();
        bare.rotation = None;
        let mut halved = second.clone();
        halved.rotation.as_mut().expect("it has one").new = old.sign(b"something else");
        let later = at(&old, 150);
        for (what, bad, current, before, why) in [
            ("no rotation", &bare, &first, &[][..], BadRotation::Missing),
            ("the new key did not agree", &halved, &first, &[], BadRotation::Invalid),
            (
                "another log",
                &rotate(&first, &old, &new, 101, &LogId([9; 32])),
                &first,
                &[],
                BadRotation::Invalid,
            ),
            (
                "not later",
                &rotate(&first, &old, &new, 100, &log),
                &first,
                &[],
                BadRotation::NotLater,
            ),
            ("replayed over another leaf", &second, &at(&old, 50), &[], BadRotation::Invalid),
            (
                "a former key",
                &rotate(&second, &new, &old, 102, &log),
                &second,
                &[old.public().bytes()],
                BadRotation::KeyReturned,
            ),
            ("the same key", &later, &first, &[], BadRotation::SameKey),
        ] {
            assert_eq!(bad.may_follow(current, before, &log), Err(why), "{what}");
        }
    }

    #[test]
    fn a_line_of_the_log_has_one_shape() {
        let id = Id::parse("did:nexo:a").expect("a good id");
        let key = SigningKey::from_seed(&[2; 32]).public();
        let good = Registration::new(id, key, 7, 7).expect("a good time");
        let text = serde_json::to_string(&good).expect("it serialises");
        assert!(text.ends_with(r#","timestamp":7}"#), "{text}");
        assert_eq!(serde_json::from_str::<Registration>(&text).expect("and is read"), good);
        for (from, to) in [
            ("did:nexo:a", "a b"),
            (":7}", ":-1}"),
            (":7}", ":7.5}"),
            (":7}", ":9007199254740992}"),
            ("=\"", "\""),
        ] {
            let bad = text.replace(from, to);
            assert!(serde_json::from_str::<Registration>(&bad).is_err(), "{bad}");
        }
    }
}
