//! What the delivery log must not keep: the values of the environment that a rule uses, but for plain web addresses and ids, and headers
//! that prove who asks.

use std::fmt::Write as _;

use super::functions::percent_encode;
use super::paths::quote;

/// What stands for what was taken out.
pub(super) const DOTS: &str = "•••";
/// Shorter values than this are everywhere by chance, and no secrets.
const SECRET_BYTES_MIN: usize = 8;
/// Headers whose values are never kept.
const HEADERS: &[&str] = &["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"];

/// The texts that are taken out, longest first.
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Each value as it is, trimmed, percent-encoded, and as JSON writes it in each of its ways.
    pub(super) fn new<'v>(values: impl Iterator<Item = &'v str>) -> Self {
        let mut all = vec![];
        for value in values.flat_map(|value| [value, value.trim()]) {
            if value.len() < SECRET_BYTES_MIN || is_open(value) {
                continue;
            }
            let json = quote(value);
            let json = &json[1..json.len() - 1];
            all.extend([
                value.to_owned(),
                percent_encode(value),
                percent_encode(value).replace("%20", "+"),
                json.to_owned(),
                json.replace('/', "\\/"),
                ascii_json(json),
            ]);
        }
        all.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        all.dedup();
        Self(all)
    }

    /// The text without them, whether their letters are large or small.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = without(&text, secret);
        }
        text
    }

    /// Headers without them.
    pub(super) fn redact_headers(&self, headers: &[(String, String)]) -> Vec<(String, String)> {
        let one = |(name, value): &(String, String)| {
            let is_proof = HEADERS.iter().any(|known| name.eq_ignore_ascii_case(known));
            let value = if is_proof { DOTS.to_owned() } else { self.redact(value) };
            (name.clone(), value)
        };
        headers.iter().map(one).collect()
    }
}

/// Is this no secret, and worth reading in the log: a plain web address, or an id?
fn is_open(value: &str) -> bool {
    let is_id = value.bytes().all(|byte| byte.is_ascii_digit());
    let address = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    is_id || address.is_some_and(|rest| !rest.contains(['@', '?', '#']))
}

fn without(text: &str, secret: &str) -> String {
    let (bytes, wanted) = (text.as_bytes(), secret.as_bytes());
    let mut kept = String::with_capacity(text.len());
    let (mut from, mut at) = (0, 0);
    while at + wanted.len() <= bytes.len() {
        if bytes[at..at + wanted.len()].eq_ignore_ascii_case(wanted) {
            // Both ends are ends of characters, as the same bytes begin and end the secret.
            kept.push_str(&text[from..at]);
            kept.push_str(DOTS);
            at += wanted.len();
            from = at;
        } else {
            at += 1;
        }
    }
    kept.push_str(&text[from..]);
    kept
}

/// JSON text with every character beyond ASCII as `\uXXXX`, as some servers answer.
fn ascii_json(json: &str) -> String {
    let mut out = String::new();
    for character in json.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("a string takes everything");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_dress() {
        let value = "pass/word \"ü\" 42";
        let secrets = Secrets::new([value, "short", "  padded-secret\n"].into_iter());
        let json = serde_json::to_string(value).expect("JSON");
        for text in [
            value.to_owned(),
            json.trim_matches('"').to_owned(),
            json.replace('/', "\\/"),
            json.replace('ü', "\\u00fc"),
            json.replace('ü', "\\u00FC"),
            percent_encode(value),
            percent_encode(value).to_lowercase(),
            percent_encode(value).replace("%20", "+"),
            value.to_uppercase().replace('Ü', "ü"),
            format!("é{value}é{value}"),
            "padded-secret".to_owned(),
        ] {
            let redacted = secrets.redact(&format!("before {text} after"));
            assert!(
                redacted.contains(DOTS) && !redacted.contains("word") && !redacted.contains("padded"),
                "{text}: {redacted}"
            );
            assert!(redacted.starts_with("before ") && redacted.ends_with(" after"), "{redacted}");
        }
        assert_eq!(secrets.redact("short texts stay"), "short texts stay");
    }

    #[test]
    fn of_two_values_of_which_one_holds_the_other_nothing_is_left() {
        let secrets = Secrets::new(["http://me@factory", "http://me@factory/secret-path"].into_iter());
        assert_eq!(secrets.redact("http://me@factory/secret-path/api"), "•••/api");
        assert_eq!(secrets.redact("http://me@factory/api"), "•••/api");
    }

    #[test]
    fn plain_addresses_and_ids_are_no_secrets() {
        let open = ["https://factory.example:9000/base", "1573368381531226112"];
        let secrets = Secrets::new(
            open.into_iter()
                .chain(["https://factory.example/?key=0123456789", "a secret of words"]),
        );
        for text in open {
            assert_eq!(secrets.redact(text), text);
        }
        assert_eq!(secrets.redact("https://factory.example/?key=0123456789"), DOTS);
        assert_eq!(secrets.redact("a secret of words"), DOTS);
    }

    #[test]
    fn headers_that_prove_who_asks_are_never_kept() {
        let secrets = Secrets::default();
        let headers = ["Authorization", "COOKIE", "x-api-key", "X-Other"].map(|name| (name.to_owned(), "abc".to_owned()));
        let kept: Vec<_> = secrets.redact_headers(&headers).into_iter().map(|(_, value)| value).collect();
        assert_eq!(kept, [DOTS, DOTS, DOTS, "abc"]);
    }
}
