//! Ed25519 keys and signatures, read strictly.
//!
//! # Source
//! RFC 8032; keys of small order are refused, and signatures are verified without cofactor (`verify_strict`), so that every verifier
//! agrees about every signature.

use ed25519_dalek::{Signature as DalekSignature, Signer as _, SigningKey as DalekSigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use zeroize::Zeroizing;

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
        // A point has one spelling: RFC 8032, section 5.1.3, refuses a y that is not below the prime.
        let canonical = key.to_edwards().compress().as_bytes() == bytes;
        if canonical && !key.is_weak() {
            Ok(Self(key))
        } else {
            Err(InvalidKey)
        }
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

    /// The raw bytes as they stand in the log.
    pub fn bytes(&self) -> KeyBytes {
        KeyBytes(*self.as_bytes())
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

/// A public key as it stands in the log: 32 bytes that were checked when they were registered, and are only checked again where
/// something is verified with them. An audit of a million leaves has no need to decompress a million points.
///
/// # Shape
/// 32 bytes; in JSON padded standard base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyBytes(pub [u8; 32]);

impl KeyBytes {
    /// # Errors
    /// [`InvalidKey`].
    pub fn parse(&self) -> Result<PublicKey, InvalidKey> {
        PublicKey::from_bytes(&self.0)
    }
}

impl Serialize for KeyBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for KeyBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        decode(&text).map(Self).ok_or_else(|| de::Error::custom(InvalidKey))
    }
}

/// A key that signs. It never shows itself, and is overwritten when it is dropped.
pub struct SigningKey(DalekSigningKey);

/// A secret that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Another length, or base64 that is not canonical.
    #[error("it is neither 32 bytes of seed nor 64 bytes of seed and public key, in padded standard base64")]
    Shape,
    /// The second half is not the public key of the first.
    #[error("its public half does not belong to its seed")]
    Halves,
    /// All bytes are the same: a sample, not a secret.
    #[error("it is not random")]
    NotRandom,
}

impl SigningKey {
    /// The key of a seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(DalekSigningKey::from_bytes(seed))
    }

    /// Reads base64 of a 32-byte seed, or of 64 bytes: seed ‖ public key.
    ///
    /// # Errors
    /// [`BadSecret`].
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let seed = if let Some(whole) = decode::<64>(text).map(Zeroizing::new) {
            let (seed, public) = whole.split_first_chunk::<32>().expect("64 bytes begin with 32");
            if Self::from_seed(seed).public().as_bytes() != public {
                return Err(BadSecret::Halves);
            }
            Zeroizing::new(*seed)
        } else {
            decode::<32>(text).map(Zeroizing::new).ok_or(BadSecret::Shape)?
        };
        if seed.iter().all(|byte| *byte == seed[0]) {
            return Err(BadSecret::NotRandom);
        }
        Ok(Self::from_seed(&seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }

    /// The seed, for the file that keeps it.
    pub fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningKey(…)")
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
        // The point with y = 3, and the same with y = p + 3.
        let (mut three, mut again) = ([0; 32], [0xff; 32]);
        (three[0], again[0], again[31]) = (3, 0xf0, 0x7f);
        assert!(PublicKey::from_bytes(&three).is_ok());
        for bad in [[0; 32], identity, no_point, again] {
            assert_eq!(PublicKey::from_bytes(&bad), Err(InvalidKey), "{bad:?}");
        }
        for bad in ["", "AAAA", &encode(&[9; 31]), &encode(&[9; 33])] {
            assert_eq!(PublicKey::parse(bad), Err(InvalidKey), "{bad}");
        }
    }

    #[test]
    fn a_secret_has_two_spellings_and_no_sample() {
        let key = SigningKey::from_seed(&[7; 32]);
        let mut seed = [7; 32];
        seed[0] = 1;
        let real = SigningKey::from_seed(&seed);
        let whole = [&seed[..], real.public().as_bytes()].concat();
        for good in [encode(&seed), encode(&whole)] {
            assert_eq!(SigningKey::parse(&good).expect("a good secret").public(), real.public());
        }
        let halves = [&seed[..], key.public().as_bytes()].concat();
        for (bad, why) in [
            (encode(&halves), BadSecret::Halves),
            (encode(&[7; 32]), BadSecret::NotRandom),
            (encode(&[9; 33]), BadSecret::Shape),
            (encode(&seed).trim_end_matches('=').to_owned(), BadSecret::Shape),
            (String::new(), BadSecret::Shape),
        ] {
            assert_eq!(SigningKey::parse(&bad).err(), Some(why), "{bad}");
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", SigningKey::from_seed(&[7; 32])), "SigningKey(…)");
    }
}
