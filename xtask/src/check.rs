//! `cargo xtask check`: everything that judges the source without running it. It is the pre-commit check.

use crate::repo::Repo;
use crate::steps::{Steps, execute};
use crate::{Outcome, flags, tidy, tools, wasm};
use std::fs;
use std::path::PathBuf;

/// The hook that `--install-hook` writes; git starts it in the root of the clone.
const HOOK: &str = "#!/bin/sh\n# Installed by `cargo xtask check --install-hook`.\nexec cargo xtask check\n";

/// Runs the checks, or installs them as git's pre-commit hook.
pub(crate) fn start(repo: &Repo, arguments: &[String]) -> Outcome {
    if flags(arguments, &["--install-hook"])?.is_empty() {
        check(repo)
    } else {
        install_hook(repo)
    }
}

/// Formatting of all Rust code.
pub(crate) fn fmt(repo: &Repo) -> Outcome {
    execute(repo.cargo(&["fmt", "--all", "--", "--check"])).map_err(|why| format!("{why}; `cargo fmt --all` repairs it"))
}

/// Every lint of the workspace as an error.
pub(crate) fn clippy(repo: &Repo) -> Outcome {
    execute(repo.cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn check(repo: &Repo) -> Outcome {
    // All of them, always: whoever commits wants the whole list, not the first line of it.
    let mut steps = Steps::new(true);
    steps.step("tools", || tools::rust(repo).and_then(|()| tools::node(repo)));
    steps.step("fmt", || fmt(repo));
    steps.step("tidy", || tidy::tidy(repo));
    steps.step("npm ci", || tools::npm_ci(repo));
    steps.program("biome", repo.npm(&["run", "lint"]));
    steps.step("wasm", || wasm::build(repo));
    steps.program("tsc", repo.npm(&["run", "typecheck"]));
    steps.step("clippy", || clippy(repo));
    steps.finish()
}

fn install_hook(repo: &Repo) -> Outcome {
    let folder = tools::output(repo.command("git").args(["rev-parse", "--git-path", "hooks"]))?;
    let hook: PathBuf = repo.root.join(folder.trim()).join("pre-commit");
    if fs::read_to_string(&hook).is_ok_and(|found| found != HOOK) {
        return Err(format!("{} exists and is not ours; it is left as it is", hook.display()));
    }
    let failed = |cause: std::io::Error| format!("cannot write {}: {cause}", hook.display());
    fs::create_dir_all(hook.parent().unwrap_or(&repo.root)).map_err(failed)?;
    fs::write(&hook, HOOK).map_err(failed)?;
    executable(&hook).map_err(failed)?;
    println!("git now runs `cargo xtask check` before every commit ({})", hook.display());
    Ok(())
}

#[cfg(unix)]
fn executable(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(_path: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}
