//! Ed25519 public keys and signatures, read strictly.
//!
//! # Source
//! RFC 8032; keys of small order are refused, and signatures are verified without cofactor (`verify_strict`), so that every verifier
//! agrees about every signature.

use ed25519_dalek::{Signature as DalekSignature, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hashes::{decode, encode};

/// A key that may sign.
///
/// # Shape
/// 32 bytes, a point of the curve and not one of small order; in JSON padded standard base64.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKey(VerifyingKey);

/// A public key of another length, that is no point of the curve, or that is of small order; or base64 that is not canonical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key of 32 bytes in padded standard base64")]
pub struct InvalidKey;

impl PublicKey {
    /// # Errors
    /// [`InvalidKey`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| InvalidKey)?;
        if key.is_weak() { Err(InvalidKey) } else { Ok(Self(key)) }
    }

    /// # Errors
    /// [`InvalidKey`].
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        Self::from_bytes(&decode(text).ok_or(InvalidKey)?)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Did the holder of this key sign these bytes?
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        self.0.verify_strict(message, &DalekSignature::from_bytes(&signature.0)).is_ok()
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(self.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// An Ed25519 signature; whether it is a good one depends on key and message.
///
/// # Shape
/// 64 bytes; in JSON padded standard base64.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signature(pub [u8; 64]);

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        decode(&text)
            .map(Self)
            .ok_or_else(|| de::Error::custom("a signature is 64 bytes in padded standard base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_and_misshapen_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut no_point = [0; 32];
        no_point[0] = 2;
        for bad in [[0; 32], identity, no_point] {
            assert_eq!(PublicKey::from_bytes(&bad), Err(InvalidKey), "{bad:?}");
        }
        for bad in ["", "AAAA", &encode(&[9; 31]), &encode(&[9; 33])] {
            assert_eq!(PublicKey::parse(bad), Err(InvalidKey), "{bad}");
        }
    }
}
