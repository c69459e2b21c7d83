//! Builds the binary anew when the web client was built anew: what is embedded is invisible to Cargo otherwise.

use std::path::Path;

fn main() {
    // A path that does not exist would count as changed at every build.
    let built = Path::new("../../web/dist");
    let watched = if built.exists() { built } else { Path::new("../../web") };
    println!("cargo::rerun-if-changed={}", watched.display());
    println!("cargo::rerun-if-changed=build.rs");
}
