//! Names and passwords, parsed once and carried as proof.

use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

use crate::errors::FieldErrors;
use crate::limits::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, USERNAME_CHARS_MAX, USERNAME_CHARS_MIN};

/// A user name: 2 to 32 of `[A-Za-z0-9._-]`, shown as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// # Errors
    /// A field error at `username`.
    pub fn parse(raw: &str) -> Result<Self, FieldErrors> {
        let length = raw.chars().count();
        if !(USERNAME_CHARS_MIN..=USERNAME_CHARS_MAX).contains(&length) {
            return Err(FieldErrors::one(
                "username",
                "BASE_TYPE_BAD_LENGTH",
                format!("Must be between {USERNAME_CHARS_MIN} and {USERNAME_CHARS_MAX} in length."),
            ));
        }
        if !raw.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return Err(FieldErrors::one(
                "username",
                "USERNAME_INVALID",
                "Use letters, digits, dot, dash and underscore.",
            ));
        }
        Ok(Self(raw.to_owned()))
    }

    /// As typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What must be unique: see [`fold`].
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

/// Maps names that people could take for one another to the same text: NFKC, lower case, then the confusables skeleton.
///
/// # Source
/// UTS #39, section 4 (confusable detection).
pub fn fold(name: &str) -> String {
    let plain: String = name.nfkc().flat_map(char::to_lowercase).collect();
    skeleton(&plain).flat_map(char::to_lowercase).collect()
}

/// A password of 8 to 128 characters. It never shows itself in a log.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// # Errors
    /// A field error at `field`.
    pub fn parse(field: &str, raw: &str) -> Result<Self, FieldErrors> {
        // A megabyte is refused by its length in bytes, before anything walks over it.
        if raw.len() > PASSWORD_CHARS_MAX * 4 || !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&raw.chars().count()) {
            return Err(FieldErrors::one(
                field,
                "BASE_TYPE_BAD_LENGTH",
                format!("Must be between {PASSWORD_CHARS_MIN} and {PASSWORD_CHARS_MAX} in length."),
            ));
        }
        Ok(Self(raw.to_owned()))
    }

    /// For hashing only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// Free text of one line for display: NFC, trimmed, 1 to `chars_max` characters, no control characters and none that reorder text.
///
/// # Errors
/// A field error at `field`.
pub fn parse_title(field: &str, raw: &str, chars_max: usize) -> Result<String, FieldErrors> {
    let text: String = raw.trim().nfc().collect();
    if text.is_empty() || text.chars().count() > chars_max {
        return Err(FieldErrors::one(
            field,
            "BASE_TYPE_BAD_LENGTH",
            format!("Must be between 1 and {chars_max} in length."),
        ));
    }
    if text.chars().any(|c| c.is_control() || is_bidi_control(c)) {
        return Err(FieldErrors::one(
            field,
            "BASE_TYPE_BAD_CHARACTER",
            "Must not contain control characters.",
        ));
    }
    Ok(text)
}

/// The characters that reorder the text around them.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_fold_together() {
        for (one, other) in [("Alice", "alice"), ("paul", "pau1"), ("bob0", "bobo")] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert_ne!(fold("alice"), fold("alicia"));
        assert_ne!(fold("user1"), fold("user2"));
    }

    #[test]
    fn names_have_a_narrow_alphabet() {
        for bad in ["a", "", "white space", "näme", "a/b", "@you", &"x".repeat(33)] {
            assert!(Username::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Username::parse("A.b-c_9").expect("a good name").as_str(), "A.b-c_9");
    }

    #[test]
    fn titles_are_trimmed_and_never_reorder() {
        assert_eq!(parse_title("name", "  Salt  marsh ", 100).expect("fine"), "Salt  marsh");
        for bad in ["", "   ", "a\0b", "a\u{202E}b", "a\nb", &"x".repeat(101)] {
            assert!(parse_title("name", bad, 100).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_hides_itself() {
        let password = Password::parse("password", "correct horse").expect("long enough");
        assert_eq!(format!("{password:?}"), "Password(…)");
        assert!(Password::parse("password", &"x".repeat(1 << 20)).is_err());
    }
}
