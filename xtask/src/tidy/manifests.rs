//! Rule: every package inherits the workspace's lints, and names no version or feature of its own.

use super::{Finding, Text};

const WHY_LINTS: &str = "one set of lints for everything, named in the root Cargo.toml";
const WHY_DEPENDENCIES: &str = "every dependency is named once, with the features all share, so that Cargo never builds it twice";

/// Reads the manifests of the members as text.
pub(super) fn check(texts: &[Text]) -> Vec<Finding> {
    texts
        .iter()
        .filter(|text| text.path != "Cargo.toml" && text.path.ends_with("/Cargo.toml"))
        .flat_map(manifest)
        .collect()
}

fn manifest(text: &Text) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut section = "";
    let mut inherits_lints = false;
    for (index, line) in text.content.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if section == "lints" && line.replace(' ', "") == "workspace=true" {
            inherits_lints = true;
        } else if section.ends_with("dependencies") && line.contains('=') && !line.starts_with('#') {
            let dense = line.replace(' ', "");
            if !dense.contains("workspace=true") {
                let what = format!("`{line}` does not say `workspace = true`");
                findings.push(Finding {
                    path: text.path.clone(),
                    line: index + 1,
                    what,
                    why: WHY_DEPENDENCIES,
                });
            } else if dense.contains("features=") {
                let what = format!("`{line}` adds features");
                findings.push(Finding {
                    path: text.path.clone(),
                    line: index + 1,
                    what,
                    why: WHY_DEPENDENCIES,
                });
            }
        }
    }
    if !inherits_lints {
        findings.push(Finding {
            path: text.path.clone(),
            line: 1,
            what: "`[lints] workspace = true` is missing".to_owned(),
            why: WHY_LINTS,
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::text;

    fn findings(content: &str) -> usize {
        check(&[text("crates/x/Cargo.toml", content)]).len()
    }

    #[test]
    fn planted_breaches_are_found() {
        let good = "[package]\nname = \"x\"\n[lints]\nworkspace = true\n[dependencies]\nserde.workspace = true\nx = { workspace = true }\n";
        assert_eq!(findings(good), 0);
        assert_eq!(findings(&good.replace("[lints]\nworkspace = true\n", "")), 1);
        assert_eq!(findings(&format!("{good}[dev-dependencies]\ntokio = \"1\"\n")), 1);
        assert_eq!(
            findings(&good.replace("{ workspace = true }", "{ workspace = true, features = [\"y\"] }")),
            1
        );
    }
}
