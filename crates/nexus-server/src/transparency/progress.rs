//! A bar on stderr, where a person is looking.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Between two looks of the bar.
const EVERY: Duration = Duration::from_millis(100);
const WIDTH: u64 = 30;

/// How far something has come.
pub struct Progress {
    what: &'static str,
    began: Instant,
    drawn: Option<Instant>,
    visible: bool,
}

impl Progress {
    /// Counts these; silently unless a person is looking.
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            began: Instant::now(),
            drawn: None,
            visible: std::io::stderr().is_terminal(),
        }
    }

    /// So many of so many.
    pub fn show(&mut self, done: u64, all: u64) {
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY);
        if !self.visible || !due {
            return;
        }
        self.drawn = Some(Instant::now());
        let line = bar(done, all, self.what, self.began.elapsed());
        // A bar that can't be drawn is no reason to stop.
        write!(std::io::stderr(), "\r{line}").ok();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            writeln!(std::io::stderr()).ok();
        }
    }
}

fn bar(done: u64, all: u64, what: &str, took: Duration) -> String {
    let full = (done.min(all) * WIDTH).checked_div(all).unwrap_or(WIDTH) as usize;
    let empty = WIDTH as usize - full;
    format!(
        "[{}{}] {done} of {all} {what}, {} s ",
        "#".repeat(full),
        "-".repeat(empty),
        took.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills() {
        let bar = |done, all| bar(done, all, "leaves", Duration::from_secs(2));
        assert_eq!(bar(15, 30), format!("[{}{}] 15 of 30 leaves, 2 s ", "#".repeat(15), "-".repeat(15)));
        assert!(bar(0, 0).starts_with(&format!("[{}]", "#".repeat(30))));
        assert!(bar(40, 30).starts_with(&format!("[{}]", "#".repeat(30))));
    }
}
