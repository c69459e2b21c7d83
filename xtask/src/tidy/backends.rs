//! Rule: only `nexus-server/src/boot.rs` names a backend.

use super::{Finding, Text, has_extension, package_of_source};
use crate::rust_source::{RustSource, line_of};

/// The one place that turns configuration into backends.
const BOOT: &str = "crates/nexus-server/src/boot.rs";
/// Who runs in production and is not the store itself. Testkit and bench choose backends for tests and floors.
const JUDGED: &[&str] = &["nexus-types", "nexus-core", "nexus-server"];
/// How a backend is named: opened, or its library used.
const NAMES: &[&str] = &[
    "Db::open",
    "Db::sqlite",
    "Db::postgres",
    "rusqlite::",
    "tokio_postgres::",
    "async_nats::",
];

/// Looks at production code, not at tests, strings or comments.
pub(super) fn check(texts: &[Text]) -> Vec<Finding> {
    let judged = |text: &&Text| {
        let in_tests = text.path.ends_with("/tests.rs") || text.path.contains("/tests/");
        has_extension(&text.path, "rs")
            && !in_tests
            && text.path != BOOT
            && package_of_source(&text.path).is_some_and(|name| JUDGED.contains(&name))
    };
    let in_file = |text: &Text| -> Vec<Finding> {
        let source = RustSource::read(&text.content);
        let code = source.production_code();
        let hits = NAMES.iter().flat_map(|name| code.match_indices(name));
        hits.map(|(at, name)| Finding {
            path: text.path.clone(),
            line: line_of(code, at),
            what: format!("`{name}` names a backend"),
            why: "only boot.rs chooses backends, so that configuration alone makes a cluster of a laptop",
        })
        .collect()
    };
    texts.iter().filter(judged).flat_map(in_file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::text;

    #[test]
    fn only_boot_may_open_a_database() {
        let opens = "//! X.\n// Db::open in prose\nfn f() {\n    Db::open(path);\n}\n";
        let in_a_test = "//! X.\n#[cfg(test)]\nmod tests {\n    fn f() { Db::open(path); }\n}\n";
        for (path, content, expected) in [
            ("crates/nexus-core/src/app.rs", opens, 1),
            ("crates/nexus-server/src/config.rs", opens, 1),
            (BOOT, opens, 0),
            ("crates/nexus-store/src/db.rs", opens, 0),
            ("crates/nexus-testkit/src/lib.rs", opens, 0),
            ("crates/nexus-core/src/app.rs", in_a_test, 0),
        ] {
            let found = check(&[text(path, content)]);
            assert_eq!(found.len(), expected, "{path}");
            assert!(found.iter().all(|finding| finding.line == 4));
        }
    }
}
