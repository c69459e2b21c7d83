//! What `nexus events check` says about a folder of rules.

use std::fmt;
use std::path::Path;

use super::{Environment, LoadedRules, Rule, RuleError, load};
use crate::hub::TypeRegistry;

/// A folder of rules, looked at.
///
/// # Shape
/// As text a line for each rule and each error; the last line counts.
#[derive(Debug)]
pub struct Check {
    /// Those that can be read, in order of names.
    pub rules: Vec<CheckedRule>,
    /// What is wrong with the others.
    pub refused: Vec<RuleError>,
}

/// A rule that can be read.
#[derive(Debug, PartialEq, Eq)]
pub struct CheckedRule {
    /// Its file.
    pub file: String,
    /// What it is for; may be empty.
    pub description: String,
    /// What it listens to.
    pub on: Vec<String>,
    /// Whether it would run: `ready`, `off`, or why it is idle.
    pub state: String,
}

impl Check {
    /// Is nothing refused? An idle rule is no fault of its file.
    pub fn is_good(&self) -> bool {
        self.refused.is_empty()
    }
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in &self.rules {
            writeln!(formatter, "{}: {} (on {})", rule.file, rule.state, rule.on.join(", "))?;
        }
        for error in &self.refused {
            writeln!(formatter, "{error}")?;
        }
        let ready = self.rules.iter().filter(|rule| rule.state == READY).count();
        let mut files: Vec<_> = self.refused.iter().map(|error| &error.file).collect();
        files.dedup();
        let others = self.rules.len() - ready;
        writeln!(formatter, "{ready} ready, {others} idle or off, {} refused", files.len())
    }
}

const READY: &str = "ready";

/// Looks at every rule of a folder, as a server would.
pub fn check(folder: &Path, types: &TypeRegistry, environment: Environment<'_>) -> Check {
    let LoadedRules {
        rules, idle, off, refused, ..
    } = load(folder, types, environment);
    let mut rules: Vec<_> = rules.iter().chain(&idle).chain(&off).map(|rule| checked(rule)).collect();
    rules.sort_by(|one, other| one.file.cmp(&other.file));
    Check { rules, refused }
}

fn checked(rule: &Rule) -> CheckedRule {
    let state = match rule.idle() {
        _ if !rule.is_enabled() => "off".to_owned(),
        Some(reason) => format!("idle: {reason}"),
        None => READY.to_owned(),
    };
    CheckedRule {
        file: format!("{}.toml", rule.name()),
        description: rule.description().to_owned(),
        on: rule.patterns().iter().map(ToString::to_string).collect(),
        state,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_check_says_of_each_rule_how_it_stands() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
        let rule = "on = [\"START\", \"MIO:*\"]\n[message]\nchannel = \"1\"\ntext = \"x\"\n";
        put("b.toml", rule);
        put("a.toml", &rule.replace("\"1\"", "\"{{ env.ROOM }}\""));
        put("c.toml", &format!("enabled = false\n{rule}"));
        put("d.toml", &rule.replace("on", "no"));
        let types = TypeRegistry::new(vec![]).expect("the built-in types");
        let check = check(folder.path(), &types, &|_| None);
        assert!(!check.is_good());
        assert_eq!(
            check.to_string(),
            "a.toml: idle: ROOM is not set. (on NEXUS:START, MIO:*)\n\
             b.toml: ready (on NEXUS:START, MIO:*)\n\
             c.toml: off (on NEXUS:START, MIO:*)\n\
             d.toml:1:1: There is no key `no`. Did you mean `on`?\n\
             d.toml:1:1: `on` is missing. Say which events it wants, such as on = [\"FLOWPAY:PAYMENT_RECEIVED\"].\n\
             1 ready, 2 idle or off, 1 refused\n"
        );
    }
}
