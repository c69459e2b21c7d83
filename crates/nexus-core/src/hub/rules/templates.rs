//! Texts and JSON with `{{ expressions }}` in them. There are no statements: what grows or repeats can't be said.
//!
//! JSON is built of values, never of text, so nothing that an event holds can end a string or begin a member.

use std::fmt::Write as _;

use nexus_types::limits::RULE_TEXT_BYTES_MAX;

use super::expressions::{Expression, Outcome};
use super::paths::{Scope, quote};
use super::places::Place;
use super::tokens::{Fault, tokens};
use super::{TemplateError, functions};

/// A text with expressions in it.
pub(super) struct Template {
    pub(super) place: Place,
    pieces: Vec<Piece>,
}

enum Piece {
    Text(String),
    Expression(Expression),
}

impl Place {
    /// What an event brought to light here.
    pub(super) fn error(&self, reason: impl Into<String>) -> TemplateError {
        TemplateError {
            place: self.key.clone(),
            line: self.line,
            reason: reason.into(),
        }
    }

    fn too_long(&self) -> TemplateError {
        self.error(format!("The text is longer than {RULE_TEXT_BYTES_MAX} bytes."))
    }
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// [`Fault`] at the first wrong place.
    pub(super) fn read(text: &str, place: Place, has_answer: bool) -> Result<Self, Fault> {
        let mut pieces = vec![];
        let mut at = 0;
        while let Some(open) = text[at..].find('{').map(|found| at + found) {
            match text.as_bytes().get(open + 1) {
                Some(b'{') => {}
                Some(sign @ (b'%' | b'#')) => {
                    let fault = Fault::new(open, format!("There is no {{{} here, only {{{{ … }}}}.", char::from(*sign)));
                    return Err(fault.hint("Write {{ a if condition else b }} for a choice."));
                }
                _ => {
                    push_text(&mut pieces, &text[at..=open]);
                    at = open + 1;
                    continue;
                }
            }
            push_text(&mut pieces, &text[at..open]);
            let (tokens, end) = tokens(text, open + 2, true).map_err(|fault| Fault {
                at: if fault.at == open + 2 { open } else { fault.at },
                ..fault
            })?;
            let source = text[open + 2..end].trim();
            pieces.push(Piece::Expression(Expression::of(source, &tokens, end, has_answer)?));
            at = end + 2;
        }
        push_text(&mut pieces, &text[at..]);
        Ok(Self { place, pieces })
    }

    /// Its expressions.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Expression(expression) => Some(expression),
            Piece::Text(_) => None,
        })
    }

    /// Is it the same for every event?
    pub(super) fn is_fixed(&self) -> bool {
        self.expressions().all(Expression::is_fixed)
    }

    /// Its text.
    ///
    /// # Errors
    /// [`TemplateError`] that names the expression.
    pub(super) fn print(&self, scope: Scope<'_>) -> Result<String, TemplateError> {
        self.write(scope, |_, text, _| text)
    }

    /// Its text as a URL: what comes with the event is percent-encoded, so it can't lead elsewhere. Where a variable ends in the slash
    /// that the rule goes on with, there is one slash.
    ///
    /// # Errors
    /// [`TemplateError`] that names the expression.
    pub(super) fn print_url(&self, scope: Scope<'_>) -> Result<String, TemplateError> {
        self.write(scope, |expression, mut text, next| {
            if !expression.is_fixed() && !expression.is_encoded() {
                return functions::percent_encode(&text);
            }
            if next.starts_with('/') && text.ends_with('/') {
                text.pop();
            }
            text
        })
    }

    /// What stands before the first expression that comes with the event.
    ///
    /// # Errors
    /// [`TemplateError`] that names the expression.
    pub(super) fn print_beginning(&self, scope: Scope<'_>) -> Result<String, TemplateError> {
        let mut all = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => all.push_str(text),
                Piece::Expression(expression) if expression.is_fixed() => {
                    all.push_str(&expression.print(scope).map_err(|reason| self.place.error(reason))?);
                }
                Piece::Expression(_) => break,
            }
        }
        Ok(all)
    }

    /// `shape` changes the text of an expression, knowing the text that stands after it in the rule.
    fn write(&self, scope: Scope<'_>, shape: impl Fn(&Expression, String, &str) -> String) -> Result<String, TemplateError> {
        let mut all = String::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => all.push_str(text),
                Piece::Expression(expression) => {
                    let text = expression.print(scope).map_err(|reason| self.place.error(reason))?;
                    if text.len() > RULE_TEXT_BYTES_MAX {
                        return Err(self.place.too_long());
                    }
                    let next = match self.pieces.get(index + 1) {
                        Some(Piece::Text(next)) => next.as_str(),
                        _ => "",
                    };
                    all.push_str(&shape(expression, text, next));
                }
            }
            if all.len() > RULE_TEXT_BYTES_MAX {
                return Err(self.place.too_long());
            }
        }
        Ok(all)
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(before)) => before.push_str(text),
        _ if text.is_empty() => {}
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// JSON with expressions in it.
pub(super) enum JsonTemplate {
    /// The same for every event.
    Fixed(String),
    /// A string.
    Text(Template),
    /// A string that is wholly one expression: whatever it is.
    Value(Place, Expression),
    /// A list.
    List(Vec<JsonTemplate>),
    /// An object, in the order of the file.
    Object(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    /// Of a template, which keeps its type if it is wholly one expression.
    pub(super) fn of(mut template: Template) -> Self {
        match (template.pieces.pop(), template.pieces.is_empty()) {
            (Some(Piece::Expression(expression)), true) => Self::Value(template.place, expression),
            (Some(Piece::Text(text)), true) => Self::Fixed(quote(&text)),
            (None, _) => Self::Fixed(quote("")),
            (Some(last), false) => {
                template.pieces.push(last);
                Self::Text(template)
            }
        }
    }

    /// All expressions in it.
    pub(super) fn expressions(&self) -> Vec<&Expression> {
        match self {
            Self::Fixed(_) => vec![],
            Self::Text(template) => template.expressions().collect(),
            Self::Value(_, expression) => vec![expression],
            Self::List(items) => items.iter().flat_map(Self::expressions).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, member)| member.expressions()).collect(),
        }
    }

    /// The JSON text.
    ///
    /// # Errors
    /// [`TemplateError`] that names the expression; `place` is where all of it stands.
    pub(super) fn print(&self, place: &Place, scope: Scope<'_>) -> Result<String, TemplateError> {
        let mut out = String::new();
        if self.write(place, scope, &mut out)? {
            return Ok(out);
        }
        Err(place.error("There is nothing in it."))
    }

    /// Writes the JSON text; `false` if there is none. It ends as soon as all of it, which stands at `whole`, is too long.
    fn write(&self, whole: &Place, scope: Scope<'_>, out: &mut String) -> Result<bool, TemplateError> {
        match self {
            Self::Fixed(json) => out.push_str(json),
            Self::Text(template) => out.push_str(&quote(&template.print(scope)?)),
            Self::Value(place, expression) => match expression.value(scope).map_err(|reason| place.error(reason))? {
                Outcome::Missing => return Err(place.error(expression.missing(scope))),
                Outcome::Nothing => return Ok(false),
                Outcome::Json(json) => out.push_str(json.trim_ascii()),
            },
            Self::List(items) => {
                out.push('[');
                for item in items {
                    member((None, item), whole, scope, out)?;
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (key, value) in members {
                    member((Some(key), value), whole, scope, out)?;
                }
                out.push('}');
            }
        }
        if out.len() > RULE_TEXT_BYTES_MAX {
            return Err(whole.too_long());
        }
        Ok(true)
    }
}

/// Writes a member with its comma and key, or nothing if there is none.
fn member((key, value): (Option<&str>, &JsonTemplate), whole: &Place, scope: Scope<'_>, out: &mut String) -> Result<(), TemplateError> {
    let before = out.len();
    if !out.ends_with(['[', '{']) {
        out.push(',');
    }
    if let Some(key) = key {
        write!(out, "{}:", quote(key)).expect("a string takes everything");
    }
    if !value.write(whole, scope, out)? {
        out.truncate(before);
    }
    Ok(())
}
