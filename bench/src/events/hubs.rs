//! A server whose hub the bench may use, with the rules that a row needs.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use super::payments::SECRET;
use crate::cores::Place;
use crate::servers::Server;
use crate::{Bench, Outcome};

/// A rule: the name of its file without `.toml`, and its text.
pub(super) type Rule<'a> = (&'a str, &'a str);

/// Writes rules where a server finds them at its start. Without any it has none, not even those that come with it.
pub(super) fn write_rules(data: &Path, rules: &[Rule<'_>]) -> Outcome<()> {
    let folder = data.join("reactors");
    // A server takes no folder that others may look into.
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    for (name, text) in rules {
        std::fs::write(folder.join(format!("{name}.toml")), text)?;
    }
    Ok(())
}

/// Starts a server over a data directory. `factory` is whom its rules may ask.
pub(super) fn start(bench: &Bench, data: &Path, place: Place, factory: Option<&str>) -> Outcome<Server> {
    start_with(
        bench,
        data,
        place,
        &factory.map(|url| ("FACTORY_API_URL", url)).into_iter().collect::<Vec<_>>(),
    )
}

/// The same with these variables.
pub(super) fn start_with(bench: &Bench, data: &Path, place: Place, variables: &[(&str, &str)]) -> Outcome<Server> {
    let mut all = vec![("NEXUS_SECRET", SECRET)];
    all.extend_from_slice(variables);
    Server::start_in(bench, data, place, &[], &all)
}
