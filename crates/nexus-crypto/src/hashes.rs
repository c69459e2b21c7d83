//! SHA-256 hashes, and how two of them become one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// A SHA-256 hash.
///
/// # Shape
/// 32 bytes; in JSON padded standard base64, and no other spelling of it is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The root of a log without leaves. It is never published.
    pub const EMPTY: Hash = Hash([0; 32]);

    /// The hash of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash of an inner node: `SHA-256(left ‖ right)`, without a prefix, as the contract has it.
    pub fn node(left: &Hash, right: &Hash) -> Self {
        Self(Sha256::new().chain_update(left.0).chain_update(right.0).finalize().into())
    }
}

impl Hash {
    /// Appends the base64.
    pub(crate) fn write_to(&self, text: &mut String) {
        STANDARD.encode_string(self.0, text);
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hash({self})")
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        decode(&text)
            .map(Self)
            .ok_or_else(|| de::Error::custom("a hash is 32 bytes in padded standard base64"))
    }
}

/// Reads exactly `N` bytes of canonical, padded standard base64.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Writes padded standard base64.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sloppy_spellings_are_refused() {
        let good = Hash::of(b"").to_string();
        assert_eq!(decode::<32>(&good), Some(Hash::of(b"").0));
        let loose = good.replace("U=", "V="); // the two bits that mean nothing are not zero
        for bad in [
            good.trim_end_matches('='),
            &format!("{good}="),
            &format!(" {good}"),
            &format!("{good}\n"),
            &loose,
            "",
        ] {
            assert_eq!(decode::<32>(bad), None, "{bad}");
        }
    }
}
