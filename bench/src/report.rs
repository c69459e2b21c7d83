//! What was measured: medians and ranges over the runs, a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::cores::Cores;
use crate::rows::{Goal, ROWS, Row};

/// The figures of all runs so far.
pub(crate) struct Report {
    figures: BTreeMap<&'static str, Vec<f64>>,
    notes: BTreeMap<&'static str, String>,
    /// Names of rows that measured less than they are called after.
    labels: BTreeMap<&'static str, String>,
    commit: String,
    load_before: String,
}

impl Report {
    pub(crate) fn start() -> Self {
        Self {
            figures: BTreeMap::new(),
            notes: BTreeMap::new(),
            labels: BTreeMap::new(),
            commit: commit(),
            load_before: load(),
        }
    }

    /// Adds a run's figure to a row.
    pub(crate) fn add(&mut self, key: &str, figure: f64) {
        self.figures.entry(row(key).key).or_default().push(figure);
    }

    /// Is there a row for this?
    pub(crate) fn knows(key: &str) -> bool {
        ROWS.iter().any(|row| row.key == key)
    }

    /// Says what a row rests on: how many, how long.
    pub(crate) fn note(&mut self, key: &str, note: impl Into<String>) {
        self.notes.insert(row(key).key, note.into());
    }

    /// Puts something else in the names of the rows whose keys begin so: a short run must say what it measured.
    pub(crate) fn relabel(&mut self, prefix: &str, from: &str, to: &str) {
        for row in ROWS.iter().filter(|row| row.key.starts_with(prefix) && row.label.contains(from)) {
            self.labels.insert(row.key, row.label.replace(from, to));
        }
    }

    fn label(&self, row: &Row) -> &str {
        self.labels.get(row.key).map_or(row.label, String::as_str)
    }

    /// What this run was made on.
    pub(crate) fn heading(&self, cores: &Cores, runs: usize) -> String {
        let places = if cores.are_enough() {
            "the server on the first, the generator on the second"
        } else {
            "NOT SET APART"
        };
        let (commit, load) = (&self.commit, &self.load_before);
        let cores = cores.count();
        format!("commit {commit}, load average {load}, {cores} cores ({places}), runs: {runs}\n")
    }

    fn median(&self, key: &str) -> Option<f64> {
        self.figures.get(key).map(|figures| spread(figures).median)
    }

    /// The table.
    pub(crate) fn table(&self) -> String {
        let header = ["metric", "measured", "range", "unit", "floor", "ratio", "goal", "met", "n"].map(str::to_owned);
        let mut lines = vec![header];
        for row in ROWS {
            let Some(figures) = self.figures.get(row.key) else { continue };
            let Spread { median, least, most } = spread(figures);
            let floor = row.floor.and_then(|key| self.median(key));
            lines.push([
                self.label(row).to_owned(),
                number(median),
                if figures.len() > 1 {
                    format!("{} – {}", number(least), number(most))
                } else {
                    String::new()
                },
                row.unit.to_owned(),
                floor.map(number).unwrap_or_default(),
                floor.map(|floor| format!("{:.2}", median / floor)).unwrap_or_default(),
                row.goal.map(goal_text).unwrap_or_default(),
                row.goal
                    .map(|goal| if meets(goal, median) { "yes" } else { "NO" }.to_owned())
                    .unwrap_or_default(),
                self.notes.get(row.key).cloned().unwrap_or_default(),
            ]);
        }
        let mut text = align(&lines);
        writeln!(text, "\nload average {} before, {} after", self.load_before, load()).expect("a string takes every text");
        text
    }

    /// The same for programs.
    pub(crate) fn json(&self, runs: usize) -> String {
        let rows: Vec<Value> = ROWS
            .iter()
            .filter_map(|row| {
                let figures = self.figures.get(row.key)?;
                let Spread { median, least, most } = spread(figures);
                let floor = row.floor.and_then(|key| self.median(key));
                Some(json!({
                    "key": row.key, "label": self.label(row).trim(), "unit": row.unit, "median": median, "min": least, "max": most,
                    "runs": figures, "floor": floor, "goal": row.goal.map(goal_text),
                    "met": row.goal.map(|goal| meets(goal, median)), "n": self.notes.get(row.key),
                }))
            })
            .collect();
        let all = json!({ "commit": self.commit, "load_before": self.load_before, "load_after": load(), "runs": runs, "rows": rows });
        serde_json::to_string_pretty(&all).expect("plain values serialise")
    }
}

fn row(key: &str) -> &'static Row {
    ROWS.iter()
        .find(|row| row.key == key)
        .unwrap_or_else(|| panic!("{key} is a row of rows.rs"))
}

/// An empty histogram of microseconds, up to a minute.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order")
}

/// A quantile in milliseconds.
pub(crate) fn quantile_ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1_000.0
}

/// The middle and the ends of some figures.
#[derive(Debug, PartialEq)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

fn spread(figures: &[f64]) -> Spread {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    };
    Spread {
        median,
        least: sorted[0],
        most: sorted[sorted.len() - 1],
    }
}

fn meets(goal: Goal, figure: f64) -> bool {
    match goal {
        Goal::Most(most) => figure <= most,
        Goal::Least(least) => figure >= least,
    }
}

fn goal_text(goal: Goal) -> String {
    match goal {
        Goal::Most(most) => format!("≤ {}", number(most)),
        Goal::Least(least) => format!("≥ {}", number(least)),
    }
}

/// Three digits that matter, thousands apart.
fn number(figure: f64) -> String {
    match figure.abs() {
        big if big >= 100.0 => {
            let digits = format!("{figure:.0}");
            let mut text = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index) % 3 == 0 && !text.ends_with('-') {
                    text.push(',');
                }
                text.push(digit);
            }
            text
        }
        some if some >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// Columns under one another, as Markdown.
fn align<const N: usize>(lines: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let cells: Vec<_> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(text, "| {} |", cells.join(" | ")).expect("a string takes every text");
        if index == 0 {
            let rules: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
            writeln!(text, "| {} |", rules.join(" | ")).expect("a string takes every text");
        }
    }
    text
}

/// The commit of the folder that the bench runs in.
fn commit() -> String {
    let said = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12"])
        .output();
    let said = said
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.unwrap_or_else(|| "unknown".into())
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_runs() {
        assert_eq!(
            spread(&[3.0, 1.0, 2.0]),
            Spread {
                median: 2.0,
                least: 1.0,
                most: 3.0
            }
        );
        assert_eq!(
            spread(&[4.0, 1.0]),
            Spread {
                median: 2.5,
                least: 1.0,
                most: 4.0
            }
        );
    }

    #[test]
    fn goals_and_floors_name_rows_and_stand_in_the_table() {
        let mut report = Report {
            figures: BTreeMap::new(),
            notes: BTreeMap::new(),
            labels: BTreeMap::new(),
            commit: "c".into(),
            load_before: "0".into(),
        };
        for row in ROWS {
            assert!(
                row.floor.is_none_or(|floor| ROWS.iter().any(|other| other.key == floor)),
                "{}",
                row.key
            );
        }
        report.add("floor.send", 4.0);
        for figure in [12.0, 8.0, 10.0] {
            report.add("fanout.1000.cpu", figure);
        }
        let table = report.table();
        let line = table.lines().find(|line| line.contains("10.0")).expect("the row");
        for cell in ["8.00 – 12.0", "| 4.00", "| 2.50", "≤ 9.00", "| NO"] {
            assert!(line.contains(cell), "{cell} in {line}");
        }
    }

    #[test]
    fn numbers_are_short() {
        let check = |figure, text: &str| assert_eq!(number(figure), text);
        check(1_234_567.8, "1,234,568");
        check(123.4, "123");
        check(12.34, "12.3");
        check(0.123, "0.12");
    }
}
