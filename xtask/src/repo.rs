//! Where things are: the repository, the target directory, and how cargo and npm are started in them.
//!
//! `xtask` itself lives in `./target`. What it builds goes to a directory of its own per clone, below the user's cache, so that a
//! running `xtask` is never overwritten, two clones never invalidate each other, and `git clean` costs no rebuild.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One clone of the repository and the place where it builds.
pub(crate) struct Repo {
    /// The folder that holds `Cargo.toml` and `package.json`.
    pub(crate) root: PathBuf,
    /// Cargo's target directory for everything that `xtask` spawns.
    pub(crate) target: PathBuf,
    /// Programs that are built once for all clones, by name and version.
    pub(crate) tools: PathBuf,
}

impl Repo {
    /// The clone that this `xtask` was built from.
    pub(crate) fn find() -> Result<Self, String> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().map(Path::to_path_buf).unwrap_or_default();
        if !root.join("Cargo.lock").is_file() || !root.join("xtask").is_dir() {
            return Err(format!(
                "{} is not the repository; start it with `cargo xtask` from inside a clone",
                root.display()
            ));
        }
        let target = target_dir(&root)?;
        let tools = cache_dir().unwrap_or_else(|| target.clone()).join("tools");
        Ok(Self { root, target, tools })
    }

    /// A program of this repository, as cargo built it in `profile` (`debug` or `release`).
    pub(crate) fn binary(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join(profile).join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }

    /// Cargo, in the root, with our target directory and without what `cargo run` told this process about itself.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = self.command(program);
        command.args(arguments);
        command
    }

    /// npm, in the root; it works on all workspaces.
    pub(crate) fn npm(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(OsString::from(if cfg!(windows) { "npm.cmd" } else { "npm" }));
        command.args(arguments);
        command
    }

    /// Any program, in the root.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_")
                || text.starts_with("CARGO_MANIFEST_")
                || text == "CARGO_CRATE_NAME"
                || text == "CARGO_BIN_NAME"
            {
                command.env_remove(&name);
            }
        }
        command
    }
}

/// A fingerprint of some bytes that stays the same on every machine and Rust version.
///
/// # Source
/// FNV-1a, 64 bits, <http://www.isthe.com/chongo/tech/comp/fnv/>. It only tells files and folders apart; nothing is secured by it.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes
        .iter()
        .fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

fn target_dir(root: &Path) -> Result<PathBuf, String> {
    if let Some(set) = env::var_os("CARGO_TARGET_DIR").filter(|set| !set.is_empty()) {
        return Ok(root.join(set));
    }
    let cache =
        cache_dir().ok_or("neither CARGO_TARGET_DIR, XDG_CACHE_HOME nor HOME is set, so there is no place to build in; set one of them")?;
    let clone = root
        .canonicalize()
        .map_err(|cause| format!("cannot read {}: {cause}", root.display()))?;
    Ok(cache
        .join(format!("{:016x}", fingerprint(clone.as_os_str().as_encoded_bytes())))
        .join("target"))
}

/// Our folder below the user's cache.
fn cache_dir() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| {
            env::var_os("HOME")
                .filter(|home| !home.is_empty())
                .map(|home| PathBuf::from(home).join(".cache"))
        })
        .or_else(|| env::var_os("LOCALAPPDATA").map(PathBuf::from));
    cache.map(|cache| cache.join("nexus"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_fnv_1a() {
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fingerprint(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn what_is_spawned_runs_in_the_root_and_builds_in_our_target_directory() {
        let repo = Repo {
            root: PathBuf::from("clone"),
            target: PathBuf::from("cache"),
            tools: PathBuf::from("tools"),
        };
        let command = repo.cargo(&["build"]);
        assert_eq!(command.get_current_dir(), Some(Path::new("clone")));
        assert!(
            command
                .get_envs()
                .any(|(name, value)| name == "CARGO_TARGET_DIR" && value == Some("cache".as_ref()))
        );
    }
}
