//! Rule: every relative link in a Markdown file leads to a file of the repository, and its anchor to a heading.

use super::{Finding, Text, has_extension};
use std::collections::{BTreeMap, BTreeSet};

const WHY: &str = "a reader who follows a dead link stops trusting the page";

/// Checks all Markdown files against the list of all paths.
pub(super) fn check(texts: &[Text], paths: &[String]) -> Vec<Finding> {
    let mut known: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
    for path in paths {
        known.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
    }
    let pages: BTreeMap<&str, BTreeSet<String>> = texts
        .iter()
        .filter(|text| has_extension(&text.path, "md"))
        .map(|text| (text.path.as_str(), anchors(&text.content)))
        .collect();
    let mut findings = Vec::new();
    for text in texts.iter().filter(|text| has_extension(&text.path, "md")) {
        for (line, target) in targets(&text.content) {
            if let Some(what) = fault(&text.path, &target, &known, &pages) {
                findings.push(Finding {
                    path: text.path.clone(),
                    line,
                    what,
                    why: WHY,
                });
            }
        }
    }
    findings
}

fn fault(page: &str, target: &str, known: &BTreeSet<&str>, pages: &BTreeMap<&str, BTreeSet<String>>) -> Option<String> {
    let external = target.contains("://") || target.starts_with("mailto:");
    if external || target.is_empty() {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let Some(path) = (if file.is_empty() {
        Some(page.to_owned())
    } else {
        resolve(page, file)
    }) else {
        return Some(format!("the link `{target}` leaves the repository"));
    };
    // The root itself is the empty path.
    if !path.is_empty() && !known.contains(path.as_str()) {
        return Some(format!("the link `{target}` leads nowhere"));
    }
    let dead = !anchor.is_empty() && pages.get(path.as_str()).is_some_and(|anchors| !anchors.contains(anchor));
    dead.then(|| format!("no heading answers to `{target}`"))
}

/// The path that a link means, relative to the root; `None` if it climbs out of it.
fn resolve(page: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Every link target with its line: `[text](target)`, `[name]: target`, `src="target"` and `href="target"`.
fn targets(content: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, text) in prose(content) {
        for (at, opener) in text.match_indices("](") {
            let rest = &text[at + opener.len()..];
            let end = rest.find(')').unwrap_or(rest.len());
            found.push((
                line,
                rest[..end]
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .trim_matches(['<', '>'])
                    .to_owned(),
            ));
        }
        for opener in ["src=\"", "href=\""] {
            for (at, _) in text.match_indices(opener) {
                found.push((line, text[at + opener.len()..].split('"').next().unwrap_or_default().to_owned()));
            }
        }
        if let Some((_, target)) = text.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            found.push((line, target.split_whitespace().next().unwrap_or_default().to_owned()));
        }
    }
    found
}

/// The lines outside fenced code, with inline code removed, and their numbers.
fn prose(content: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in content.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((index + 1, line.split('`').step_by(2).collect::<Vec<_>>().join("``")));
        }
    }
    lines
}

/// The anchors that GitHub and mdBook make of the headings.
fn anchors(content: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in content.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if let Some(heading) = line.strip_prefix('#').filter(|_| !fenced) {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|character| character.is_alphanumeric() || " -_".contains(*character));
            found.insert(kept.map(|character| if character == ' ' { '-' } else { character }).collect());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::text;

    fn faults(page: &str, content: &str) -> Vec<String> {
        let texts = [
            text(page, content),
            text("docs/guide/start.md", "# First start\n```sh\n# no heading\n```\n"),
        ];
        let paths = [page.to_owned(), "docs/guide/start.md".to_owned(), "docs/assets/x.png".to_owned()];
        check(&texts, &paths).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn links_that_hold_pass() {
        let good = "[a](docs/guide/start.md#first-start) ![b](docs/assets/x.png) [c](https://example.org/x) [d](docs) [e](#top)\n# Top\n`[f](gone.md)`\n```\n[g](gone.md)\n```\n";
        assert_eq!(faults("README.md", good), Vec::<String>::new());
        assert_eq!(faults("docs/adr/x.md", "[up](../guide/start.md) [root](../../README.md)").len(), 1);
    }

    #[test]
    fn planted_dead_links_are_found() {
        for content in [
            "[a](gone.md)",
            "[a](docs/guide/start.md#gone)",
            "[a](../outside.md)",
            "<img src=\"gone.png\">",
            "[a]: gone.md",
            "[a](#gone)",
        ] {
            assert_eq!(faults("README.md", content).len(), 1, "{content}");
        }
    }
}
