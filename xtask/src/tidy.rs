//! `cargo xtask tidy`: the rules of this repository that no compiler knows.
//!
//! Every rule is a pure function from file texts (or from `cargo metadata`) to findings, and is itself tested with a planted fault.
//! A rule has no list of exceptions in the code it judges: what is allowed stands in the rule, as data, beside the reason.

mod backends;
mod layers;
mod links;
mod manifests;
mod modules;
mod skips;
mod sql;
mod words;

use crate::repo::Repo;
use crate::{Outcome, flags, tools};
use std::fmt;
use std::fs;
use std::path::Path;

/// One text file of the repository.
struct Text {
    /// Relative to the root, with `/`.
    path: String,
    content: String,
}

/// One breach of one rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    what: String,
    why: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {} ({})", self.path, self.line, self.what, self.why)
    }
}

/// Runs all rules, from the command line.
pub(crate) fn start(repo: &Repo, arguments: &[String]) -> Outcome {
    flags(arguments, &[])?;
    tidy(repo)
}

/// Runs all rules and prints every finding.
pub(crate) fn tidy(repo: &Repo) -> Outcome {
    let paths = paths(repo)?;
    let texts: Vec<Text> = paths
        .iter()
        .filter_map(|path| {
            Some(Text {
                path: path.clone(),
                content: fs::read_to_string(repo.root.join(path)).ok()?,
            })
        })
        .collect();
    let mut findings = layers::check(&layers::packages(repo)?);
    findings.extend(manifests::check(&texts));
    findings.extend(modules::check(&texts));
    findings.extend(sql::check(&texts));
    findings.extend(backends::check(&texts));
    findings.extend(skips::check(&texts));
    findings.extend(words::check(&texts));
    findings.extend(links::check(&texts, &paths));
    findings.sort_by(|one, other| (&one.path, one.line).cmp(&(&other.path, other.line)));
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => {
            eprintln!("tidy: {} files keep the rules", paths.len());
            Ok(())
        }
        1 => Err("one finding".to_owned()),
        count => Err(format!("{count} findings")),
    }
}

/// Every file that is, or is about to be, part of the repository: tracked, or new and not ignored.
fn paths(repo: &Repo) -> Result<Vec<String>, String> {
    let listed = tools::output(
        repo.command("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]),
    );
    let mut paths = Vec::new();
    if let Ok(listed) = listed {
        // A file that is deleted but not yet committed is still listed.
        paths.extend(
            listed
                .split_terminator('\0')
                .filter(|path| repo.root.join(path).exists())
                .map(str::to_owned),
        );
    } else {
        // A source archive has no git; then everything counts that no build makes.
        walk(&repo.root, "", &mut paths).map_err(|cause| format!("cannot list {}: {cause}", repo.root.display()))?;
    }
    paths.sort();
    paths.dedup();
    if paths.is_empty() {
        Err("the repository seems to have no files; the rules were not checked".to_owned())
    } else {
        Ok(paths)
    }
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> std::io::Result<()> {
    const MADE: &[&str] = &["target", "node_modules", "dist", ".git", "nexus-data"];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            if !MADE.contains(&name.as_str()) {
                walk(&entry.path(), &format!("{path}/"), found)?;
            }
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether the path ends in `.<extension>`.
fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// The workspace package whose `src` holds this file: `crates/nexus-core/src/…` is `nexus-core`'s.
fn package_of_source(path: &str) -> Option<&str> {
    let mut parts = path.split('/');
    match (parts.next()?, parts.next()?) {
        ("crates", package) if parts.next() == Some("src") => Some(package),
        ("bench", "src") => Some("nexus-bench"),
        ("xtask", "src") => Some("xtask"),
        _ => None,
    }
}

#[cfg(test)]
fn text(path: &str, content: &str) -> Text {
    Text {
        path: path.to_owned(),
        content: content.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_belong_to_their_package() {
        assert_eq!(package_of_source("crates/nexus-core/src/messages/send.rs"), Some("nexus-core"));
        assert_eq!(package_of_source("bench/src/main.rs"), Some("nexus-bench"));
        assert_eq!(package_of_source("crates/nexus-core/tests/it/main.rs"), None);
        assert_eq!(package_of_source("web/src/main.ts"), None);
    }

    #[test]
    fn a_finding_names_file_line_and_reason() {
        let finding = Finding {
            path: "a.rs".to_owned(),
            line: 7,
            what: "planted".to_owned(),
            why: "because",
        };
        assert_eq!(finding.to_string(), "a.rs:7: planted (because)");
    }
}
