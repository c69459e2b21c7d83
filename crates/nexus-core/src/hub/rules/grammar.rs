//! The grammar of expressions: a part of Jinja's, read by descent and written anew for MiniJinja, which computes it.
//!
//! Written anew, because three things must not depend on what a payload holds. Paths become variables, so that their text is at hand
//! exactly as it came. `+`, `*`, `~`, `in` and comparisons become our functions ([`super::functions`]), which are bounded, and which refuse to
//! order a text before a number. And what has no bound at all (loops, ranges, macros, powers) has no words here.

mod names;

use std::fmt::Write as _;

use super::functions::{FILTERS, TESTS};
use super::paths::{Path, ROOTS, Root, Step};
use super::tokens::{Fault, Kind, Token, suggest};
use names::{known, member_exists};

/// Operators in one expression, filters and brackets included: so deep can what is written for MiniJinja be.
const OPERATORS_MAX: usize = 48;
/// Paths in one expression.
const PATHS_MAX: usize = 32;
const KEYWORDS: &[&str] = &["and", "or", "not", "in", "is", "if", "else"];

/// What an expression is made of, when it is a choice between members and fixed values: `a or b or 'c'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// The path of this number.
    Path(usize),
    /// JSON.
    Fixed(String),
}

/// An expression that was read.
#[derive(Debug)]
pub(super) struct Parsed {
    /// For MiniJinja. The paths are `v0`, `v1`, ….
    pub(super) program: String,
    pub(super) paths: Vec<Path>,
    /// If it needs no computing: the first of these that is true, or the last.
    pub(super) choice: Option<Vec<Term>>,
    /// Is it percent-encoded already?
    pub(super) is_encoded: bool,
}

struct Node {
    code: String,
    choice: Option<Vec<Term>>,
    is_encoded: bool,
}

impl Node {
    fn computed(code: String) -> Self {
        Self {
            code,
            choice: None,
            is_encoded: false,
        }
    }
}

/// Reads an expression. `end` is where it stops, `has_answer` whether there is one to look at.
///
/// # Errors
/// [`Fault`] at the token that has no place there.
pub(super) fn parse(tokens: &[Token<'_>], end: usize, has_answer: bool) -> Result<Parsed, Fault> {
    let mut parser = Parser {
        tokens,
        next: 0,
        end,
        has_answer,
        paths: vec![],
        operators: 0,
    };
    let node = parser.whole()?;
    if let Some(token) = parser.peek() {
        return Err(unexpected(token));
    }
    Ok(Parsed {
        program: node.code,
        paths: parser.paths,
        choice: node.choice,
        is_encoded: node.is_encoded,
    })
}

fn unexpected(token: Token<'_>) -> Fault {
    let fault = Fault::new(token.at, format!("`{}` has no place here.", token.text));
    match token.text {
        "=" => fault.hint("Compare with ==."),
        "&&" | "&" => fault.hint("Write `and`."),
        "||" => fault.hint("Write `or`."),
        "!" => fault.hint("Write `not`."),
        "**" => fault.hint("There are no powers; write the factors out."),
        "==" | "!=" | "<" | "<=" | ">" | ">=" => fault.hint("Join two comparisons with `and`."),
        _ if token.kind == Kind::Sign => fault,
        _ => fault.hint("Is there an operator or a quote missing before it?"),
    }
}

struct Parser<'t, 's> {
    tokens: &'t [Token<'s>],
    next: usize,
    end: usize,
    has_answer: bool,
    paths: Vec<Path>,
    operators: usize,
}

impl<'s> Parser<'_, 's> {
    fn peek(&self) -> Option<Token<'s>> {
        self.tokens.get(self.next).copied()
    }

    fn is_next(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| token.kind != Kind::Text && token.text == text)
    }

    /// Takes the next token if it is this one.
    fn take(&mut self, text: &str) -> bool {
        let found = self.is_next(text);
        self.next += usize::from(found);
        found
    }

    /// Takes the next token if it is one of these; it counts as an operator.
    fn operator(&mut self, known: &[&'static str]) -> Result<Option<&'static str>, Fault> {
        let Some(found) = known.iter().find(|text| self.is_next(text)) else {
            return Ok(None);
        };
        self.count()?;
        self.next += 1;
        Ok(Some(found))
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.operators += 1;
        if self.operators <= OPERATORS_MAX {
            return Ok(());
        }
        let at = self.peek().map_or(self.end, |token| token.at);
        Err(Fault::new(at, format!("An expression has at most {OPERATORS_MAX} operators.")).hint("Divide it."))
    }

    fn expect(&mut self, text: &str) -> Result<(), Fault> {
        if self.take(text) {
            return Ok(());
        }
        Err(match self.peek() {
            Some(token) => unexpected(token),
            None => Fault::new(self.end, format!("A `{text}` is missing here.")),
        })
    }

    fn word(&mut self, what: &str) -> Result<Token<'s>, Fault> {
        match self.peek() {
            Some(token) if token.kind == Kind::Word => {
                self.next += 1;
                Ok(token)
            }
            Some(token) => Err(Fault::new(token.at, format!("Here stands `{}` instead of {what}.", token.text))),
            None => Err(Fault::new(self.end, format!("Here is {what} missing."))),
        }
    }

    /// `a if b else c`
    fn whole(&mut self) -> Result<Node, Fault> {
        let value = self.either()?;
        if self.operator(&["if"])?.is_none() {
            return Ok(value);
        }
        let condition = self.either()?;
        let other = match self.operator(&["else"])? {
            Some(_) => self.whole()?.code,
            None => "nothing_".to_owned(),
        };
        Ok(Node::computed(format!("({} if {} else {other})", value.code, condition.code)))
    }

    fn either(&mut self) -> Result<Node, Fault> {
        let mut all = self.both()?;
        let mut is_alone = true;
        while self.operator(&["or"])?.is_some() {
            let other = self.both()?;
            all.choice = all.choice.zip(other.choice).map(|(mut terms, more)| {
                terms.extend(more);
                terms
            });
            write!(all.code, " or {}", other.code).expect("a string takes everything");
            is_alone = false;
        }
        if !is_alone {
            all.code = format!("({})", all.code);
            all.is_encoded = false;
        }
        Ok(all)
    }

    fn both(&mut self) -> Result<Node, Fault> {
        let first = self.negated()?;
        let mut code = first.code.clone();
        while self.operator(&["and"])?.is_some() {
            write!(code, " and {}", self.negated()?.code).expect("a string takes everything");
        }
        Ok(if code == first.code {
            first
        } else {
            Node::computed(format!("({code})"))
        })
    }

    fn negated(&mut self) -> Result<Node, Fault> {
        if self.operator(&["not"])?.is_none() {
            return self.compared();
        }
        Ok(Node::computed(format!("(not {})", self.negated()?.code)))
    }

    fn compared(&mut self) -> Result<Node, Fault> {
        let one = self.sum()?;
        let is_not = self.is_next("not") && self.tokens.get(self.next + 1).is_some_and(|token| token.text == "in");
        self.next += usize::from(is_not);
        let Some(operator) = self.operator(&["==", "!=", "<=", ">=", "<", ">", "in"])? else {
            return Ok(one);
        };
        let other = self.sum()?;
        let (one, other) = (one.code, other.code);
        Ok(Node::computed(match operator {
            "==" => format!("same_({one}, {other})"),
            "!=" => format!("(not same_({one}, {other}))"),
            "in" if is_not => format!("(not in_({one}, {other}))"),
            "in" => format!("in_({one}, {other})"),
            order => format!("order_({one}, '{order}', {other})"),
        }))
    }

    fn sum(&mut self) -> Result<Node, Fault> {
        let mut all = self.joined()?;
        while let Some(operator) = self.operator(&["+", "-"])? {
            let other = self.joined()?;
            let name = if operator == "+" { "plus_" } else { "minus_" };
            all = Node::computed(format!("{name}({}, {})", all.code, other.code));
        }
        Ok(all)
    }

    fn joined(&mut self) -> Result<Node, Fault> {
        let mut all = self.product()?;
        let mut parts = String::new();
        while self.operator(&["~"])?.is_some() {
            write!(parts, ", {}", self.product()?.code).expect("a string takes everything");
        }
        if !parts.is_empty() {
            all = Node::computed(format!("join_({}{parts})", all.code));
        }
        Ok(all)
    }

    fn product(&mut self) -> Result<Node, Fault> {
        let mut all = self.filtered()?;
        while let Some(operator) = self.operator(&["*", "/", "//", "%"])? {
            let other = self.filtered()?;
            all = Node::computed(match operator {
                "*" => format!("times_({}, {})", all.code, other.code),
                _ => format!("({} {operator} {})", all.code, other.code),
            });
        }
        Ok(all)
    }

    /// Filters come after the sign, as in Jinja: `-3 | abs` is 3.
    fn signed(&mut self) -> Result<Node, Fault> {
        if self.operator(&["-"])?.is_none() {
            return self.member();
        }
        Ok(Node::computed(format!("(-{})", self.signed()?.code)))
    }

    fn filtered(&mut self) -> Result<Node, Fault> {
        let mut value = self.signed()?;
        loop {
            if self.operator(&["|"])?.is_some() {
                let name = self.word("the name of a filter")?;
                known(name, FILTERS, "filter")?;
                let arguments = self.arguments()?;
                value = Node::computed(format!("({}|{}{arguments})", value.code, name.text));
                value.is_encoded = name.text == "urlencode";
            } else if self.operator(&["is"])?.is_some() {
                let not = if self.take("not") { "not " } else { "" };
                let name = self.word("the name of a test")?;
                known(name, TESTS, "test")?;
                let arguments = self.arguments()?;
                value = Node::computed(format!("({} is {not}{}{arguments})", value.code, name.text));
            } else {
                return Ok(value);
            }
        }
    }

    fn arguments(&mut self) -> Result<String, Fault> {
        if !self.take("(") {
            return Ok(String::new());
        }
        Ok(format!("({})", self.list(")")?))
    }

    /// Values with commas between, up to this bracket.
    fn list(&mut self, close: &str) -> Result<String, Fault> {
        let mut all = String::new();
        while !self.take(close) {
            if !all.is_empty() {
                self.expect(",")?;
                all.push_str(", ");
            }
            self.count()?;
            all.push_str(&self.whole()?.code);
        }
        Ok(all)
    }

    fn member(&mut self) -> Result<Node, Fault> {
        let mut value = self.first()?;
        loop {
            if self.take(".") {
                let name = self.word("the name of a member")?;
                write!(value.code, "[\"{}\"]", name.text).expect("a string takes everything");
            } else if let Some(bracket) = self.peek().filter(|token| token.text == "[") {
                self.count()?;
                self.next += 1;
                if self.is_next("]") {
                    return Err(Fault::new(bracket.at, "These brackets are empty."));
                }
                let inner = self.whole()?.code;
                self.expect("]")?;
                write!(value.code, "[{inner}]").expect("a string takes everything");
            } else {
                return Ok(value);
            }
            value.choice = None;
        }
    }

    fn first(&mut self) -> Result<Node, Fault> {
        let Some(token) = self.peek() else {
            return Err(Fault::new(self.end, "Something is missing here."));
        };
        self.next += 1;
        match (token.kind, token.text) {
            (Kind::Number, text) | (Kind::Word, text @ ("true" | "false")) => Ok(fixed(text, text)),
            (Kind::Text, text) => Ok(text_literal(text)),
            (Kind::Word, "True") => Ok(fixed("true", "true")),
            (Kind::Word, "False") => Ok(fixed("false", "false")),
            (Kind::Word, "none" | "None" | "null") => Ok(fixed("none", "null")),
            (Kind::Word, text) if !KEYWORDS.contains(&text) => self.path(token),
            (Kind::Sign, "(") => {
                self.count()?;
                let inner = self.whole()?;
                self.expect(")")?;
                Ok(inner)
            }
            (Kind::Sign, "[") => {
                self.count()?;
                Ok(Node::computed(format!("[{}]", self.list("]")?)))
            }
            _ => Err(unexpected(token)),
        }
    }

    /// `payload.a["b c"][0]`, as far as its steps are fixed.
    fn path(&mut self, first: Token<'s>) -> Result<Node, Fault> {
        if self.is_next("(") {
            let fault = Fault::new(first.at, format!("There is no function `{}`.", first.text));
            return Err(fault.hint("Values are changed with filters, such as `payload.name | lower`."));
        }
        let Some((_, root)) = ROOTS.iter().find(|(name, _)| *name == first.text) else {
            let fault = Fault::new(first.at, format!("`{}` is not known here.", first.text));
            return Err(fault.hint(format!(
                "{} A text stands in quotes.",
                suggest(first.text, ROOTS.iter().map(|(name, _)| *name))
            )));
        };
        if *root == Root::Answer && !self.has_answer {
            let fault = Fault::new(first.at, "There is no answer here.");
            return Err(fault.hint("Only [[emit]] and [message] of a rule with [http] can use `answer`."));
        }
        let mut path = Path {
            root: *root,
            steps: vec![],
            text: first.text.to_owned(),
        };
        while let Some((step, text, tokens)) = self.step()? {
            path.steps.push(step);
            path.text.push_str(&text);
            self.next += tokens;
        }
        member_exists(&path, first.at)?;
        self.variable(path, first.at)
    }

    fn variable(&mut self, path: Path, at: usize) -> Result<Node, Fault> {
        let known = self
            .paths
            .iter()
            .position(|known| known.steps == path.steps && known.root == path.root);
        let number = known.unwrap_or(self.paths.len());
        if known.is_none() {
            self.paths.push(path);
        }
        if self.paths.len() > PATHS_MAX {
            return Err(Fault::new(at, format!("An expression looks at {PATHS_MAX} members at most.")).hint("Divide it."));
        }
        Ok(Node {
            code: format!("v{number}"),
            choice: Some(vec![Term::Path(number)]),
            is_encoded: false,
        })
    }

    /// The next fixed step, how it stands in the rule, and how many tokens it is.
    fn step(&self) -> Result<Option<(Step, String, usize)>, Fault> {
        let at = |offset: usize| self.tokens.get(self.next + offset);
        match (at(0).map(|token| token.text), at(1), at(2).map(|token| token.text)) {
            (Some("."), Some(name), _) if name.kind == Kind::Word => {
                Ok(Some((Step::Key(name.text.to_owned()), format!(".{}", name.text), 2)))
            }
            (Some("."), Some(name), _) if name.kind == Kind::Number => {
                Err(Fault::new(name.at, "A name does not begin with a digit.")
                    .hint(format!("Write [{}] for a place in a list.", name.text)))
            }
            (Some("["), Some(inner), Some("]")) => {
                let step = match inner.kind {
                    Kind::Text if !inner.text.contains('\\') => Some(Step::Key(inner.text[1..inner.text.len() - 1].to_owned())),
                    Kind::Number => inner.text.parse().ok().map(Step::Index),
                    _ => None,
                };
                Ok(step.map(|step| (step, format!("[{}]", inner.text), 3)))
            }
            _ => Ok(None),
        }
    }
}

fn fixed(code: &str, json: &str) -> Node {
    Node {
        code: code.to_owned(),
        choice: Some(vec![Term::Fixed(json.to_owned())]),
        is_encoded: false,
    }
}

fn text_literal(text: &str) -> Node {
    if text.contains('\\') {
        return Node::computed(text.to_owned());
    }
    fixed(text, &super::paths::quote(&text[1..text.len() - 1]))
}
