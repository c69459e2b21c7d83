//! How somebody shows that an id is theirs.
//!
//! # Source
//! The contract of the relay: a registered DID signs `"nexus/relay/1" ‖ host ‖ session id ‖ nonce`, an id of the form
//! `h-<hex sha256(secret)>` shows its secret.

use std::sync::Arc;

use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::PublicKey;

use super::frames::Shown;

/// What an id asks for.
pub(super) enum Proof {
    /// A signature of this key.
    Key(PublicKey),
    /// The secret of this hash.
    Secret(Hash),
}

/// A proof that is waited for. Whatever is shown, it is spent.
pub(super) struct Challenge {
    pub(super) id: Arc<str>,
    pub(super) proof: Proof,
    pub(super) nonce: [u8; 32],
    pub(super) issued_ms: i64,
}

impl Challenge {
    /// Does this prove the id to us? `host` is the name under which the client knows us.
    pub(super) fn accepts(&self, host: &str, shown: &Shown) -> bool {
        match (&self.proof, shown) {
            (Proof::Key(key), Shown::Signature(signature)) => key.verifies(&message(host, &self.id, &self.nonce), signature),
            (Proof::Secret(hash), Shown::Secret(secret)) => Hash::of(secret) == *hash,
            _ => false,
        }
    }
}

/// What is signed: the nonce as its 32 bytes, the host in lower case.
fn message(host: &str, id: &str, nonce: &[u8; 32]) -> Vec<u8> {
    [b"nexus/relay/1", host.as_bytes(), id.as_bytes(), nonce].concat()
}

/// The hash in an id of the form `h-<hex sha256(secret)>`, in digits of either case.
pub(super) fn hash_in(id: &str) -> Option<Hash> {
    let digits = id.strip_prefix("h-").filter(|digits| digits.len() == 64)?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(Hash(bytes))
}

#[cfg(test)]
mod tests {
    use nexus_crypto::keys::SigningKey;

    use super::*;

    #[test]
    fn a_signature_is_for_one_host_one_id_and_one_nonce() {
        let key = SigningKey::from_seed(&[7; 32]);
        let challenge = Challenge {
            id: "did:a".into(),
            proof: Proof::Key(key.public()),
            nonce: [9; 32],
            issued_ms: 0,
        };
        let sign = |host: &str, id: &str, nonce: [u8; 32]| Shown::Signature(Box::new(key.sign(&message(host, id, &nonce))));
        assert!(challenge.accepts("relay.example:8000", &sign("relay.example:8000", "did:a", [9; 32])));
        for (what, shown) in [
            ("another host", sign("other.example", "did:a", [9; 32])),
            ("another id", sign("relay.example:8000", "did:b", [9; 32])),
            ("another nonce", sign("relay.example:8000", "did:a", [8; 32])),
            ("a secret", Shown::Secret(vec![9; 32])),
        ] {
            assert!(!challenge.accepts("relay.example:8000", &shown), "{what}");
        }
    }

    #[test]
    fn only_64_digits_name_a_secret() {
        let hash = Hash::of(b"secret");
        let hex: String = hash.0.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(hash_in(&format!("h-{hex}")), Some(hash));
        assert_eq!(hash_in(&format!("h-{}", hex.to_uppercase())), Some(hash));
        for id in [
            &hex[..],
            "h-",
            &format!("h-{}", &hex[1..]),
            &format!("h-{hex}0"),
            &format!("h-{}g", &hex[1..]),
        ] {
            assert_eq!(hash_in(id), None, "{id}");
        }
    }
}
