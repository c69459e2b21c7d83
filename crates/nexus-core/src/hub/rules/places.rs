//! Where something stands in a file: line and column, also of a place inside a quoted text.

use std::ops::Range;

use super::RuleError;
use super::tokens::Fault;

/// Wrong places that are told of one file.
pub(super) const ERRORS_PER_FILE_MAX: usize = 20;

/// A key in a file, for errors that an event brings to light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Such as `http.url`.
    pub(super) key: String,
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
}

/// A file that is being read, and what is wrong with it so far.
pub(super) struct Document<'s> {
    file: String,
    source: &'s str,
    errors: Vec<RuleError>,
}

impl<'s> Document<'s> {
    /// The whole text.
    pub(super) fn source(&self) -> &'s str {
        self.source
    }

    pub(super) fn new(file: String, source: &'s str) -> Self {
        Self {
            file,
            source,
            errors: vec![],
        }
    }

    /// Refuses what stands at this byte.
    pub(super) fn refuse(&mut self, at: usize, reason: impl Into<String>, hint: Option<String>) {
        let (line, column) = self.position(at);
        self.errors.push(RuleError {
            file: self.file.clone(),
            line,
            column,
            reason: reason.into(),
            hint,
        });
    }

    /// Refuses what stands at this place.
    pub(super) fn refuse_place(&mut self, place: &Place, reason: String) {
        self.errors.push(RuleError {
            file: self.file.clone(),
            line: place.line,
            column: place.column,
            reason,
            hint: None,
        });
    }

    /// Refuses a place inside a quoted text.
    pub(super) fn refuse_inside(&mut self, literal: &Range<usize>, fault: Fault) {
        self.refuse(inside(self.source, literal, fault.at), fault.reason, fault.hint);
    }

    pub(super) fn place(&self, key: &str, at: usize) -> Place {
        let (line, column) = self.position(at);
        Place {
            key: key.to_owned(),
            line,
            column,
        }
    }

    /// What is wrong, in the order of the lines.
    pub(super) fn finish(mut self) -> Vec<RuleError> {
        self.errors.sort_by_key(|error| (error.line, error.column));
        self.errors.truncate(ERRORS_PER_FILE_MAX);
        self.errors
    }

    pub(super) fn is_good(&self) -> bool {
        self.errors.is_empty()
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.source[..self.source.floor_char_boundary(at)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        (line, 1 + before[line_start..].chars().count())
    }
}

/// The byte of the file that became byte `at` of the text of this literal.
///
/// # Source
/// TOML 1.1, "String"
fn inside(source: &str, literal: &Range<usize>, at: usize) -> usize {
    let raw = &source[literal.clone()];
    let quote = if raw.starts_with("\"\"\"") || raw.starts_with("'''") {
        3
    } else {
        1
    };
    let has_escapes = raw.starts_with('"');
    let mut rest = raw.get(quote..).unwrap_or_default();
    if quote == 3 {
        // The line end right after the quotes is not part of the text.
        rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).unwrap_or(rest);
    }
    let mut made = 0;
    while made < at && !rest.is_empty() {
        let (taken, bytes) = if has_escapes && rest.starts_with('\\') {
            escape(rest)
        } else {
            let bytes = rest.chars().next().map_or(1, char::len_utf8);
            (bytes, bytes)
        };
        rest = &rest[taken..];
        made += bytes;
    }
    // Where a line ends in a backslash, the text goes on at the next word.
    if has_escapes && quote == 3 && escape(rest).1 == 0 {
        rest = &rest[escape(rest).0..];
    }
    literal.start + raw.len() - rest.len()
}

/// How many bytes an escape takes, and how many it makes.
fn escape(rest: &str) -> (usize, usize) {
    let digits = match rest.as_bytes().get(1) {
        Some(b'x') => 2,
        Some(b'u') => 4,
        Some(b'U') => 8,
        Some(b' ' | b'\t' | b'\r' | b'\n') if rest.starts_with('\\') => {
            return (1 + rest[1..].len() - rest[1..].trim_ascii_start().len(), 0);
        }
        _ => return (rest.len().min(2), 1),
    };
    let end = rest.len().min(2 + digits);
    let made = u32::from_str_radix(rest.get(2..end).unwrap_or_default(), 16)
        .ok()
        .and_then(char::from_u32)
        .map_or(1, char::len_utf8);
    (end, made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_text_is_found_in_the_file() {
        for literal in [
            "'plain X'",
            "\"plain X\"",
            "\"esc \\\" \\\\ \\n X\"",
            "\"\\u00e9 \\U0001F600 é X\"",
            "\"\"\"\nfirst\nX\"\"\"",
            "\"\"\"\nfirst \\\n    X\"\"\"",
            "'''\nfirst \\\nX'''",
        ] {
            let source = format!("key = {literal}\n");
            let table = toml::de::DeTable::parse(&source).expect("TOML");
            let value = table.get_ref().get("key").expect("a value");
            let text = value.get_ref().as_str().expect("a text");
            let at = text.find('X').expect("the place");
            assert_eq!(
                inside(&source, &value.span(), at),
                source.find('X').expect("the place"),
                "{literal}"
            );
        }
    }

    #[test]
    fn columns_are_characters() {
        let mut document = Document::new("a.toml".into(), "a = 1\né = 2\n");
        document.refuse("a = 1\né = ".len(), "no", None);
        let errors = document.finish();
        assert_eq!((errors[0].line, errors[0].column), (2, 5));
    }
}
