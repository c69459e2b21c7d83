//! `cargo xtask wasm`: `bindings/nexus-wasm` for the browser, with the TypeScript types that the web client is checked against.
//!
//! Everything lands in `web/generated/`, which git ignores; nothing happens while the sources are those it was made from. The standard
//! library for `wasm32-unknown-unknown` comes from rustup where it is installed. Debian's own Rust brings its sources instead, and
//! builds it along.

use crate::repo::{Repo, fingerprint};
use crate::steps::execute;
use crate::{Outcome, flags, tools};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "wasm";
const PACKAGE: &str = "nexus-wasm";
/// What the generated files are called.
const NAME: &str = "nexus_wasm";
/// The program and the library of the same name speak to each other through the file, so both have one version (Cargo.toml has the
/// other).
const BINDGEN: &str = "0.2.130";
/// Where the web client imports it from.
pub(crate) const OUTPUT: &str = "web/generated";
/// Below [`OUTPUT`]: the fingerprint of what it was made from.
const STAMP: &str = ".stamp";
/// What decides about the result.
const SOURCES: &[&str] = &[
    "bindings/nexus-wasm",
    "crates/nexus-crypto/src",
    "crates/nexus-crypto/Cargo.toml",
    "Cargo.toml",
    "Cargo.lock",
    "xtask/src/wasm.rs",
];
/// Debian's Rust for the browser: compiler, cargo, the sources of the standard library, and the linker.
const DEBIAN: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld-19"];
const DEBIAN_LINKER: &str = "wasm-ld-19";
const DEBIAN_LIBRARY: &str = "/usr/lib/rustlib/src/rust/library/Cargo.toml";

/// Builds it, unless it is there.
pub(crate) fn start(repo: &Repo, arguments: &[String]) -> Outcome {
    flags(arguments, &[])?;
    tools::rust(repo)?;
    build(repo)
}

/// Makes `web/generated/` what the sources say.
pub(crate) fn build(repo: &Repo) -> Outcome {
    let output = repo.root.join(OUTPUT);
    let wanted = wanted(repo)?;
    let stamp = output.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        eprintln!("{OUTPUT} matches its sources");
        return Ok(());
    }
    let target = repo.target.join("wasm");
    let mut compile = compiler(repo)?;
    compile.args(["build", "--locked", "--package", PACKAGE, "--target", TARGET, "--profile", PROFILE]);
    compile
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", nameless(repo));
    execute(compile)?;

    let mut bind = repo.command(bindgen(repo)?);
    bind.args([
        "--target",
        "web",
        "--remove-name-section",
        "--remove-producers-section",
        "--out-name",
        NAME,
        "--out-dir",
    ]);
    bind.arg(&output)
        .arg(target.join(TARGET).join(PROFILE).join(format!("{NAME}.wasm")));
    execute(bind)?;
    fs::write(&stamp, wanted).map_err(|cause| format!("cannot write {}: {cause}", stamp.display()))
}

/// Compiler flags, separated as cargo wants them, by which no folder of this machine gets into the file: it is sent to browsers, and
/// clones in different places make the same.
fn nameless(repo: &Repo) -> String {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let folders = [(home, "cargo"), (Some(repo.root.clone()), "nexus")];
    let named = folders
        .into_iter()
        .filter_map(|(folder, name)| Some(format!("--remap-path-prefix={}={name}", folder?.display())));
    named.collect::<Vec<_>>().join("\u{1f}")
}

/// Cargo with a standard library for the browser: rustup's, else Debian's, installed if we may.
fn compiler(repo: &Repo) -> Result<Command, String> {
    if has_library(repo) {
        return Ok(repo.cargo(&[]));
    }
    if !has_debian() {
        install(repo)?;
        if has_library(repo) {
            return Ok(repo.cargo(&[]));
        }
    }
    // A Rust of a distribution has no library for the browser. It builds one from its sources, which only nightlies may do without
    // being told to.
    let mut command = repo.command("/usr/bin/cargo");
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([PathBuf::from("/usr/bin")].into_iter().chain(env::split_paths(&path)))
        .map_err(|cause| format!("PATH can't be passed on: {cause}"))?;
    command.env("PATH", path).env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER);
    command.arg("-Zbuild-std=std,panic_abort");
    Ok(command)
}

/// Debian's packages, or rustup's target where there are none.
fn install(repo: &Repo) -> Outcome {
    const WHAT: &str = "a Rust that compiles to WebAssembly, for the web client";
    let Err(no_packages) = tools::apt_install(repo, WHAT, DEBIAN) else {
        return if has_debian() {
            Ok(())
        } else {
            Err(format!("apt installed {}, but they are not in /usr", DEBIAN.join(", ")))
        };
    };
    eprintln!("Missing: {WHAT}. Adding rustup's target {TARGET}");
    let mut rustup = repo.command("rustup");
    rustup.args(["target", "add", TARGET]);
    execute(rustup).map_err(|no_rustup| {
        format!(
            "the web client needs {WHAT}. With apt: {no_packages}. With rustup: {no_rustup}. Run `rustup target add {TARGET}`, or on \
             Debian `sudo apt-get install -y --no-install-recommends {}`",
            DEBIAN.join(" ")
        )
    })
}

/// Does the Rust that builds us have a library for the browser?
fn has_library(repo: &Repo) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let folder = tools::output(repo.command(rustc).args(["--print", "target-libdir", "--target", TARGET]));
    folder.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

fn has_debian() -> bool {
    let programs = ["/usr/bin/cargo", "/usr/bin/rustc", &format!("/usr/bin/{DEBIAN_LINKER}")]
        .map(Path::new)
        .map(Path::is_file);
    programs == [true; 3] && Path::new(DEBIAN_LIBRARY).is_file()
}

/// The program that writes the bindings, in exactly our version: of the PATH, or ours, or installed into the cache.
fn bindgen(repo: &Repo) -> Result<PathBuf, String> {
    let ours = repo.tools.join(format!("wasm-bindgen-{BINDGEN}"));
    let program = ours.join("bin").join(format!("wasm-bindgen{}", env::consts::EXE_SUFFIX));
    for found in [PathBuf::from("wasm-bindgen"), program.clone()] {
        if tools::output(repo.command(&found).arg("--version")).is_ok_and(|text| text.split_whitespace().nth(1) == Some(BINDGEN)) {
            return Ok(found);
        }
    }
    eprintln!("installing wasm-bindgen {BINDGEN} into {}; this is done once", ours.display());
    let mut install = repo.cargo(&["install", "wasm-bindgen-cli", "--version", BINDGEN, "--bin", "wasm-bindgen"]);
    // It runs for a second at a time: what optimising it would cost is never won back.
    install.args(["--debug", "--force", "--root"]).arg(&ours);
    // Below its root it builds in a folder that goes away again.
    install.env("CARGO_TARGET_DIR", ours.join("build"));
    execute(install)?;
    fs::remove_dir_all(ours.join("build")).map_err(|cause| format!("cannot remove {}: {cause}", ours.join("build").display()))?;
    tools::must_exist(&program)?;
    Ok(program)
}

/// The fingerprint of everything that decides about the result.
fn wanted(repo: &Repo) -> Result<String, String> {
    let mut content = BINDGEN.as_bytes().to_vec();
    for source in SOURCES {
        read_into(&mut content, &repo.root.join(source)).map_err(|cause| format!("cannot read {source}: {cause}"))?;
    }
    Ok(format!("{:016x}", fingerprint(&content)))
}

/// Names and contents of all files below a path, in the order of their names.
fn read_into(content: &mut Vec<u8>, path: &Path) -> std::io::Result<()> {
    content.extend(path.file_name().unwrap_or_default().as_encoded_bytes());
    if !path.is_dir() {
        content.extend(fs::read(path)?);
        return Ok(());
    }
    let mut entries = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| read_into(content, entry))
}
