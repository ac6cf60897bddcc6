//! What was measured, and how ours compares.

use std::fmt;

use serde_json::{Value, json};

/// Whose programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Ours,
    Pip,
    /// Ours of another commit.
    Earlier,
}

impl Maker {
    /// The name in tables and in JSON.
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Pip => "pip 1.22",
            Self::Earlier => "earlier",
        }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Round,
    RoundReused,
    PollsMemory,
    PollsDisk,
    ManySmallMemory,
    ManySmallDisk,
    FewLargeMemory,
    FewLargeDisk,
    Peak,
    IdleSuperlink,
    IdleSupernode,
    IdleSuperlinkAll,
    IdleSupernodeAll,
    Start,
}

impl What {
    const ALL: [Self; 14] = [
        Self::Round,
        Self::RoundReused,
        Self::PollsMemory,
        Self::PollsDisk,
        Self::ManySmallMemory,
        Self::ManySmallDisk,
        Self::FewLargeMemory,
        Self::FewLargeDisk,
        Self::Peak,
        Self::IdleSuperlink,
        Self::IdleSupernode,
        Self::IdleSuperlinkAll,
        Self::IdleSupernodeAll,
        Self::Start,
    ];

    /// Its name, and its unit.
    const fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Round => ("round of a Python app, fit and evaluate, 2 nodes", "s"),
            Self::RoundReused => ("the same, ours with --clientapp-reuse run", "s"),
            Self::PollsMemory => ("authenticated polls, state in memory", "/s"),
            Self::PollsDisk => ("authenticated polls, state in SQLite", "/s"),
            Self::ManySmallMemory => ("brokered round, 50 nodes x 100 KB, memory", "s"),
            Self::ManySmallDisk => ("brokered round, 50 nodes x 100 KB, SQLite", "s"),
            Self::FewLargeMemory => ("brokered round, 10 nodes x 10 MB, memory", "s"),
            Self::FewLargeDisk => ("brokered round, 10 nodes x 10 MB, SQLite", "s"),
            Self::Peak => ("SuperLink's peak in 10 x 10 MB, memory", "MB"),
            Self::IdleSuperlink => ("idle SuperLink", "MB"),
            Self::IdleSupernode => ("idle SuperNode", "MB"),
            Self::IdleSuperlinkAll => ("idle SuperLink and its children", "MB"),
            Self::IdleSupernodeAll => ("idle SuperNode and its children", "MB"),
            Self::Start => ("start to serving", "s"),
        }
    }

    const fn more_is_better(self) -> bool {
        matches!(self, Self::PollsMemory | Self::PollsDisk)
    }
}

/// All values of ours and of a peer.
#[derive(Debug)]
pub(super) struct Figures {
    peer: Maker,
    /// In the order in which they were measured.
    values: Vec<(What, Maker, f64)>,
}

impl Figures {
    /// No values yet. Ours will be compared with this peer.
    pub(super) const fn against(peer: Maker) -> Self {
        Self {
            peer,
            values: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, what: What, maker: Maker, value: f64) {
        self.values.push((what, maker, value));
    }

    fn values(&self, what: What, maker: Maker) -> Vec<f64> {
        // pip's has one way to run ClientApps.
        let what = match (what, maker) {
            (What::RoundReused, Maker::Pip) => What::Round,
            _ => what,
        };
        let mine = |(found, by, _): &&(What, Maker, f64)| (*found, *by) == (what, maker);
        self.values
            .iter()
            .filter(mine)
            .map(|(.., value)| *value)
            .collect()
    }

    /// How many times better ours is.
    fn ratio(&self, what: What) -> Option<f64> {
        let ours = median(self.values(what, Maker::Ours))?;
        let peer = median(self.values(what, self.peer))?;
        Some(if what.more_is_better() {
            ours / peer
        } else {
            peer / ours
        })
    }

    pub(super) fn to_json(&self) -> Value {
        let figure = |what: What| {
            let (ours, peer) = (self.values(what, Maker::Ours), self.values(what, self.peer));
            let (name, unit) = what.name();
            json!({
                "figure": name,
                "unit": unit,
                "ours": {"median": median(ours.clone()), "values": ours},
                "peer": {"median": median(peer.clone()), "values": peer},
                "ratio": self.ratio(what),
            })
        };
        let figures: Vec<_> = What::ALL.into_iter().map(figure).collect();
        json!({"peer": self.peer.name(), "figures": figures})
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<50} {:>12} {:>12} {:>7}",
            "figure (medians)",
            self.peer.name(),
            Maker::Ours.name(),
            "ratio"
        )?;
        for what in What::ALL {
            let (name, unit) = what.name();
            let cell = |maker| {
                median(self.values(what, maker)).map_or_else(|| "-".to_owned(), |v| show(v, unit))
            };
            let ratio = self.ratio(what).map_or_else(|| "-".to_owned(), show_ratio);
            let (peer, ours) = (cell(self.peer), cell(Maker::Ours));
            writeln!(f, "{name:<50} {peer:>12} {ours:>12} {ratio:>7}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Shows the small differences of two commits, too.
fn show_ratio(ratio: f64) -> String {
    let digits = if ratio < 2.0 { 3 } else { 1 };
    format!("{ratio:.digits$}x")
}

fn show(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        _ => 3,
    };
    let space = if unit.starts_with('/') { "" } else { " " };
    format!("{value:.digits$}{space}{unit}")
}

pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn ratios_say_how_many_times_better_ours_is() {
        let mut figures = Figures::against(Maker::Pip);
        for (maker, seconds, rate) in [(Maker::Pip, 6.0, 100.0), (Maker::Ours, 0.5, 800.0)] {
            figures.add(What::Round, maker, seconds);
            figures.add(What::PollsDisk, maker, rate);
        }
        figures.add(What::RoundReused, Maker::Ours, 0.25);
        assert_eq!(figures.ratio(What::Round), Some(12.0));
        assert_eq!(figures.ratio(What::RoundReused), Some(24.0));
        assert_eq!(figures.ratio(What::PollsDisk), Some(8.0));
        assert_eq!(figures.ratio(What::Start), None);
        assert!(figures.to_string().contains("6.000 s"), "{figures}");
    }
}
