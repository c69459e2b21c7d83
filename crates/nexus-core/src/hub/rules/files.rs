//! The folder of rules: read wholly, looked at cheaply for changes, and made once with the rules that are shipped.
//!
//! One bad file never stops the others. This is the only place of the rules that touches a disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use nexus_types::limits::{RULE_BYTES_MAX, RULES_MAX};
use sha2::{Digest, Sha256};

use super::{Environment, Rule, RuleError};
use crate::hub::TypeRegistry;

const ENDING: &str = ".toml";
const NAME_CHARS_MAX: usize = 64;
/// Entries of the folder that are looked at. Whoever has more has not put rules there.
const ENTRIES_MAX: usize = 10_000;

const SHIPPED: &[(&str, &str)] = &[
    ("payment-to-mint.toml", include_str!("shipped/payment-to-mint.toml")),
    ("notify-channel.toml", include_str!("shipped/notify-channel.toml")),
];

/// What a folder holds, in order of names.
#[derive(Default)]
pub struct LoadedRules {
    /// Those that run.
    pub rules: Vec<Arc<Rule>>,
    /// Those that lack a variable of the environment; [`Rule::idle`] says which.
    pub idle: Vec<Arc<Rule>>,
    /// Those that a person switched off in the file.
    pub off: Vec<Arc<Rule>>,
    /// What is wrong with the others, several places for one file perhaps.
    pub refused: Vec<RuleError>,
    /// Could the folder not be read at all? Then nothing is known of its rules.
    pub is_unknown: bool,
}

/// How a folder looks from outside: names, sizes and times. Equal ones need not be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// Reads every rule of a folder. A folder that does not exist has none.
pub fn load(folder: &Path, types: &TypeRegistry, environment: Environment<'_>) -> LoadedRules {
    let mut loaded = LoadedRules::default();
    let files = match list(folder) {
        Ok(files) => files,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return loaded,
        Err(cause) => {
            let reason = format!("The folder of rules can't be read: {cause}.");
            loaded.refused.push(whole(&folder.display().to_string(), reason, None));
            loaded.is_unknown = true;
            return loaded;
        }
    };
    for file in files.keys().skip(RULES_MAX) {
        let reason = format!("There are more than {RULES_MAX} rules, and this one was not read.");
        loaded.refused.push(whole(file, reason, Some("Remove what is not needed.")));
    }
    for file in files.keys().take(RULES_MAX) {
        match read(folder, file, types, environment) {
            Ok(rule) if !rule.is_enabled() => loaded.off.push(Arc::new(rule)),
            Ok(rule) if rule.idle().is_some() => loaded.idle.push(Arc::new(rule)),
            Ok(rule) => loaded.rules.push(Arc::new(rule)),
            Err(errors) => loaded.refused.extend(errors),
        }
    }
    loaded
}

/// Looks at a folder without reading its files.
pub fn fingerprint(folder: &Path) -> Fingerprint {
    let mut hash = Sha256::new();
    match list(folder) {
        Ok(files) => {
            for (name, (bytes, changed_ns)) in files {
                hash.update(name.len().to_be_bytes());
                hash.update(name.as_bytes());
                hash.update(bytes.to_be_bytes());
                hash.update(changed_ns.to_be_bytes());
            }
        }
        Err(cause) => hash.update(cause.kind().to_string().as_bytes()),
    }
    Fingerprint(hash.finalize().into())
}

/// Makes the folder with the rules that are shipped, for this user alone, unless something is there already. It is there wholly or not
/// at all. Says whether it was made.
///
/// # Errors
/// What the file system says.
pub fn write_shipped(folder: &Path) -> io::Result<bool> {
    if fs::symlink_metadata(folder).is_ok() {
        return Ok(false);
    }
    let draft = folder.with_added_extension("new");
    // What a start left behind that was cut off; nobody else can be writing it, as the server holds the data directory's lock.
    if draft.exists() {
        fs::remove_dir_all(&draft)?;
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&draft)?;
    fill(&draft)?;
    sync(&draft)?;
    fs::rename(&draft, folder)?;
    sync(
        folder
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new(".")),
    )?;
    Ok(true)
}

/// Makes sure that the names in a folder last.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn fill(folder: &Path) -> io::Result<()> {
    for (name, source) in SHIPPED {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(folder.join(name))?;
        file.write_all(source.as_bytes())?;
        file.sync_all()?;
    }
    Ok(())
}

/// The files that would be rules, with their sizes and times. Hidden files, folders and other endings are somebody else's.
fn list(folder: &Path) -> io::Result<BTreeMap<String, (u64, u128)>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)?.take(ENTRIES_MAX) {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(ENDING) || name.starts_with('.') {
            continue;
        }
        // Links are followed: that is how container platforms put files into a folder.
        let seen = fs::metadata(entry.path()).map_or((0, 0), |metadata| {
            let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            (metadata.len(), changed.map_or(0, |time| time.as_nanos()))
        });
        files.insert(name, seen);
    }
    Ok(files)
}

fn read(folder: &Path, file: &str, types: &TypeRegistry, environment: Environment<'_>) -> Result<Rule, Vec<RuleError>> {
    let name = file.strip_suffix(ENDING).unwrap_or(file);
    if !is_name(name) {
        let reason = "The file's name is not the name of a rule.".to_owned();
        return Err(vec![whole(
            file,
            reason,
            Some("Use small letters, digits and dashes, at most 64, such as payment-to-mint.toml."),
        )]);
    }
    let source = text(&folder.join(file)).map_err(|(reason, hint)| vec![whole(file, reason, hint)])?;
    Rule::read(name, &source, types, environment)
}

/// May a rule be called this?
pub fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

type Unread = (String, Option<&'static str>);

/// The text of a regular file that is not too long. Anything else is not even opened: reading a pipe would wait for ever.
fn text(path: &Path) -> Result<String, Unread> {
    let unreadable = |cause: io::Error| (format!("The file can't be read: {cause}."), None);
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(("This is no regular file.".to_owned(), Some("Put the rule itself here.")));
    }
    let mut bytes = vec![];
    let limit = RULE_BYTES_MAX as u64 + 1;
    let file = File::open(path).map_err(unreadable)?;
    file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > RULE_BYTES_MAX {
        let reason = format!("The file is longer than {RULE_BYTES_MAX} bytes.");
        return Err((reason, Some("Divide it into several rules.")));
    }
    String::from_utf8(bytes).map_err(|_| ("The file is not UTF-8 text.".to_owned(), Some("Save it as UTF-8.")))
}

fn whole(file: &str, reason: String, hint: Option<&str>) -> RuleError {
    RuleError {
        file: file.to_owned(),
        line: 1,
        column: 1,
        reason,
        hint: hint.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::places::ERRORS_PER_FILE_MAX;
    use super::*;

    const GOOD: &str = "on = [\"START\"]\n[message]\nchannel = \"1\"\ntext = \"x\"\n";

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn read(folder: &Path) -> LoadedRules {
        load(folder, &TypeRegistry::new(vec![]).expect("the built-in types"), &nothing)
    }

    fn names(rules: &[Arc<Rule>]) -> Vec<&str> {
        rules.iter().map(|rule| rule.name()).collect()
    }

    #[test]
    fn one_bad_file_never_stops_the_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).expect("written");
        put("good.toml", GOOD.as_bytes());
        put("off.toml", format!("enabled = false\n{GOOD}").as_bytes());
        put("idle.toml", GOOD.replace("\"1\"", "\"{{ env.NOT_SET }}\"").as_bytes());
        put("bad.toml", b"on = [");
        put("Upper.toml", GOOD.as_bytes());
        put("-dash.toml", GOOD.as_bytes());
        put("latin.toml", b"# \xe9\n");
        put("long.toml", &vec![b'#'; RULE_BYTES_MAX + 1]);
        put("many.toml", "= 1\n".repeat(100).as_bytes());
        put("README.md", b"notes");
        put(".hidden.toml", b"on = [");
        fs::create_dir(folder.path().join("folder.toml")).expect("made");
        symlink(folder.path().join("good.toml"), folder.path().join("link.toml")).expect("linked");
        symlink("/dev/zero", folder.path().join("zero.toml")).expect("linked");
        symlink(folder.path().join("nowhere"), folder.path().join("broken.toml")).expect("linked");
        let loaded = read(folder.path());
        assert_eq!(names(&loaded.rules), ["good", "link"]);
        assert_eq!((names(&loaded.idle), names(&loaded.off)), (vec!["idle"], vec!["off"]));
        let mut refused: Vec<_> = loaded.refused.iter().map(|error| error.file.as_str()).collect();
        refused.dedup();
        let wanted = ["-dash", "Upper", "bad", "broken", "folder", "latin", "long", "many", "zero"];
        assert_eq!(refused, wanted.map(|name| format!("{name}.toml")));
        let irregular = loaded.refused.iter().filter(|error| error.reason == "This is no regular file.");
        assert_eq!(
            irregular.map(|error| &*error.file).collect::<Vec<_>>(),
            ["folder.toml", "zero.toml"]
        );
        let of_many = loaded.refused.iter().filter(|error| error.file == "many.toml");
        assert_eq!(of_many.count(), ERRORS_PER_FILE_MAX);
    }

    #[test]
    fn a_folder_that_is_missing_is_empty_and_one_that_is_none_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(read(&folder.path().join("nothing")).refused.is_empty());
        let file = folder.path().join("file");
        fs::write(&file, "").expect("written");
        assert_eq!(read(&file).refused.len(), 1);
    }

    #[test]
    fn more_rules_than_there_may_be_are_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..RULES_MAX + 2 {
            fs::write(folder.path().join(format!("rule-{number:03}.toml")), GOOD).expect("written");
        }
        let loaded = read(folder.path());
        assert_eq!(loaded.rules.len(), RULES_MAX);
        let refused: Vec<_> = loaded.refused.iter().map(|error| error.file.as_str()).collect();
        assert_eq!(refused, ["rule-200.toml", "rule-201.toml"]);
    }

    #[test]
    fn a_change_is_seen_from_outside() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.toml");
        let mut seen = vec![fingerprint(&folder.path().join("nothing")), fingerprint(folder.path())];
        fs::write(&path, "one").expect("written");
        seen.push(fingerprint(folder.path()));
        fs::write(&path, "one more").expect("written");
        seen.push(fingerprint(folder.path()));
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
        let touched = File::options().append(true).open(&path);
        touched.and_then(|file| file.set_modified(later)).expect("touched");
        seen.push(fingerprint(folder.path()));
        fs::rename(&path, folder.path().join("b.toml")).expect("renamed");
        seen.push(fingerprint(folder.path()));
        for (index, one) in seen.iter().enumerate() {
            assert!(!seen[index + 1..].contains(one), "{index}");
        }
        fs::write(folder.path().join("notes.txt"), "other").expect("written");
        assert_eq!(fingerprint(folder.path()), seen[5]);
    }

    #[test]
    fn the_shipped_rules_are_written_once_and_privately() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/reactors");
        assert!(write_shipped(&path).expect("written"));
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("payment-to-mint.toml"))), (0o700, 0o600));
        fs::remove_file(path.join("payment-to-mint.toml")).expect("removed");
        assert!(!write_shipped(&path).expect("nothing to do"));
        let left: Vec<_> = list(&path).expect("a folder").into_keys().collect();
        assert_eq!(left, ["notify-channel.toml"]);
        // What a start left behind that was cut off is no hindrance.
        fs::create_dir(path.with_added_extension("new")).expect("left behind");
        fs::remove_dir_all(&path).expect("removed");
        assert!(write_shipped(&path).expect("written"));
        assert_eq!(fs::read_dir(path.parent().expect("a parent")).expect("a folder").count(), 1);
    }
}
