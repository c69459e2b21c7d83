//! Rule: SQL only in nexus-store.

use super::{Finding, Text, has_extension, package_of_source};
use crate::rust_source::RustSource;

/// The store is the place for it; the bench measures SQLite alone, as the floor beside our figures.
const ALLOWED: &[&str] = &["nexus-store", "nexus-bench"];

/// Statements by their first word (in one case: prose capitalises) and the words of which one must follow.
const STATEMENTS: &[(&str, &[&str])] = &[
    ("SELECT", &["FROM", "1", "COUNT"]),
    ("INSERT", &["INTO"]),
    ("UPDATE", &["SET"]),
    ("DELETE", &["FROM"]),
    ("CREATE", &["TABLE", "INDEX", "TRIGGER", "VIEW"]),
    ("ALTER", &["TABLE"]),
    ("DROP", &["TABLE", "INDEX", "TRIGGER", "VIEW"]),
    ("WITH", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("PRAGMA", &[]),
    ("SAVEPOINT", &[]),
];

/// Looks at every string literal in the `src` of every package but the allowed ones.
pub(super) fn check(texts: &[Text]) -> Vec<Finding> {
    let judged =
        |text: &&Text| has_extension(&text.path, "rs") && package_of_source(&text.path).is_some_and(|package| !ALLOWED.contains(&package));
    let in_file = |text: &Text| -> Vec<Finding> {
        let strings = RustSource::read(&text.content).strings;
        let path = text.path.clone();
        strings
            .into_iter()
            .filter(|(_, string)| is_sql(string))
            .map(|(line, string)| Finding {
                path: path.clone(),
                line,
                what: format!("a string that reads as SQL: `{}`", string.chars().take(50).collect::<String>()),
                why: "SQL lives in nexus-store, where one law runs every statement on every database",
            })
            .collect()
    };
    // This file holds the planted statements of its own test.
    texts
        .iter()
        .filter(judged)
        .filter(|text| text.path != "xtask/src/tidy/sql.rs")
        .flat_map(in_file)
        .collect()
}

fn is_sql(string: &str) -> bool {
    let mut words = string
        .split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty());
    let Some(verb) = words.next() else { return false };
    let one_case = verb.chars().all(char::is_uppercase) || verb.chars().all(char::is_lowercase);
    let Some((_, wanted)) = STATEMENTS
        .iter()
        .find(|(statement, _)| one_case && verb.eq_ignore_ascii_case(statement))
    else {
        return false;
    };
    let rest: Vec<&str> = words.collect();
    // A single word (`"update"`) is a name; only PRAGMA and SAVEPOINT are statements with anything after them.
    if wanted.is_empty() {
        return verb.chars().all(char::is_uppercase) && !rest.is_empty();
    }
    wanted.iter().any(|word| {
        rest.iter()
            .any(|found| found.eq_ignore_ascii_case(word) && found.chars().all(char::is_lowercase) == verb.chars().all(char::is_lowercase))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::text;

    #[test]
    fn statements_are_told_from_prose() {
        for (string, expected) in [
            ("SELECT id FROM message WHERE id = $1", true),
            ("\n  select id\n  from message", true),
            ("INSERT INTO log VALUES ($1)", true),
            ("UPDATE message SET pinned = $2", true),
            ("DELETE FROM message", true),
            ("CREATE UNIQUE INDEX x ON y (z)", true),
            ("WITH x AS (SELECT 1) INSERT INTO y", true),
            ("PRAGMA journal_mode = WAL", true),
            ("Select a channel from the list", false),
            ("update", false),
            ("delete the message", false),
            ("DELETE", false),
            ("CREATE_INSTANT_INVITE", false),
            ("create a community", false),
        ] {
            assert_eq!(is_sql(string), expected, "{string}");
        }
    }

    #[test]
    fn only_the_store_and_the_floor_may_hold_it() {
        let content = "//! X.\nfn f() { g(\"SELECT id FROM message\"); } // SELECT id FROM prose";
        for (path, expected) in [
            ("crates/nexus-core/src/messages.rs", 1),
            ("crates/nexus-server/src/http.rs", 1),
            ("crates/nexus-store/src/sql/messages.rs", 0),
            ("bench/src/floor.rs", 0),
            ("crates/nexus-server/tests/it/disk.rs", 0),
        ] {
            assert_eq!(check(&[text(path, content)]).len(), expected, "{path}");
        }
    }
}
