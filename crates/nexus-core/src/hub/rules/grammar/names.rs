//! Names that must be known: of filters, of tests, and of the members of `event`, `answer` and `env`.

use super::super::paths::{ANSWER, EVENT, Path, Root, Step};
use super::super::tokens::{Fault, Token, suggest};

/// Refuses a name that is not in the list.
///
/// # Errors
/// [`Fault`] with the name that was probably meant.
pub(super) fn known(name: Token<'_>, known: &[&'static str], what: &str) -> Result<(), Fault> {
    if known.contains(&name.text) {
        return Ok(());
    }
    let fault = Fault::new(name.at, format!("There is no {what} `{}`.", name.text));
    Err(fault.hint(suggest(name.text, known.iter().copied())))
}

/// Refuses a member that `event`, `env` or `answer` does not have.
///
/// # Errors
/// [`Fault`] with what there is.
pub(super) fn member_exists(path: &Path, at: usize) -> Result<(), Fault> {
    let members = match path.root {
        Root::Payload => return Ok(()),
        Root::Event => EVENT,
        Root::Answer => ANSWER,
        Root::Env => {
            return match path.steps.as_slice() {
                [Step::Key(name)] if is_variable(name) => Ok(()),
                [Step::Key(name)] if name.starts_with("NEXUS_") => {
                    Err(Fault::new(at, "The server's own settings are not shown to rules.").hint("Use a variable of another name."))
                }
                _ => Err(Fault::new(at, "`env` is followed by the name of one variable.").hint("Such as env.FACTORY_API_URL.")),
            };
        }
    };
    match path.steps.first() {
        Some(Step::Key(name)) if members.contains(&name.as_str()) => Ok(()),
        Some(Step::Key(name)) => {
            let reason = format!(
                "`{}` has no member `{name}`.",
                path.text.split(['.', '[']).next().unwrap_or_default()
            );
            Err(Fault::new(at, reason).hint(suggest(name, members.iter().copied())))
        }
        _ => Err(Fault::new(at, format!("`{}` is no value by itself.", path.text)).hint(format!("It has: {}.", members.join(", ")))),
    }
}

fn is_variable(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.starts_with(|first: char| first.is_ascii_uppercase()) && name.bytes().all(is_part) && !name.starts_with("NEXUS_")
}
