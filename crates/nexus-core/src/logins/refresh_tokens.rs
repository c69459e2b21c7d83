//! Refresh tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::keys::Keys;

const FAMILY_BYTES: usize = 16;
const TOKEN_BYTES: usize = FAMILY_BYTES + 32;
const TOKEN_CHARS: usize = TOKEN_BYTES / 3 * 4;

/// A refresh token. It never shows itself, and only hashes of it are stored.
///
/// # Shape
/// URL-safe base64 of 16 random bytes that all tokens of a login share, and 32 of its own. The shared ones prove that whoever
/// shows an old token once held one of this login, however often it was exchanged since.
pub(crate) struct RefreshToken(Zeroizing<[u8; TOKEN_BYTES]>);

impl RefreshToken {
    /// The first token of a new login.
    pub(crate) fn first(clock: &Clock) -> Self {
        Self(Zeroizing::new(clock.random()))
    }

    /// Reads what a client sent.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() != TOKEN_CHARS {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// What the client gets.
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.as_slice())
    }

    /// The token after this one. It is always the same, so that a client which lost the answer may ask again, and nothing secret
    /// needs to be stored for that.
    pub(crate) fn successor(&self, keys: &Keys) -> Self {
        let mut next = self.0.clone();
        next[FAMILY_BYTES..].copy_from_slice(&keys.successor(self.0.as_slice()));
        Self(next)
    }

    /// By this the login is found.
    pub(crate) fn family_hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0[..FAMILY_BYTES]).into()
    }

    /// By this the token is known.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_slice()).into()
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RefreshToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_successor_of_its_family() {
        let (keys, clock) = (Keys::generate(), Clock::fixed(1));
        let token = RefreshToken::first(&clock);
        let next = token.successor(&keys);
        assert_eq!(next.text(), token.successor(&keys).text());
        assert_eq!(next.family_hash(), token.family_hash());
        assert_ne!(next.hash(), token.hash());
        assert_ne!(
            token.successor(&Keys::generate()).hash(),
            next.hash(),
            "another instance has another"
        );
        assert_ne!(RefreshToken::first(&clock).family_hash(), token.family_hash());
    }

    #[test]
    fn a_token_survives_its_text_and_nothing_else_parses() {
        let token = RefreshToken::first(&Clock::fixed(1));
        let text = token.text();
        assert_eq!(RefreshToken::parse(&text).expect("it is one").hash(), token.hash());
        for bad in ["", "x", &text[1..], &format!("{text}A"), &"!".repeat(64), &"é".repeat(32)] {
            assert!(RefreshToken::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{token:?}"), "RefreshToken(…)");
    }
}
