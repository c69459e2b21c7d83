//! Rule: no test is ignored, skipped or run alone, and nothing is left as a stub.

use super::{Finding, Text, has_extension};
use crate::rust_source::{RustSource, line_of};

const WHY: &str = "a test that does not run proves nothing, and nobody notices it";

const RUST: &[&str] = &["#[ignore", "todo!", "unimplemented!"];
const SCRIPT: &[&str] = &[
    ".skip(",
    ".skip.",
    ".skipIf(",
    ".only(",
    ".only.",
    ".todo(",
    ".fixme(",
    "xit(",
    "xdescribe(",
    "@ts-nocheck",
];
const SCRIPT_EXTENSIONS: &[&str] = &["ts", "tsx", "js", "mjs", "jsx"];

/// Looks at Rust code without strings and comments, and at every line of TypeScript.
pub(super) fn check(texts: &[Text]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for text in texts {
        if has_extension(&text.path, "rs") {
            let code = RustSource::read(&text.content).code;
            find(text, &code, RUST, &mut findings);
        } else if SCRIPT_EXTENSIONS.iter().any(|extension| has_extension(&text.path, extension)) {
            find(text, &text.content, SCRIPT, &mut findings);
        }
    }
    findings
}

fn find(text: &Text, code: &str, refused: &[&str], findings: &mut Vec<Finding>) {
    for (at, word) in refused.iter().flat_map(|word| code.match_indices(word)) {
        let inside_a_name =
            word.starts_with(char::is_alphabetic) && code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        if !inside_a_name {
            findings.push(Finding {
                path: text.path.clone(),
                line: line_of(code, at),
                what: format!("`{word}`"),
                why: WHY,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::text;

    #[test]
    fn planted_skips_are_found() {
        for (path, content, expected) in [
            ("a.rs", "#[ignore = \"slow\"]\nfn f() {}", 1),
            ("a.rs", "fn f() { todo!() }", 1),
            ("a.rs", "fn f() { items.iter().skip(1); g(\"todo!\"); } // #[ignore]", 0),
            ("a.test.ts", "test.skip(\"x\", () => {})", 1),
            ("a.test.ts", "describe.only(\"x\", () => {})", 1),
            ("a.test.tsx", "process.exit(1); await(1)", 0),
            ("a.md", "test.skip(", 0),
        ] {
            assert_eq!(check(&[text(path, content)]).len(), expected, "{content}");
        }
    }
}
