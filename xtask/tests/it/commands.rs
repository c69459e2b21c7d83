//! How `xtask` answers on the command line.

use std::process::{Command, Output};

fn xtask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .output()
        .expect("xtask starts")
}

#[test]
fn help_lists_every_command_with_one_line() {
    let output = xtask(&["help"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("help is text");
    for command in ["run", "dev", "test", "check", "tidy", "bench", "help"] {
        assert!(
            text.lines().any(|line| line.trim_start().starts_with(command)),
            "{command} is missing in\n{text}"
        );
    }
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    assert_eq!(xtask(&["tset"]).status.code(), Some(2));
    assert_eq!(xtask(&[]).status.code(), Some(2));
}

#[test]
fn an_unknown_flag_is_refused_before_anything_runs() {
    let output = xtask(&["test", "--fast"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`--fast` is unknown"));
}
