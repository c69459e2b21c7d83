//! Just enough of Rust's lexical grammar to tell code from strings and comments, so that a rule about SQL is not upset by prose.
//!
//! It does not parse: no macros, no types. What it can't tell apart (`'a` from `'a'` in odd places) does not matter to any rule.

/// A Rust file, split into what rules look at.
pub(crate) struct RustSource {
    /// The text with every string, character and comment blanked; line breaks stay, so that lines keep their numbers.
    pub(crate) code: String,
    /// Every string literal: the line it starts in, and what stands between its quotes.
    pub(crate) strings: Vec<(usize, String)>,
}

impl RustSource {
    /// Splits the text of one file.
    pub(crate) fn read(text: &str) -> Self {
        let mut reader = Reader {
            characters: text.chars().collect(),
            at: 0,
            line: 1,
            code: String::with_capacity(text.len()),
            strings: Vec::new(),
        };
        while reader.at < reader.characters.len() {
            reader.step();
        }
        Self {
            code: reader.code,
            strings: reader.strings,
        }
    }

    /// The code before the first `#[cfg(test)] mod`; by our style, tests are the last thing in a file.
    pub(crate) fn production_code(&self) -> &str {
        for (start, marker) in self.code.match_indices("#[cfg(test)]") {
            if self.code[start + marker.len()..].trim_start().starts_with("mod ") {
                return &self.code[..start];
            }
        }
        &self.code
    }
}

/// The number of the line in which a byte of the text stands.
pub(crate) fn line_of(text: &str, byte: usize) -> usize {
    text[..byte].bytes().filter(|byte| *byte == b'\n').count() + 1
}

struct Reader {
    characters: Vec<char>,
    at: usize,
    line: usize,
    code: String,
    strings: Vec<(usize, String)>,
}

impl Reader {
    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => self.blank_while(|reader| reader.peek(0) != '\n'),
            ('/', '*') => self.block_comment(),
            ('"', _) => self.string(),
            ('\'', _) => self.character_or_lifetime(),
            ('r' | 'b' | 'c', _) if !self.in_a_name() => match self.raw_hashes() {
                Some((prefix, hashes)) => self.raw_string(prefix, hashes),
                None => self.keep(),
            },
            _ => self.keep(),
        }
    }

    fn peek(&self, ahead: usize) -> char {
        self.characters.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn at_end(&self) -> bool {
        self.at >= self.characters.len()
    }

    fn in_a_name(&self) -> bool {
        self.at > 0 && (self.characters[self.at - 1].is_alphanumeric() || self.characters[self.at - 1] == '_')
    }

    fn keep(&mut self) {
        let character = self.peek(0);
        self.code.push(character);
        self.advance(character);
    }

    fn blank(&mut self) {
        let character = self.peek(0);
        self.code.push(if character == '\n' { '\n' } else { ' ' });
        self.advance(character);
    }

    fn advance(&mut self, character: char) {
        self.line += usize::from(character == '\n');
        self.at += 1;
    }

    fn blank_while(&mut self, more: impl Fn(&Self) -> bool) {
        while !self.at_end() && more(self) {
            self.blank();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while !self.at_end() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.blank();
                    continue;
                }
            }
            self.blank();
            self.blank();
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        let line = self.line;
        self.blank();
        let start = self.at;
        while !self.at_end() && self.peek(0) != '"' {
            if self.peek(0) == '\\' {
                self.blank();
            }
            if !self.at_end() {
                self.blank();
            }
        }
        self.strings.push((line, self.characters[start..self.at].iter().collect()));
        if !self.at_end() {
            self.blank();
        }
    }

    /// Length of the prefix (`r`, `br`, `cr`) and number of hashes, if a raw string starts here.
    fn raw_hashes(&self) -> Option<(usize, usize)> {
        let prefix = match (self.peek(0), self.peek(1)) {
            ('r', _) => 1,
            ('b' | 'c', 'r') => 2,
            _ => return None,
        };
        let hashes = self
            .characters
            .iter()
            .skip(self.at + prefix)
            .take_while(|character| **character == '#')
            .count();
        (self.peek(prefix + hashes) == '"').then_some((prefix, hashes))
    }

    fn raw_string(&mut self, prefix: usize, hashes: usize) {
        let line = self.line;
        for _ in 0..=prefix + hashes {
            self.blank();
        }
        let start = self.at;
        let closed = |reader: &Self| reader.peek(0) == '"' && (1..=hashes).all(|index| reader.peek(index) == '#');
        self.blank_while(|reader| !closed(reader));
        self.strings.push((line, self.characters[start..self.at].iter().collect()));
        for _ in 0..=hashes {
            if !self.at_end() {
                self.blank();
            }
        }
    }

    fn character_or_lifetime(&mut self) {
        let length = match (self.peek(1), self.peek(2)) {
            ('\\', _) => (3..12).find(|ahead| self.peek(*ahead) == '\'').map_or(1, |ahead| ahead + 1),
            (_, '\'') => 3,
            _ => 1,
        };
        for _ in 0..length {
            self.blank();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &str) -> Vec<String> {
        RustSource::read(text).strings.into_iter().map(|(_, string)| string).collect()
    }

    #[test]
    fn strings_of_all_kinds_are_found_and_blanked() {
        let text =
            "let a = \"x\\\"y\"; let b = r#\"raw \"q\" \"#; let c = b\"bytes\"; // \"not\"\n/* \"nor /* this\" */ */ let r = br\"z\";";
        assert_eq!(strings(text), ["x\\\"y", "raw \"q\" ", "bytes", "z"]);
        let code = RustSource::read(text).code;
        assert!(
            !code.contains("not") && !code.contains("raw ") && code.contains("let r ="),
            "{code}"
        );
    }

    #[test]
    fn characters_and_lifetimes_do_not_open_strings() {
        assert_eq!(
            strings("fn f<'a>(x: &'a str) { if c == '\"' || c == '\\'' || c == '\\u{1F600}' { g(\"s\") } }"),
            ["s"]
        );
    }

    #[test]
    fn lines_keep_their_numbers() {
        let source = RustSource::read("a\n\"two\nthree\"\nlet b = \"four\";");
        assert_eq!(source.strings, [(2, "two\nthree".to_owned()), (4, "four".to_owned())]);
        assert_eq!(line_of(&source.code, source.code.find("let b").expect("it is there")), 4);
    }

    #[test]
    fn tests_are_no_production_code() {
        let source = RustSource::read("#[cfg(test)]\nuse x;\nfn real() {}\n#[cfg(test)]\nmod tests { fn planted() {} }");
        assert!(source.production_code().contains("real") && !source.production_code().contains("planted"));
    }
}
