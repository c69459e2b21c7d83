//! What rules may know of this process's environment.
//!
//! A rule names a variable as `env.NAME`. What this program keeps secret is deliberately not among them: whoever may try a rule out is
//! not therefore the one who holds the machine.

use std::collections::HashMap;
use std::path::Path;

use super::secrets::{self, FILE};
use crate::exits::Failure;

/// Beginnings of the names of variables that are this program's own.
const OURS: &[&str] = &["NEXUS_", "COSIGNER_"];
/// What the rules that come with the program name. A file of theirs that can't be used stops the start; of others it is passed over.
const KNOWN: &[&str] = &["FACTORY_API_URL", "FACTORY_API_KEY", "NOTIFY_CHANNEL_ID"];

/// The variables that rules may name. One that ends in `_FILE` gives its content under the name without, unless that is set itself.
///
/// # Errors
/// A [`Failure`] that names the variable whose file can't be used.
pub fn for_rules(environment: impl Iterator<Item = (String, String)>) -> Result<HashMap<String, String>, Failure> {
    let all: HashMap<String, String> = environment
        .filter(|(name, _)| !OURS.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    let mut known = all.clone();
    for (name, path) in &all {
        let Some(bare) = name.strip_suffix(FILE).filter(|bare| !bare.is_empty() && !all.contains_key(*bare)) else {
            continue;
        };
        match secrets::file(Path::new(path), name) {
            Ok(text) => drop(known.insert(bare.to_owned(), text.to_string())),
            Err(failure) if KNOWN.contains(&bare) => return Err(failure),
            Err(_) => {}
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn rules_know(pairs: &[(&str, &str)]) -> Result<HashMap<String, String>, Failure> {
        for_rules(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn what_is_ours_is_not_told_and_files_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        fs::write(&path, "k3y\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("closed");
        let file = path.to_str().expect("UTF-8");
        let known = rules_know(&[
            ("NEXUS_SECRET", "s"),
            ("NEXUS_SECRET_FILE", file),
            ("COSIGNER_0_SK", "s"),
            ("FACTORY_API_URL", "http://factory.internal"),
            ("FACTORY_API_KEY_FILE", file),
            ("SSL_CERT_FILE", "/nowhere"),
            ("OTHER", "here"),
            ("OTHER_FILE", file),
        ])
        .expect("good");
        let get = |name: &str| known.get(name).map(String::as_str);
        assert_eq!(
            (get("FACTORY_API_KEY"), get("FACTORY_API_URL")),
            (Some("k3y"), Some("http://factory.internal"))
        );
        assert_eq!(
            (get("OTHER"), get("SSL_CERT"), get("NEXUS_SECRET"), get("COSIGNER_0_SK")),
            (Some("here"), None, None, None)
        );
    }

    #[test]
    fn a_known_file_that_others_can_read_stops_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        fs::write(&path, "k3y").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("opened");
        let file = path.to_str().expect("UTF-8");
        let failure = rules_know(&[("FACTORY_API_KEY_FILE", file)]).expect_err("open to others");
        assert!(failure.what.contains("FACTORY_API_KEY_FILE"), "{failure}");
        assert!(!rules_know(&[("OTHER_FILE", file)]).expect("passed over").contains_key("OTHER"));
    }
}
