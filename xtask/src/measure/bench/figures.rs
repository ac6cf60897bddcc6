//! What was measured, and how ours compares.

use std::fmt;

use serde_json::{Value, json};

use super::what::What;

/// Whose programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Ours,
    Pip,
    /// pip's, of the newest release.
    Newest,
    /// Ours of another commit.
    Earlier,
}

impl Maker {
    /// The name in tables and in JSON.
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Pip => "pip 1.22",
            Self::Newest => "pip newest",
            Self::Earlier => "earlier",
        }
    }

    /// Whether it is one of pip's.
    pub(super) const fn is_pips(self) -> bool {
        matches!(self, Self::Pip | Self::Newest)
    }
}

/// All values of ours and of a peer.
#[derive(Debug)]
pub(super) struct Figures {
    peer: Maker,
    /// Which commit, when, and on what machine.
    build: String,
    /// In the order in which they were measured.
    values: Vec<(What, Maker, f64)>,
    /// What could not be measured, and why.
    failed: Vec<(What, Maker, String)>,
}

impl Figures {
    /// No values yet. Ours will be compared with this peer.
    pub(super) const fn against(peer: Maker, build: String) -> Self {
        Self {
            peer,
            build,
            values: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Says that there is no value, and why.
    pub(super) fn fail(&mut self, what: What, maker: Maker, why: String) {
        self.failed.push((what, maker, why));
    }

    /// Whether there is a value of this.
    fn has(&self, what: What) -> bool {
        self.values.iter().any(|(found, ..)| *found == what)
    }

    pub(super) fn add(&mut self, what: What, maker: Maker, value: f64) {
        self.values.push((what, maker, value));
    }

    fn values(&self, what: What, maker: Maker) -> Vec<f64> {
        let what = if maker.is_pips() { what.of_pip() } else { what };
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
                "ours": {"median": median(ours.clone()), "spread": spread(&ours), "values": ours},
                "peer": {"median": median(peer.clone()), "spread": spread(&peer), "values": peer},
                "ratio": self.ratio(what),
            })
        };
        let measured = What::all().into_iter().filter(|what| self.has(*what));
        let figures: Vec<_> = measured.map(figure).collect();
        let failed = self.failed.iter().map(|(what, maker, why)| {
            json!({"figure": what.name().0, "maker": maker.name(), "why": why})
        });
        json!({
            "peer": self.peer.name(),
            "build": self.build,
            "figures": figures,
            "failed": failed.collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.build)?;
        let (peer, ours) = (self.peer.name(), Maker::Ours.name());
        let title = "medians, and the spread from the least to the most";
        writeln!(f, "{title:<52} {peer:>11}       {ours:>11}         ratio")?;
        for what in What::all().into_iter().filter(|what| self.has(*what)) {
            let (name, unit) = what.name();
            let cell = |maker| {
                let values = self.values(what, maker);
                let spread = spread(&values)
                    .map_or_else(String::new, |spread| format!("{:.0}%", 100.0 * spread));
                let median = median(values).map_or_else(|| "-".to_owned(), |v| show(v, unit));
                format!("{median:>11} {spread:>5}")
            };
            let ratio = self.ratio(what).map_or_else(|| "-".to_owned(), show_ratio);
            let (peer, ours) = (cell(self.peer), cell(Maker::Ours));
            writeln!(f, "{name:<52} {peer} {ours} {ratio:>7}")?;
        }
        for (what, maker, why) in &self.failed {
            writeln!(f, "failed: {}, {maker}: {why}", what.name().0)?;
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

pub(super) fn show(value: f64, unit: &str) -> String {
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

/// How far the values lie apart, as a share of their median. None for fewer than two.
pub(super) fn spread(values: &[f64]) -> Option<f64> {
    let (least, most) = (
        values.iter().copied().reduce(f64::min)?,
        values.iter().copied().reduce(f64::max)?,
    );
    let middle = median(values.to_vec())?;
    (values.len() > 1 && middle > 0.0).then(|| (most - least) / middle)
}

#[cfg(test)]
mod tests {
    use super::super::what::{Kind, Load, Nodes, State};
    use super::*;

    const POLLS: What = What::Load(Load {
        kind: Kind::Polls,
        state: State::Sqlite,
        nodes: Nodes::Pip,
    });

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn the_spread_is_a_share_of_the_median() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[2.0]), None);
        assert_eq!(spread(&[2.0, 1.0, 4.0]), Some(1.5));
    }

    #[test]
    fn ratios_say_how_many_times_better_ours_is() {
        let mut figures = Figures::against(Maker::Pip, String::new());
        for (maker, seconds, rate) in [(Maker::Pip, 6.0, 100.0), (Maker::Ours, 0.5, 800.0)] {
            figures.add(What::Round, maker, seconds);
            figures.add(POLLS, maker, rate);
        }
        figures.add(What::RoundReused, Maker::Ours, 0.25);
        assert_eq!(figures.ratio(What::Round), Some(12.0));
        assert_eq!(figures.ratio(What::RoundReused), Some(24.0));
        assert_eq!(figures.ratio(POLLS), Some(8.0));
        assert_eq!(figures.ratio(What::Start), None);
        assert!(figures.to_string().contains("6.000 s"), "{figures}");
    }

    #[test]
    fn a_run_that_fails_is_told_beside_the_figures() {
        let mut figures = Figures::against(Maker::Newest, String::new());
        figures.add(What::Round, Maker::Ours, 0.5);
        figures.fail(What::Round, Maker::Newest, "its token ran out".to_owned());
        assert_eq!(figures.ratio(What::Round), None);
        let text = figures.to_string();
        assert!(
            text.contains("2 nodes, pip newest: its token ran out"),
            "{text}"
        );
        assert!(!text.contains("idle"), "not measured: {text}");
        assert_eq!(figures.to_json()["failed"][0]["maker"], "pip newest");
    }
}
