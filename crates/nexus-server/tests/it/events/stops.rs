//! Stopping while the name server does not answer.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{ALONE, Place, SECRET, payment, text};

/// Names that are asked for, each of a domain of its own.
const NAMES: usize = 12;
/// A name server that is silent for a minute. It notes each question in a file.
const SILENT: &str = r#"
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    int notes = open(getenv("QUESTIONS"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (write(notes, ".", 1) == 1) sleep(60);
    return EAI_AGAIN;
}
"#;

/// A library that takes the place of the system's resolver.
fn silent_resolver(folder: &Path) -> String {
    let (source, library) = (folder.join("silent.c"), folder.join("silent.so"));
    std::fs::write(&source, SILENT).expect("written");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .status();
    assert!(built.expect("what links Rust compiles C").success());
    text(&library).to_owned()
}

/// The system's lookups can't be stopped. The process ends all the same, soon and in good order.
#[test]
fn a_stop_does_not_wait_for_names_that_nobody_answers() {
    let place = Place::new();
    for number in 0..NAMES {
        let url = format!("http://factory.number{number}.example/mint");
        place.rule(
            &format!("mint{number}"),
            &format!("on = [\"FLOWPAY:PAYMENT_RECEIVED\"]\n[http]\nurl = \"{url}\"\n"),
        );
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (library, notes) = (silent_resolver(folder.path()), folder.path().join("questions"));
    let mut hub = place.serve_in(&ALONE, &[("LD_PRELOAD", library.as_str()), ("QUESTIONS", text(&notes))]);
    hub.post(SECRET, &payment("1")).expect(200);
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::read(&notes).map_or(0, |notes| notes.len()) < NAMES {
        assert!(Instant::now() < deadline, "the rules do not ask");
        std::thread::sleep(Duration::from_millis(10));
    }
    let began = Instant::now();
    hub.server.signal(Signal::TERM);
    let (status, log) = hub.server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
