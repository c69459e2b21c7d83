//! As much of Prometheus's language as is needed to see which series an expression is about.
//!
//! # Source
//! <https://prometheus.io/docs/prometheus/latest/querying/basics/>

use std::collections::{BTreeMap, BTreeSet};

/// A series that an expression reads: `name{label="value"}`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) name: String,
    /// Label, operator, value.
    pub(crate) matchers: Vec<(String, String, String)>,
}

/// What an expression reads, and the labels that it groups by.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expression {
    pub(crate) selectors: Vec<Selector>,
    pub(crate) groups: BTreeSet<String>,
}

/// Words that are followed by labels in brackets.
const GROUPING: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Words that are neither a function nor a series.
const OTHERS: &[&str] = &["and", "or", "unless", "bool", "offset", "sum", "min", "max", "avg", "count"];

struct Letters<'a>(std::iter::Peekable<std::str::Chars<'a>>);

impl Letters<'_> {
    fn next_if(&mut self, good: impl Fn(char) -> bool) -> Option<char> {
        self.0.next_if(|letter| good(*letter))
    }

    fn skip_space(&mut self) {
        while self.next_if(char::is_whitespace).is_some() {}
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(letter) = self.next_if(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter)) {
            word.push(letter);
        }
        word
    }

    fn quoted(&mut self) -> String {
        assert_eq!(self.0.next(), Some('"'), "a value is quoted");
        let mut text = String::new();
        loop {
            match self.0.next().expect("the quote is closed") {
                '"' => return text,
                '\\' => text.extend(self.0.next()),
                letter => text.push(letter),
            }
        }
    }

    fn expect(&mut self, letter: char) {
        self.skip_space();
        assert_eq!(self.0.next(), Some(letter));
    }

    fn matchers(&mut self) -> Vec<(String, String, String)> {
        self.expect('{');
        let mut all = vec![];
        loop {
            self.skip_space();
            if self.next_if(|letter| letter == '}').is_some() {
                return all;
            }
            let label = self.word();
            self.skip_space();
            let mut operator = String::new();
            while let Some(sign) = self.next_if(|letter| "=!~".contains(letter)) {
                operator.push(sign);
            }
            self.skip_space();
            all.push((label, operator, self.quoted()));
            self.skip_space();
            self.next_if(|letter| letter == ',');
        }
    }

    fn labels(&mut self) -> Vec<String> {
        self.expect('(');
        let mut all = vec![];
        loop {
            self.skip_space();
            if self.next_if(|letter| letter == ')').is_some() {
                return all;
            }
            all.push(self.word());
            self.skip_space();
            self.next_if(|letter| letter == ',');
        }
    }
}

/// Reads an expression.
pub(crate) fn read(text: &str) -> Expression {
    let mut letters = Letters(text.chars().peekable());
    let mut read = Expression::default();
    while let Some(letter) = letters.0.peek().copied() {
        match letter {
            '"' => drop(letters.quoted()),
            '[' => while letters.0.next().expect("the range ends") != ']' {},
            _ if letter.is_ascii_digit() => while letters.next_if(|letter| letter.is_ascii_alphanumeric() || letter == '.').is_some() {},
            _ if letter.is_ascii_alphabetic() || letter == '_' => {
                let word = letters.word();
                letters.skip_space();
                match letters.0.peek() {
                    _ if GROUPING.contains(&&*word) => read.groups.extend(letters.labels()),
                    _ if OTHERS.contains(&&*word) => {}
                    Some('(') => {}
                    Some('{') => read.selectors.push(Selector {
                        name: word,
                        matchers: letters.matchers(),
                    }),
                    _ => read.selectors.push(Selector {
                        name: word,
                        matchers: vec![],
                    }),
                }
            }
            _ => drop(letters.0.next()),
        }
    }
    read
}

/// The series of a process: for each name, the labels of each of its series.
pub(crate) type Series = BTreeMap<String, Vec<BTreeMap<String, String>>>;

/// Reads what `/metrics` shows.
pub(crate) fn series(text: &str, into: &mut Series) {
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let mut letters = Letters(line.chars().peekable());
        let name = letters.word();
        let labels = if letters.0.peek() == Some(&'{') {
            letters.matchers()
        } else {
            vec![]
        };
        let labels = labels.into_iter().map(|(label, _, value)| (label, value)).collect();
        into.entry(name).or_default().push(labels);
    }
}

#[test]
fn an_expression_is_read_for_its_series_and_labels() {
    let read =
        read("sum by (le, route) (rate(a_bucket{job=~\"$job\",route=\"/x\"}[$__rate_interval])) / 1e3 > bool 0.5 unless on(job) b == 0");
    let names: Vec<_> = read.selectors.iter().map(|selector| selector.name.as_str()).collect();
    assert_eq!(names, ["a_bucket", "b"]);
    assert_eq!(read.selectors[0].matchers[1], ("route".into(), "=".into(), "/x".into()));
    assert_eq!(read.groups.iter().map(String::as_str).collect::<Vec<_>>(), ["job", "le", "route"]);
    let mut found = Series::new();
    series("# TYPE a counter\na{x=\"1\",y=\"}\"} 3\nb 4\n", &mut found);
    assert_eq!(found["a"][0]["y"], "}");
    assert!(found["b"][0].is_empty());
}
