//! `cargo xtask tidy` as a test, so that no way of running the tests passes by it.

use std::process::Command;

#[test]
fn the_repository_keeps_its_own_rules() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("tidy")
        .output()
        .expect("xtask starts");
    assert!(output.status.success(), "\n{}", String::from_utf8_lossy(&output.stderr));
}
