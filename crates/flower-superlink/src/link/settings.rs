//! How this SuperLink's settings differ from those of the others that work with its state.

use std::fmt;

use super::Link;
use super::state::Prints;
use crate::error::{Error, Result};

/// A setting that is another at another SuperLink.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The flag.
    pub flag: String,
    /// The name of the other SuperLink.
    pub other: String,
    /// Who has given the flag.
    pub given: Given,
}

/// Who has given a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Given {
    /// Both, with other content.
    Both,
    /// This SuperLink alone.
    Here,
    /// The other alone.
    There,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flag, other, given } = self;
        match given {
            Given::Both => write!(
                f,
                "{flag} has another content here than at the SuperLink `{other}`"
            ),
            Given::Here => write!(
                f,
                "{flag} is given here, and not at the SuperLink `{other}`"
            ),
            Given::There => write!(
                f,
                "{flag} is given at the SuperLink `{other}`, and not here"
            ),
        }?;
        f.write_str(": who is let in depends on which of them answers; give the same to all SuperLinks of the database")
    }
}

/// Where both know a flag, and what they have of it is not the same.
fn differences(own: &Prints, other: &str, prints: &Prints) -> Vec<Difference> {
    let differs = own.iter().filter_map(|(flag, print)| {
        let there = prints.get(flag).filter(|there| *there != print)?;
        let given = match (print.is_empty(), there.is_empty()) {
            (false, false) => Given::Both,
            (false, true) => Given::Here,
            (true, _) => Given::There,
        };
        Some(Difference {
            flag: flag.clone(),
            other: other.to_owned(),
            given,
        })
    });
    differs.collect()
}

impl Link {
    /// Notes the settings of this SuperLink.
    ///
    /// # Errors
    /// If the state cannot be written.
    pub async fn note_settings(&self, prints: Prints) -> Result<()> {
        let noted = self.state.note_settings(prints).await;
        noted.map_err(Error::from)
    }

    /// What is another at other SuperLinks.
    ///
    /// # Errors
    /// If the state cannot be read.
    pub async fn differing_settings(&self, own: &Prints) -> Result<Vec<Difference>> {
        let others = self.state.settings_of_others().await?;
        let differences = others
            .iter()
            .flat_map(|(other, prints)| differences(own, other, prints));
        Ok(differences.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prints(pairs: &[(&str, &str)]) -> Prints {
        let pairs = pairs.iter();
        pairs
            .map(|(flag, print)| ((*flag).to_owned(), (*print).to_owned()))
            .collect()
    }

    #[test]
    fn what_differs_is_told_with_the_flag_and_the_other_and_what_one_does_not_know_is_not() {
        let own = prints(&[
            ("--a", "1"),
            ("--b", "2"),
            ("--c", ""),
            ("--d", "4"),
            ("--e", ""),
        ]);
        let other = prints(&[
            ("--a", "1"),
            ("--b", "9"),
            ("--c", "3"),
            ("--d", ""),
            ("--f", "6"),
        ]);
        let told = differences(&own, "b", &other);
        let told: Vec<_> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        for (line, begins) in told.iter().zip([
            "--b has another content here than at the SuperLink `b`: ",
            "--c is given at the SuperLink `b`, and not here: ",
            "--d is given here, and not at the SuperLink `b`: ",
        ]) {
            assert!(line.starts_with(begins), "{line}");
        }
        // A SuperLink that has just started has noted nothing.
        assert_eq!(differences(&own, "b", &Prints::new()), []);
    }
}
