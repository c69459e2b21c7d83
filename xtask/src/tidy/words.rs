//! Rule: no file names a machine, a registry host, or anything outside the repository.
//!
//! The words below are put together from halves, so that this file keeps its own rule.

use super::{Finding, Text};

const WHY_PATH: &str = "a path of one machine means nothing on another";
const WHY_HOST: &str = "which registry serves a package is a setting of the machine, not of the project";
const WHY_LOCK: &str = "the lock file pins packages by content; a foreign address or a local path would only work here";

/// Folders of a machine. They count where an absolute path starts, not inside `web/root/`.
const FOLDERS: &[&str] = &[
    concat!("/ro", "ot"),
    concat!("/wo", "rk"),
    concat!("/ho", "me"),
    concat!("/Us", "ers"),
    concat!("/tmp/", "nx"),
];
const HOSTS: &[&str] = &[
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("arti", "factory"),
    concat!("pypi.o", "rg"),
];
const OUTSIDE: &[&str] = &[concat!("../sha", "red"), concat!(".lib", "rary/")];

/// The only address that npm itself writes into a lock file by default.
const NPM: &str = concat!("https://registry.npm", "js.org/");
const LOCK: &str = "package-lock.json";

/// Looks at every line of every text file.
pub(super) fn check(texts: &[Text]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for text in texts {
        for (index, line) in text.content.lines().enumerate() {
            let found = if text.path.ends_with(LOCK) {
                lock_line(line)
            } else {
                any_line(line)
            };
            findings.extend(found.map(|(what, why)| Finding {
                path: text.path.clone(),
                line: index + 1,
                what,
                why,
            }));
        }
    }
    findings
}

fn any_line(line: &str) -> Option<(String, &'static str)> {
    if let Some(folder) = FOLDERS.iter().find(|folder| names_folder(line, folder)) {
        return Some((format!("the path `{folder}…`"), WHY_PATH));
    }
    if let Some(host) = HOSTS.iter().find(|host| line.contains(**host)) {
        return Some((format!("the host `{host}`"), WHY_HOST));
    }
    OUTSIDE
        .iter()
        .find(|outside| line.contains(**outside))
        .map(|outside| (format!("`{outside}`, which is not in the repository"), WHY_PATH))
}

/// npm may leave `resolved` out, write the public address, or name a workspace folder. Nothing else.
fn lock_line(line: &str) -> Option<(String, &'static str)> {
    let Some(resolved) = line.trim().strip_prefix("\"resolved\": \"") else {
        return any_line(line).filter(|(_, why)| *why == WHY_PATH);
    };
    let address = resolved.split('"').next().unwrap_or_default();
    let foreign = address.contains(':') && !address.starts_with(NPM);
    (foreign || address.starts_with('/') || address.contains("..")).then(|| (format!("resolved from `{address}`"), WHY_LOCK))
}

fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let starts_a_path = !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-/}~".contains(before));
        let rest = &line[at + folder.len()..];
        let continues = rest
            .strip_prefix('/')
            .is_some_and(|rest| rest.starts_with(|next: char| next.is_alphanumeric() || "._-$<{".contains(next)));
        starts_a_path && continues
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::text;

    fn found(path: &str, line: &str) -> bool {
        !check(&[text(path, line)]).is_empty()
    }

    #[test]
    fn planted_words_are_found() {
        let (home, root, host) = (FOLDERS[2], FOLDERS[0], HOSTS[0]);
        assert!(found("a.md", &format!("see {home}/alice/x")));
        assert!(found("a.rs", &format!("let path = \"{root}/.cargo\";")));
        assert!(found("a.toml", &format!("registry = \"https://{host}/\"")));
        assert!(found("a.md", &format!("see {}/design", OUTSIDE[0])));
        assert!(!found("a.md", &format!("web{root}/x and a route {home}")));
    }

    #[test]
    fn a_lock_file_may_name_the_public_registry_and_its_workspaces() {
        assert!(!found(LOCK, &format!("\"resolved\": \"{NPM}react/-/react-19.0.0.tgz\",")));
        assert!(!found(LOCK, "\"resolved\": \"sdk/typescript\","));
        assert!(found(LOCK, "\"resolved\": \"https://mirror.example/react.tgz\","));
        assert!(found(LOCK, "\"resolved\": \"file:../elsewhere\","));
        assert!(found(LOCK, &format!("\"resolved\": \"{}/x/react.tgz\",", FOLDERS[0])));
    }
}
