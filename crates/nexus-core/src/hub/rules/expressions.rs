//! One expression: read once, computed for each event.
//!
//! A choice between members (`payload.a or payload.b`), which is what most are, is answered from the JSON text itself. Everything else
//! is computed by MiniJinja with limited fuel.

use std::borrow::Cow;
use std::sync::Arc;

use minijinja::ErrorKind;
use minijinja::value::{Object, Value};
use nexus_types::limits::RULE_TEXT_BYTES_MAX;

use super::functions::{ENGINE, Nothing};
use super::grammar::{self, Term};
use super::paths::{Path, Root, Scope};
use super::tokens::{Fault, Token, tokens};
use super::values::{self, Exact};

/// Bytes of one expression. What a chain of operators makes of the largest payload stays small.
const EXPRESSION_BYTES_MAX: usize = 2_000;

/// What an expression is for an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    /// A member that is not there; this path, if it is one.
    Missing,
    /// An `if` without `else` whose condition was false.
    Nothing,
    /// A JSON text.
    Json(Cow<'a, str>),
}

/// An expression that can be computed.
pub(super) struct Expression {
    text: String,
    paths: Vec<Path>,
    way: Way,
    is_encoded: bool,
}

enum Way {
    Choice(Vec<Term>),
    Program(minijinja::Expression<'static, 'static>),
}

impl Expression {
    /// Reads an expression that is a text of its own.
    ///
    /// # Errors
    /// [`Fault`] at the wrong place.
    pub(super) fn read(text: &str, has_answer: bool) -> Result<Self, Fault> {
        let (tokens, end) = tokens(text, 0, false)?;
        Self::of(text.trim(), &tokens, end, has_answer)
    }

    /// Makes an expression of its tokens; `text` is how they stand in the rule, `end` where they end.
    ///
    /// # Errors
    /// [`Fault`] at the wrong place.
    pub(super) fn of(text: &str, tokens: &[Token<'_>], end: usize, has_answer: bool) -> Result<Self, Fault> {
        let at = tokens.first().map_or(end, |token| token.at);
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err(Fault::new(at, format!("This expression is longer than {EXPRESSION_BYTES_MAX} bytes.")).hint("Divide it."));
        }
        let parsed = grammar::parse(tokens, end, has_answer)?;
        let way = match parsed.choice {
            Some(terms) => Way::Choice(terms),
            None => Way::Program(compile(parsed.program, at)?),
        };
        Ok(Self {
            text: text.to_owned(),
            paths: parsed.paths,
            way,
            is_encoded: parsed.is_encoded,
        })
    }

    /// As it stands in the rule.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The variables of the environment that it looks at.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().filter_map(Path::variable)
    }

    /// Does it look at nothing that comes with an event?
    pub(super) fn is_fixed(&self) -> bool {
        self.paths.iter().all(|path| path.root == Root::Env)
    }

    /// Does it look at the answer?
    pub(super) fn needs_answer(&self) -> bool {
        self.paths.iter().any(|path| path.root == Root::Answer)
    }

    /// Is its value percent-encoded already?
    pub(super) fn is_encoded(&self) -> bool {
        self.is_encoded
    }

    /// Its value.
    ///
    /// # Errors
    /// A sentence that names it.
    pub(super) fn value<'a>(&self, scope: Scope<'a>) -> Result<Outcome<'a>, String> {
        match &self.way {
            Way::Choice(terms) => Ok(self.choose(terms, scope)),
            Way::Program(program) => {
                let (value, exact) = self.run(program, scope)?;
                if value.is_undefined() {
                    return Ok(Outcome::Missing);
                }
                if value.downcast_object_ref::<Nothing>().is_some() {
                    return Ok(Outcome::Nothing);
                }
                let json = values::json(&value, Some(&exact)).map_err(|reason| self.failed(&reason, scope))?;
                Ok(Outcome::Json(Cow::Owned(json)))
            }
        }
    }

    /// Its value as a condition: what is missing, null, false, 0 or empty is not true.
    ///
    /// # Errors
    /// A sentence that names it.
    pub(super) fn is_true(&self, scope: Scope<'_>) -> Result<bool, String> {
        match &self.way {
            Way::Choice(terms) => Ok(match self.choose(terms, scope) {
                Outcome::Json(json) => values::is_true(&json),
                Outcome::Missing | Outcome::Nothing => false,
            }),
            Way::Program(program) => Ok(self.run(program, scope)?.0.is_true()),
        }
    }

    /// Its value as text. An `if` without `else` may be no text.
    ///
    /// # Errors
    /// A sentence that names it: also if it is missing or null.
    pub(super) fn print(&self, scope: Scope<'_>) -> Result<String, String> {
        match self.value(scope)? {
            Outcome::Missing => Err(self.missing(scope)),
            Outcome::Nothing => Ok(String::new()),
            Outcome::Json(json) => values::plain(&json).ok_or_else(|| format!("`{}` is null.", self.text)),
        }
    }

    /// The sentence for an expression without a value.
    pub(super) fn missing(&self, scope: Scope<'_>) -> String {
        let unset = self.variables().find(|name| !scope.environment.contains_key(*name));
        match unset {
            Some(name) => format!("`{}` has no value: {name} is not set.", self.text),
            None => format!("`{}` is missing.", self.text),
        }
    }

    fn choose<'a>(&self, terms: &[Term], scope: Scope<'a>) -> Outcome<'a> {
        let mut last = Outcome::Missing;
        for term in terms {
            last = match term {
                Term::Path(number) => scope.find(&self.paths[*number]).map_or(Outcome::Missing, Outcome::Json),
                Term::Fixed(json) => Outcome::Json(Cow::Owned(json.clone())),
            };
            if matches!(&last, Outcome::Json(json) if values::is_true(json)) {
                break;
            }
        }
        last
    }

    fn run(&self, program: &minijinja::Expression<'static, 'static>, scope: Scope<'_>) -> Result<(Value, Arc<Exact>), String> {
        let mut exact = Exact::default();
        let mut bound = Vec::with_capacity(self.paths.len());
        for path in &self.paths {
            let json = scope.find(path);
            // A long text can be shortened; a long list would be many times as long in memory.
            if json
                .as_ref()
                .is_some_and(|json| json.len() > RULE_TEXT_BYTES_MAX && !json.starts_with('"'))
            {
                return Err(format!("`{}` is longer than {RULE_TEXT_BYTES_MAX} bytes.", path.text));
            }
            let value = json.map_or(Ok(Value::UNDEFINED), |json| values::value(&json, &mut exact));
            bound.push(value.map_err(|reason| format!("`{}` can't be used: {reason}.", path.text))?);
        }
        let exact = Arc::new(exact);
        let variables = Variables {
            bound,
            exact: Value::from_dyn_object(Arc::clone(&exact)),
        };
        let value = program.eval(Value::from_object(variables)).map_err(|error| {
            let reason = match error.kind() {
                ErrorKind::OutOfFuel => "it takes too many steps",
                _ => error.detail().unwrap_or("its parts don't fit together"),
            };
            self.failed(reason, scope)
        })?;
        Ok((value, exact))
    }

    fn failed(&self, reason: &str, scope: Scope<'_>) -> String {
        let missing: Vec<_> = self.paths.iter().filter(|path| scope.find(path).is_none()).collect();
        match missing.first() {
            Some(path) => format!("`{}` can't be computed: {reason}. `{}` is missing.", self.text, path.text),
            None => format!("`{}` can't be computed: {reason}.", self.text),
        }
    }
}

fn compile(program: String, at: usize) -> Result<minijinja::Expression<'static, 'static>, Fault> {
    ENGINE.compile_expression_owned(program).map_err(|error| {
        let reason = error.detail().unwrap_or("it is too involved");
        Fault::new(at, format!("This expression can't be read: {reason}.")).hint("Divide it, or put brackets around its parts.")
    })
}

/// The values of the paths, `v0`, `v1`, …, and the numbers among them as they came.
#[derive(Debug)]
struct Variables {
    bound: Vec<Value>,
    exact: Value,
}

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if name == "exact_" {
            return Some(self.exact.clone());
        }
        self.bound.get(name.strip_prefix('v')?.parse::<usize>().ok()?).cloned()
    }
}

#[cfg(test)]
mod tests;
