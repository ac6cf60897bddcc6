//! The table: each figure with its spread, what it is compared with, and the CPU time beside it.

use std::fmt::{self, Display, Formatter};

use super::stand::Cpu;
use crate::measure::bench::figures::{median, show, spread};

/// What was measured, in the order in which it came.
#[derive(Default)]
pub(in crate::measure::bench) struct Table(Vec<Row>);

#[derive(Default)]
struct Row {
    figure: String,
    unit: &'static str,
    values: Vec<f64>,
    cpu: Vec<Cpu>,
    /// The row that this one is divided by.
    beside: Option<String>,
    goal: &'static str,
}

impl Table {
    /// Adds a value, and makes the row if it is the first. Tells the value: the table takes a while.
    pub(super) fn add(&mut self, figure: &str, unit: &'static str, value: f64) {
        println!("  {figure}: {}", show(value, unit));
        self.row(figure, unit).values.push(value);
    }

    /// The same, with the CPU time of what was done.
    pub(super) fn add_with(&mut self, figure: &str, unit: &'static str, value: f64, cpu: Cpu) {
        self.add(figure, unit, value);
        self.row(figure, unit).cpu.push(cpu);
    }

    /// Says what the row should come to, and by which row it is divided for that.
    pub(super) fn aim(&mut self, figure: &str, goal: &'static str, beside: Option<&str>) {
        if let Some(row) = self.0.iter_mut().find(|row| row.figure == figure) {
            row.goal = goal;
            row.beside = beside.map(str::to_owned);
        }
    }

    fn row(&mut self, figure: &str, unit: &'static str) -> &mut Row {
        let found = self.0.iter().position(|row| row.figure == figure);
        let index = found.unwrap_or_else(|| {
            self.0.push(Row {
                figure: figure.to_owned(),
                unit,
                ..Row::default()
            });
            self.0.len() - 1
        });
        &mut self.0[index]
    }

    /// A row as a share of the row that it is divided by.
    fn ratio(&self, row: &Row) -> Option<f64> {
        let beside = row.beside.as_ref()?;
        let beside = self.0.iter().find(|other| other.figure == *beside)?;
        Some(median(row.values.clone())? / median(beside.values.clone())?)
    }
}

impl Row {
    /// The medians of the seconds of CPU time.
    fn cpu(&self) -> Option<[f64; 3]> {
        let middle = |of: fn(&Cpu) -> f64| median(self.cpu.iter().map(of).collect());
        Some([
            middle(|cpu| cpu.superlinks)?,
            middle(|cpu| cpu.postgres)?,
            middle(|cpu| cpu.bucket)?,
        ])
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let title = "medians, and the spread from the least to the most";
        writeln!(f, "{:<88}CPU seconds of", "")?;
        writeln!(
            f,
            "{title:<56}{:>12}{:>6}{:>7}  {:<14}{:>10}{:>11}{:>7}",
            "", "", "ratio", "goal", "SuperLinks", "PostgreSQL", "S3"
        )?;
        for row in &self.0 {
            let middle = median(row.values.clone());
            let value = middle.map_or_else(|| "-".to_owned(), |value| show(value, row.unit));
            let spread = spread(&row.values);
            let spread = spread.map_or_else(String::new, |share| format!("{:.0}%", 100.0 * share));
            let ratio = self.ratio(row);
            let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}x"));
            let (figure, goal) = (&row.figure, row.goal);
            write!(
                f,
                "{figure:<56}{value:>12}{spread:>6}{ratio:>7}  {goal:<14}"
            )?;
            if let Some([superlinks, postgres, bucket]) = row.cpu() {
                write!(f, "{superlinks:>10.2}{postgres:>11.2}{bucket:>7.2}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_compared_with_the_medians_of_another() {
        let mut table = Table::default();
        for seconds in [2.0, 4.0, 9.0] {
            table.add("a round, SQLite", "s", seconds);
        }
        let cpu = |superlinks| Cpu {
            superlinks,
            ..Cpu::default()
        };
        table.add_with("a round", "s", 6.0, cpu(0.5));
        table.add_with("a round", "s", 6.0, cpu(1.5));
        table.aim("a round", "<= 2x", Some("a round, SQLite"));
        let text = table.to_string();
        let line = text.lines().last().unwrap();
        for part in ["6.000 s", "1.50x", "<= 2x", "1.00"] {
            assert!(line.contains(part), "{part}: {text}");
        }
        assert!(text.contains("4.000 s  175%"), "{text}");
    }

    #[test]
    fn a_row_without_its_counterpart_has_no_ratio() {
        let mut table = Table::default();
        table.add("polls", "/s", 5.0);
        table.aim("polls", ">= 0.95x", Some("polls, memory"));
        assert!(!table.to_string().contains('%'));
        assert!(
            table
                .to_string()
                .lines()
                .last()
                .unwrap()
                .contains("5.000/s")
        );
    }
}
