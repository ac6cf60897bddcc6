//! What is found when one looks step by step whether something works: as text for people, and as
//! JSON for scripts.

use std::fmt;

use serde_json::{Value, json};

use crate::printable;

/// The steps that were looked at, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkup {
    findings: Vec<Finding>,
}

/// What one step gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The step, in a word or two.
    pub step: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// What was found.
    pub text: String,
    /// What to do, where that is not said by the text.
    pub hint: Option<String>,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Good,
    /// It works, but should be looked at.
    Warning,
    /// It does not work.
    Failed,
    /// It was not looked at, since an earlier step failed.
    Skipped,
}

impl Outcome {
    /// The word for it in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// The sign for it in text.
    #[must_use]
    pub const fn sign(self) -> char {
        match self {
            Self::Good => '✓',
            Self::Warning => '!',
            Self::Failed => '✗',
            Self::Skipped => '-',
        }
    }
}

impl Checkup {
    /// Nothing was looked at yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A step that went as it should.
    pub fn good(&mut self, step: &'static str, text: impl Into<String>) {
        self.push(step, Outcome::Good, &text.into(), None);
    }

    /// A step that works, but should be looked at.
    pub fn warning(&mut self, step: &'static str, text: impl Into<String>, hint: Option<&str>) {
        let hint = hint.map(str::to_owned);
        self.push(step, Outcome::Warning, &text.into(), hint);
    }

    /// A step that does not work.
    pub fn failed(&mut self, step: &'static str, text: impl Into<String>, hint: Option<&str>) {
        let hint = hint.map(str::to_owned);
        self.push(step, Outcome::Failed, &text.into(), hint);
    }

    /// Steps that were not looked at.
    pub fn skipped(&mut self, steps: &[&'static str]) {
        for step in steps {
            self.push(step, Outcome::Skipped, "", None);
        }
    }

    fn push(&mut self, step: &'static str, outcome: Outcome, text: &str, hint: Option<String>) {
        self.findings.push(Finding {
            step,
            outcome,
            // A step is a line.
            text: text.replace('\n', " "),
            hint,
        });
    }

    /// What was found, in its order.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether no step failed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let mut outcomes = self.findings.iter().map(|finding| finding.outcome);
        outcomes.all(|outcome| outcome != Outcome::Failed)
    }

    /// For scripts: `success`, and `findings` with `step`, `outcome`, `text` and `hint`.
    #[must_use]
    pub fn json(&self) -> Value {
        let finding = |finding: &Finding| {
            json!({
                "step": finding.step,
                "outcome": finding.outcome.word(),
                "text": finding.text,
                "hint": finding.hint,
            })
        };
        let findings: Vec<_> = self.findings.iter().map(finding).collect();
        json!({"success": self.is_good(), "findings": findings})
    }
}

/// A line for each step, and one for each hint, without the last line's end.
impl fmt::Display for Checkup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.findings.iter().map(|finding| finding.step.len());
        let width = steps.max().unwrap_or(0);
        for (n, finding) in self.findings.iter().enumerate() {
            let line = format!(
                "{} {:width$}  {}",
                finding.outcome.sign(),
                finding.step,
                printable::indented(&finding.text)
            );
            let break_before = if n == 0 { "" } else { "\n" };
            write!(f, "{break_before}{}", line.trim_end())?;
            if let Some(hint) = &finding.hint {
                write!(f, "\n  {:width$}  hint: {}", "", printable::line(hint))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_say_the_same() {
        let mut checkup = Checkup::new();
        checkup.good("name", "a is 127.0.0.1");
        checkup.warning("clock", "9 s apart", None);
        assert!(checkup.is_good());
        checkup.failed("tcp", "nobody is there", Some("start it"));
        checkup.skipped(&["tls"]);
        assert!(!checkup.is_good());
        assert_eq!(
            checkup.to_string(),
            "✓ name   a is 127.0.0.1\n! clock  9 s apart\n✗ tcp    nobody is there\n         hint: start it\n- tls"
        );
        let json = checkup.json();
        assert_eq!(json["success"], false);
        assert_eq!(json["findings"][2]["outcome"], "failed");
        assert_eq!(json["findings"][2]["hint"], "start it");
        assert_eq!(json["findings"][3]["outcome"], "skipped");
    }
}
