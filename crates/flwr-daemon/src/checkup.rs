//! The checks that both daemons share in `--check-config`, and the report of `--check-state`.

use std::net::ToSocketAddrs;

use flwr_core::checkup::Checkup;

use crate::{answer, listen};

/// Whether `program` could listen at an address; `flag` gives it another.
pub fn port(step: &'static str, address: &str, program: &str, flag: &str, checkup: &mut Checkup) {
    let wanted = address.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
    let opened = wanted.map(|wanted| listen::open(&wanted));
    let problem = match opened {
        Ok(Ok(opened)) if opened.missing.is_empty() => {
            return checkup.good(step, format!("{address} is free"));
        }
        Ok(Ok(opened)) => {
            let missing = listen::joined(&opened.missing);
            let text = format!("{address} is free, but for {missing}");
            let hint = "this machine does not have that address: see its hosts file, or DNS";
            return checkup.warning(step, text, Some(hint));
        }
        Ok(Err(error)) if error.address.to_string() == address => error.source.to_string(),
        Ok(Err(error)) => format!("{}: {}", error.address, error.source),
        Err(error) => error.to_string(),
    };
    let hint = format!("a {program} that runs here already? another place: {flag}");
    checkup.warning(step, format!("{address}: {problem}"), Some(&hint));
}

/// Prints what was found: as text, or as JSON.
pub fn print(checkup: &Checkup, json: bool) {
    if json {
        answer::line(format!("{:#}", checkup.json()));
    } else {
        answer::line(checkup);
    }
}

/// The findings of `--check-state`.
#[derive(Debug, Default)]
pub struct Report {
    /// What is stored, for people.
    pub facts: Vec<String>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// A defect of the stored state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The defect, in one line.
    pub text: String,
    /// Whether `--repair` mended the defect.
    pub mended: bool,
}

impl Report {
    /// Whether all defects were mended, or there are none.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.iter().all(|problem| problem.mended)
    }

    /// Adds a fact.
    pub fn fact(&mut self, text: impl Into<String>) {
        self.facts.push(text.into());
    }

    /// Adds a defect.
    pub fn problem(&mut self, mended: bool, text: String) {
        self.problems.push(Problem { text, mended });
    }

    /// Prints the report.
    pub fn print(&self) {
        for fact in &self.facts {
            answer::line(fact);
        }
        for problem in &self.problems {
            let mended = if problem.mended { "mended" } else { "problem" };
            answer::line(format!("{mended}: {}", problem.text));
        }
        let open = self.problems.iter().filter(|problem| !problem.mended);
        match open.count() {
            0 => answer::line("everything is there and whole"),
            1 => answer::line("1 problem"),
            more => answer::line(format!("{more} problems")),
        }
    }
}
