//! Rule: every Rust file opens with `//!`.

use super::{Finding, Text, has_extension};

/// Looks at the first line that holds anything.
pub(super) fn check(texts: &[Text]) -> Vec<Finding> {
    let undocumented = |text: &&Text| {
        !text
            .content
            .lines()
            .find(|line| !line.trim().is_empty())
            .is_some_and(|line| line.starts_with("//! "))
    };
    texts
        .iter()
        .filter(|text| has_extension(&text.path, "rs"))
        .filter(undocumented)
        .map(|text| Finding {
            path: text.path.clone(),
            line: 1,
            what: "the module does not open with `//!`".to_owned(),
            why: "a reader learns first what a module is and what it deliberately does not do",
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::text;

    #[test]
    fn a_silent_module_is_found() {
        let texts = [
            text("a.rs", "//! What it is.\n"),
            text("b.rs", "use x;\n//! late\n"),
            text("c.rs", ""),
            text("d.md", "# no Rust"),
        ];
        let found: Vec<_> = check(&texts).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["b.rs", "c.rs"]);
    }
}
