//! The programs that are not ours: is the right version there, and if not, what to do.
//!
//! Nothing is installed behind the user's back: npm packages go into `node_modules`, without their scripts; where Debian's Chromium or
//! its Rust for WebAssembly is missing and apt may be used, it is said what is installed.

use crate::Outcome;
use crate::repo::{Repo, fingerprint};
use crate::steps::{execute, shown};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The oldest Rust that builds us; `rust-version` in Cargo.toml says the same.
const RUST_MIN: (u32, u32) = (1, 95);
/// Where Debian and most distributions put it, after `PATH` has been searched.
const CHROMIUM_DEFAULT: &str = "/usr/bin/chromium";
const CHROMIUM_NAMES: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// Holds the fingerprint of the lock file and Node version that `node_modules` was installed from.
const STAMP: &str = "node_modules/.nexus-stamp";

/// Rust of a version that builds us.
pub(crate) fn rust(repo: &Repo) -> Outcome {
    let text = output(
        repo.command(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .arg("--version"),
    )
    .map_err(|why| format!("Rust is missing ({why}); install it as https://rustup.rs says"))?;
    let found = text.split_whitespace().nth(1).unwrap_or_default();
    match version(found) {
        Some((major, minor)) if (major, minor) >= RUST_MIN => Ok(()),
        _ => Err(format!(
            "Rust {}.{} or newer is needed, this is `{}`; run `rustup update stable`",
            RUST_MIN.0,
            RUST_MIN.1,
            text.trim()
        )),
    }
}

/// Node of a version that builds the web client.
pub(crate) fn node(repo: &Repo) -> Outcome {
    const ADVICE: &str = "Install the current LTS release from https://nodejs.org (Debian 12's own package is too old) and try again";
    let text = output(repo.command("node").arg("--version")).map_err(|why| format!("Node.js is missing ({why}). {ADVICE}"))?;
    if !version(text.trim().trim_start_matches('v')).is_some_and(node_suffices) {
        return Err(format!(
            "Node.js 20.19, 22.12 or newer is needed for the web client, this is {}. {ADVICE}",
            text.trim()
        ));
    }
    output(repo.npm(&["--version"]).env("npm_config_update_notifier", "false"))
        .map_err(|why| format!("npm is missing ({why}). {ADVICE}"))?;
    Ok(())
}

/// `npm ci --ignore-scripts`, unless `node_modules` was made from this very lock file by this very Node.
pub(crate) fn npm_ci(repo: &Repo) -> Outcome {
    let lock = repo.root.join("package-lock.json");
    let mut content = fs::read(&lock).map_err(|cause| format!("cannot read package-lock.json: {cause}"))?;
    content.extend(output(repo.command("node").arg("--version"))?.into_bytes());
    let wanted = format!("{:016x}", fingerprint(&content));
    let stamp = repo.root.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        eprintln!("node_modules matches package-lock.json");
        return Ok(());
    }
    execute(repo.npm(&["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
    fs::write(&stamp, wanted).map_err(|cause| format!("cannot write {}: {cause}", stamp.display()))
}

/// Whether cargo-nextest is installed; without it `cargo test` runs the same tests.
pub(crate) fn has_nextest(repo: &Repo) -> bool {
    output(&mut repo.cargo(&["nextest", "--version"])).is_ok()
}

/// The Chromium for the browser tests: `NEXUS_CHROMIUM`, then `PATH`, then Debian's place, then installed by apt.
pub(crate) fn chromium(repo: &Repo) -> Result<PathBuf, String> {
    if let Some(set) = env::var_os("NEXUS_CHROMIUM").filter(|set| !set.is_empty()).map(PathBuf::from) {
        return if set.is_file() {
            Ok(set)
        } else {
            Err(format!("NEXUS_CHROMIUM names {}, which is no file", set.display()))
        };
    }
    if let Some(found) = find_chromium() {
        return Ok(found);
    }
    install_chromium(repo).map_err(|why| {
        format!("the browser tests need Chromium, and {why}. Run `sudo apt-get install -y chromium`, or set NEXUS_CHROMIUM to a Chromium or Chrome of yours")
    })?;
    find_chromium().ok_or_else(|| "apt installed chromium, but it is neither in PATH nor in /usr/bin".to_owned())
}

fn find_chromium() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let named = env::split_paths(&path).flat_map(|folder| CHROMIUM_NAMES.iter().map(move |name| folder.join(name)));
    named.chain([PathBuf::from(CHROMIUM_DEFAULT)]).find(|candidate| candidate.is_file())
}

fn install_chromium(repo: &Repo) -> Outcome {
    apt_install(
        repo,
        "Chromium, for the browser tests",
        &["chromium", "chromium-sandbox", "fonts-liberation"],
    )
}

/// Installs packages of the distribution, if this machine has apt and we may use it without asking for a password.
pub(crate) fn apt_install(repo: &Repo, what: &str, packages: &[&str]) -> Outcome {
    if output(repo.command("apt-get").arg("--version")).is_err() {
        return Err("this machine has no apt-get to install it with".to_owned());
    }
    let root = output(repo.command("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0");
    let sudo = !root && output(repo.command("sudo").args(["-n", "true"])).is_ok();
    if !root && !sudo {
        return Err("it can only be installed by root".to_owned());
    }
    eprintln!("Missing: {what}. Installing it with apt: {}", packages.join(" "));
    let apt = |arguments: &[&str]| {
        let mut command = if root { repo.command("apt-get") } else { repo.command("sudo") };
        if !root {
            command.args(["-n", "apt-get"]);
        }
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    execute(apt(&["update", "-q"]))?;
    execute(apt(&[&["install", "-y", "-q", "--no-install-recommends"], packages].concat()))
}

/// What a program printed, or why it printed nothing.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let line = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| format!("`{line}` did not start: {cause}"))?;
    if !output.status.success() {
        return Err(format!(
            "`{line}` ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{line}` printed something that is not text"))
}

/// Whether a file that a build must have made is there.
pub(crate) fn must_exist(path: &Path) -> Outcome {
    if path.is_file() {
        Ok(())
    } else {
        Err(format!("the build ended well, but {} is not there", path.display()))
    }
}

/// What Vite needs of Node.
///
/// # Source
/// `engines` of vite 8: `^20.19.0 || >=22.12.0`.
fn node_suffices((major, minor): (u32, u32)) -> bool {
    match major {
        20 => minor >= 19,
        22 => minor >= 12,
        _ => major > 22,
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("1.95.0"), Some((1, 95)));
        assert_eq!(version("20.9.0"), Some((20, 9)));
        assert_eq!(version("nonsense"), None);
    }

    #[test]
    fn node_is_judged_as_vite_judges_it() {
        for (version, enough) in [
            ((18, 20), false),
            ((20, 18), false),
            ((20, 19), true),
            ((21, 7), false),
            ((22, 11), false),
            ((22, 12), true),
            ((24, 0), true),
        ] {
            assert_eq!(node_suffices(version), enough, "{version:?}");
        }
    }
}
