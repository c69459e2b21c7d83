//! The words of an expression. What no expression needs is refused here already, with its place.

/// A wrong place in a text, from its start in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(at: usize, reason: impl Into<String>) -> Self {
        Self {
            at,
            reason: reason.into(),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    /// With its quotes.
    Text,
    Sign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind,
    pub(super) text: &'s str,
    pub(super) at: usize,
}

/// Longer ones first.
const SIGNS: &[&str] = &[
    "//", "**", "==", "!=", "<=", ">=", "&&", "||", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", ",", ".", "|", "!",
    "&",
];

/// The tokens from `start` on, up to the end or, in a text with `{{ … }}`, up to the `}}` that is not inside quotes. Also where it stopped.
///
/// # Errors
/// [`Fault`] for a character that no expression has, or quotes that do not end.
pub(super) fn tokens(source: &str, start: usize, in_text: bool) -> Result<(Vec<Token<'_>>, usize), Fault> {
    let mut tokens = vec![];
    let mut at = start;
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        if in_text && rest.starts_with("}}") {
            return Ok((tokens, at));
        }
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, bytes) = one(rest, first).map_err(|fault| Fault { at, ..fault })?;
        tokens.push(Token {
            kind,
            text: &rest[..bytes],
            at,
        });
        at += bytes;
    }
    if in_text {
        return Err(Fault::new(start, "This {{ has no end.").hint("Close it with }}."));
    }
    Ok((tokens, at))
}

fn one(rest: &str, first: char) -> Result<(Kind, usize), Fault> {
    if first.is_ascii_alphabetic() || first == '_' {
        return Ok((
            Kind::Word,
            length(rest, |character| character.is_ascii_alphanumeric() || character == '_'),
        ));
    }
    if first.is_ascii_digit() {
        return Ok((Kind::Number, number(rest)));
    }
    if first == '"' || first == '\'' {
        return quoted(rest, first).map(|bytes| (Kind::Text, bytes));
    }
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return Ok((Kind::Sign, sign.len()));
    }
    let fault = Fault::new(0, format!("An expression has no `{first}`."));
    Err(match first {
        '{' | '}' => fault.hint("Build objects with TOML tables such as [http.json]."),
        ':' => fault.hint("Parts of lists and texts are not known here; use truncate, first or last."),
        '“' | '”' | '‘' | '’' => fault.hint("Use straight quotes."),
        _ => fault,
    })
}

fn length(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|character| !is_part(character)).unwrap_or(text.len())
}

/// `12`, `12.5`, `1e9`.
fn number(text: &str) -> usize {
    let digits = |from: usize| from + length(&text[from..], |character| character.is_ascii_digit());
    let mut end = digits(0);
    if text[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        if digits(end + 1 + sign) > end + 1 + sign {
            end = digits(end + 1 + sign);
        }
    }
    end
}

fn quoted(text: &str, quote: char) -> Result<usize, Fault> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Ok(at + 1),
            _ => {}
        }
    }
    Err(Fault::new(0, "These quotes have no end."))
}

/// The known word that was probably meant.
pub(super) fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let small = word.to_ascii_lowercase();
    known
        .into_iter()
        .map(|other| (distance(&small, &other.to_ascii_lowercase()), other))
        .filter(|(distance, other)| *distance <= 1 + other.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// `Did you mean …?`, or what there is.
pub(super) fn suggest<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    if let Some(close) = closest(word, known.clone()) {
        return format!("Did you mean `{close}`?");
    }
    format!("There are: {}.", known.into_iter().collect::<Vec<_>>().join(", "))
}

/// How many letters must be put in, taken out or changed, or two neighbours exchanged (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<_>, Vec<_>) = (one.chars().take(64).collect(), other.chars().take(64).collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<_>>()];
    for row in 1..=one.len() {
        let mut line = vec![row];
        for column in 1..=other.len() {
            let same = one[row - 1] == other[column - 1];
            let mut best = (rows[row - 1][column] + 1).min(line[column - 1] + 1);
            best = best.min(rows[row - 1][column - 1] + usize::from(!same));
            let swapped = row > 1 && column > 1 && one[row - 1] == other[column - 2] && one[row - 2] == other[column - 1];
            if swapped {
                best = best.min(rows[row - 2][column - 2] + 1);
            }
            line.push(best);
        }
        rows.push(line);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<&str> {
        let (tokens, _) = tokens(source, 0, false).expect("tokens");
        tokens.iter().map(|token| token.text).collect()
    }

    #[test]
    fn an_expression_is_words_numbers_texts_and_signs() {
        for (source, wanted) in [
            ("payload.amount >= 10.50", vec!["payload", ".", "amount", ">=", "10.50"]),
            ("a//2", vec!["a", "//", "2"]),
            ("a.0.b", vec!["a", ".", "0", ".", "b"]),
            ("1e9 2e", vec!["1e9", "2", "e"]),
            ("'it\\'s' \"}}\"", vec!["'it\\'s'", "\"}}\""]),
            ("  ", vec![]),
        ] {
            assert_eq!(words(source), wanted, "{source}");
        }
    }

    #[test]
    fn an_expression_in_a_text_ends_at_its_braces() {
        let source = "x {{ a ~ '}}' }} y";
        let (tokens, end) = tokens(source, 4, true).expect("tokens");
        assert_eq!((tokens.len(), &source[end..]), (3, "}} y"));
    }

    #[test]
    fn what_no_expression_has_is_named_with_its_place() {
        for (source, at) in [("a { b", 2), ("a ; b", 2), ("'open", 0), ("aé", 1), ("a[1:2]", 3), ("“a”", 0)] {
            assert_eq!(tokens(source, 0, false).expect_err("refused").at, at, "{source}");
        }
        assert_eq!(tokens("{{ a", 2, true).expect_err("refused").at, 2);
    }

    #[test]
    fn the_word_that_was_meant_is_found() {
        let known = ["description", "concurrency", "enabled", "http", "on"];
        for (word, meant) in [
            ("descripton", Some("description")),
            ("Enabled", Some("enabled")),
            ("htpp", Some("http")),
            ("concurency", Some("concurrency")),
            ("banana", None),
        ] {
            assert_eq!(closest(word, known), meant, "{word}");
        }
    }
}
