//! Registrations: what the log's leaves are made of.

use crate::hashes::Hash;
use crate::keys::PublicKey;

/// How far ahead of the log's clock a registration's time may be.
pub const FUTURE_S_MAX: i64 = 300;
/// Bytes of an id.
pub const ID_BYTES_MAX: usize = 255;

/// An id: 1 to 255 bytes of `[A-Za-z0-9:._@%-]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

impl Id {
    /// # Errors
    /// [`InvalidRegistration::Id`].
    pub fn parse(raw: &str) -> Result<Self, InvalidRegistration> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b":._@%-".contains(&byte);
        if (1..=ID_BYTES_MAX).contains(&raw.len()) && raw.bytes().all(good) {
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Who.
    pub id: Id,
    /// The key.
    pub public_key: PublicKey,
    /// When, in seconds since 1970.
    pub timestamp_s: i64,
}

impl Registration {
    /// # Errors
    /// [`InvalidRegistration::Timestamp`].
    pub fn new(id: Id, public_key: PublicKey, timestamp_s: i64, now_s: i64) -> Result<Self, InvalidRegistration> {
        if (0..=now_s.saturating_add(FUTURE_S_MAX)).contains(&timestamp_s) {
            Ok(Self {
                id,
                public_key,
                timestamp_s,
            })
        } else {
            Err(InvalidRegistration::Timestamp)
        }
    }

    /// Its leaf.
    ///
    /// # Shape
    /// `SHA-256( id as UTF-8 ‖ public key, 32 raw bytes ‖ timestamp as 8-byte big-endian )`, without a prefix. The last 40 bytes have
    /// a fixed length, so different registrations never have the same bytes.
    pub fn leaf(&self) -> Hash {
        let mut bytes = Vec::with_capacity(self.id.0.len() + 40);
        bytes.extend_from_slice(self.id.0.as_bytes());
        bytes.extend_from_slice(self.public_key.as_bytes());
        bytes.extend_from_slice(&self.timestamp_s.to_be_bytes());
        Hash::of(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
