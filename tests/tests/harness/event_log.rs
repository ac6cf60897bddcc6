//! The faults of a scenario with their times, printed when the test fails.

use std::fs;
use std::path::Path;
use std::time::Instant;

/// How much of each log is shown when a test fails.
const LAST_LINES: usize = 60;

/// The faults of a scenario, with their times.
#[derive(Debug)]
pub(crate) struct EventLog {
    started: Instant,
    entries: Vec<String>,
}

impl EventLog {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            entries: Vec::new(),
        }
    }

    pub(crate) fn note(&mut self, what: &str) {
        let at = self.started.elapsed().as_secs_f64();
        self.entries.push(format!("{at:8.3} s  {what}"));
    }

    pub(crate) fn print(&self) {
        println!("--- what was done");
        for entry in &self.entries {
            println!("{entry}");
        }
    }
}

/// Prints the end of a file, if there is one.
pub(crate) fn print_end_of(path: &Path) {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    println!("--- the end of {}", path.display());
    for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
        println!("{line}");
    }
}

/// Prints the errors and warnings in a daemon's log, each once: what the faults made it say.
pub(crate) fn print_errors_in(name: &str, path: &Path) {
    let text = fs::read_to_string(path).unwrap_or_default();
    let errors: Vec<&str> = text.lines().filter(|line| line.contains("ERROR")).collect();
    for line in errors.iter().take(5) {
        println!("  {name} logged: {line}");
    }
    if errors.len() > 5 {
        println!("  {name} logged {} errors in all", errors.len());
    }
}
