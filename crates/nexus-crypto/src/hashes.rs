//! SHA-256 hashes, and how two of them become one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

/// SHA-256's initial value (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// What follows a message of 64 bytes: a one, zeros, and its 512 bits as a number (FIPS 180-4, section 5.1.1).
const PADDING: [u8; 64] = {
    let mut block = [0; 64];
    (block[0], block[62]) = (0x80, 0x02);
    block
};

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
    ///
    /// Two hashes fill one block, and the padding after them is always the same second one, so both go to the compression function at
    /// once: an audit does this ten million times, and takes a quarter less for it.
    pub fn node(left: &Hash, right: &Hash) -> Self {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&left.0);
        block[32..].copy_from_slice(&right.0);
        let mut state = INITIAL;
        compress256(&mut state, &[block, PADDING]);
        let mut hash = [0; 32];
        for (bytes, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        Self(hash)
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
    fn a_node_is_the_hash_of_both_sides() {
        for number in 0..1_000u32 {
            let (left, right) = (Hash::of(&number.to_le_bytes()), Hash::of(&number.to_be_bytes()));
            assert_eq!(Hash::node(&left, &right), Hash::of(&[left.0, right.0].concat()));
        }
    }

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
