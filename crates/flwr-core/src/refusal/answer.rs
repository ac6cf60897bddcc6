//! How a call fails, and what a caller reads of a refusal.

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use super::{Class, Code, Refusal, Silence, Unanswered};

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Failure {
    /// This program refuses.
    #[error("{0}")]
    Refused(Refusal),
    /// The program at the other end of a wire refused.
    #[error("{0}")]
    Answered(Refused),
    /// This program decides nothing now, and asking again may help: a disk is full, or the program
    /// is stopping.
    #[error("{0}")]
    TryAgain(String),
    /// The program at the other end of a wire gave no answer.
    #[error(transparent)]
    Unanswered(Unanswered),
}

impl Failure {
    /// What to do about it. `None`: ask again.
    #[must_use]
    pub const fn class(&self) -> Option<Class> {
        match self {
            Self::Refused(refusal) => Some(refusal.class()),
            Self::Answered(refused) => Some(refused.class),
            Self::TryAgain(_) | Self::Unanswered(_) => None,
        }
    }

    /// Why there is no answer, if there is none.
    #[must_use]
    pub const fn silence(&self) -> Option<Silence> {
        match self {
            Self::Unanswered(unanswered) => Some(unanswered.why),
            Self::Refused(_) | Self::Answered(_) | Self::TryAgain(_) => None,
        }
    }

    /// Whether the same call may have a result later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::TryAgain(_) => true,
            Self::Unanswered(unanswered) => unanswered.why != Silence::Broken,
            Self::Refused(_) | Self::Answered(_) => self.class() == Some(Class::Exhausted),
        }
    }

    /// Whether the program at the other end of a wire does not have the method. Such a call was not
    /// carried out.
    #[must_use]
    pub fn is_unknown_method(&self) -> bool {
        matches!(self, Self::Answered(refused) if refused.is_unknown_method())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Answered(refused)
    }
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Self {
        Self::Unanswered(unanswered)
    }
}

/// A refusal, as a client reads it from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What to do about it: the code's class, or else what the transport says. Peers that give no
    /// number are known by the transport's answer alone.
    pub class: Class,
    /// The number, if the answer has a known one.
    pub code: Option<Code>,
    /// Why.
    pub text: String,
    /// What the peer adds, for people.
    pub details: Option<String>,
}

impl Refused {
    /// Reads the text of an answer: plain, or an object of JSON with the number. `class` is what the
    /// transport says of the answer.
    #[must_use]
    pub fn read(class: Class, text: &str) -> Self {
        Self::numbered(class, text).unwrap_or_else(|| Self {
            class,
            code: None,
            text: text.to_owned(),
            details: None,
        })
    }

    /// Whether the peer does not have the method. A method that the peer has, and that is not set up
    /// there, has a number.
    #[must_use]
    pub fn is_unknown_method(&self) -> bool {
        self.class == Class::NotOffered && self.code.is_none()
    }

    /// Over gRPC the text's field is `public_message`, over HTTP `detail`.
    fn numbered(class: Class, text: &str) -> Option<Self> {
        let answer: Value = serde_json::from_str(text).ok()?;
        let number = answer.get("code")?.as_i64()?;
        let field = |names: [&str; 2]| {
            let mut values = names.iter().filter_map(|name| answer.get(*name));
            values.find_map(Value::as_str).map(str::to_owned)
        };
        let code = u16::try_from(number).ok().and_then(Code::from_number);
        Some(Self {
            class: code.map_or(class, Code::class),
            code,
            text: field(["public_message", "detail"])?,
            details: field(["public_details", "extra"]),
        })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match &self.details {
            Some(details) => write!(f, " ({details})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RunId;

    #[test]
    fn a_plain_answer_is_its_text() {
        for text in ["Run ID not found", "{\"no\": 1}", "{", "7", ""] {
            let expected = Refused {
                class: Class::NotFound,
                code: None,
                text: text.to_owned(),
                details: None,
            };
            assert_eq!(Refused::read(Class::NotFound, text), expected);
        }
    }

    #[test]
    fn a_numbered_answer_has_the_class_of_its_number() {
        let grpc =
            r#"{"code": 2007, "public_message": "The run is over.", "public_details": null}"#;
        let http = r#"{"code": 2007, "detail": "The run is over.", "extra": "It was stopped."}"#;
        let read = |text| Refused::read(Class::Forbidden, text);
        for (text, shown) in [
            (grpc, "The run is over."),
            (http, "The run is over. (It was stopped.)"),
        ] {
            let refused = read(text);
            assert_eq!(refused.class, Class::RunOver);
            assert_eq!(refused.code, Some(Code::FleetRunStatusNotAllowed));
            assert_eq!(refused.to_string(), shown);
        }
    }

    #[test]
    fn an_unknown_number_leaves_the_transports_class() {
        for number in [-1, 0, 1005, 3999, 70_000] {
            let text = format!(r#"{{"code": {number}, "detail": "No."}}"#);
            let refused = Refused::read(Class::Precondition, &text);
            assert_eq!((refused.class, refused.code), (Class::Precondition, None));
            assert_eq!(refused.text, "No.");
        }
    }

    #[test]
    fn a_method_that_is_not_set_up_is_known() {
        let answered = |class, code| {
            let read = Refused::read(class, "No.");
            Failure::from(Refused { code, ..read }).is_unknown_method()
        };
        assert!(answered(Class::NotOffered, None));
        assert!(!answered(Class::NotOffered, Some(Code::NoAccountAuth)));
        assert!(!answered(Class::NotFound, None));
        assert!(!Failure::from(Unanswered::new(Silence::Busy, "No.")).is_unknown_method());
    }

    #[test]
    fn a_failure_without_a_class_may_pass() {
        let run = RunId(7);
        assert_eq!(
            Failure::from(Refusal::RunNotFound(run)).class(),
            Some(Class::NotFound)
        );
        let read = Refused::read(Class::RunOver, "Run is finished.");
        assert_eq!(Failure::from(read).class(), Some(Class::RunOver));
        assert_eq!(Failure::TryAgain("away".to_owned()).class(), None);
    }

    #[test]
    fn a_failure_passes_unless_it_is_a_refusal_or_a_defect() {
        let unanswered = |why| Failure::from(Unanswered::new(why, "why"));
        for why in [
            Silence::Connection,
            Silence::Busy,
            Silence::Late,
            Silence::Cancelled,
        ] {
            assert!(unanswered(why).is_passing(), "{why:?}");
        }
        assert!(!unanswered(Silence::Broken).is_passing());
        assert!(Failure::TryAgain("full".to_owned()).is_passing());
        let refused = |class| Failure::from(Refused::read(class, "no"));
        assert!(refused(Class::Exhausted).is_passing());
        assert!(!refused(Class::Precondition).is_passing());
        assert!(!Failure::from(Refusal::RunNotFound(RunId(7))).is_passing());
    }

    #[test]
    fn a_failure_leads_to_the_cause_of_its_call() {
        use std::error::Error as _;
        let broken = std::io::Error::other("broken pipe");
        let failure = Failure::from(Unanswered::caused_by(broken));
        assert_eq!(failure.to_string(), "broken pipe");
        let source = failure.source().unwrap();
        assert!(source.downcast_ref::<std::io::Error>().is_some());
    }
}
