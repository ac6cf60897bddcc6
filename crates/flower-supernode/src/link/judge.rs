//! What a failed call means, and what the operator can do about it.

use std::error::Error as _;

use flwr_security::channel::connect_error;
use tonic::{Code, Status};

/// What a failed call means for whoever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The run is finished or was stopped (flwr 1.22: any PERMISSION_DENIED).
    RunOver,
    /// The SuperLink does not know this node any more.
    Forgotten,
    /// Nothing was answered: the connection failed, or the SuperLink is busy or starting.
    Unreachable,
    /// An answer that asking again will hardly change.
    Refused(Code),
}

/// Why a call ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    RunOver(String),
    #[error("this node was registered anew, under another id")]
    Replaced,
    #[error("{0}")]
    Refused(String),
    #[error("{reason}")]
    GaveUp { tries: u64, reason: String },
}

/// Knows whom it judges, so that its sentences can name address and key.
#[derive(Debug)]
pub(crate) struct Judge {
    address: String,
    fingerprint: String,
}

impl Judge {
    pub(crate) fn new(address: String, fingerprint: String) -> Self {
        Self {
            address,
            fingerprint,
        }
    }

    pub(crate) fn judge(&self, status: &Status) -> Verdict {
        // A status made on this side has the error it was made of; one from the wire has none.
        if status.source().is_some() {
            return Verdict::Unreachable;
        }
        match status.code() {
            Code::PermissionDenied => Verdict::RunOver,
            Code::Unauthenticated if status.message().contains("Invalid node ID") => {
                Verdict::Forgotten
            }
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Cancelled => Verdict::Unreachable,
            code => Verdict::Refused(code),
        }
    }

    /// One sentence: who, what, and the way out.
    pub(crate) fn explain(&self, status: &Status) -> String {
        if let Some(error) = connect_error(status) {
            return with_flag(error.to_string());
        }
        let (address, said) = (&self.address, status.message());
        match self.judge(status) {
            Verdict::Unreachable => format!(
                "the SuperLink at {address} does not answer: {}",
                chain(status)
            ),
            Verdict::RunOver | Verdict::Forgotten => {
                format!("the SuperLink at {address} says: {said}")
            }
            Verdict::Refused(code) => {
                let way_out = self.way_out(code, said);
                format!("the SuperLink at {address} refused: {said} ({code:?}){way_out}")
            }
        }
    }

    fn way_out(&self, code: Code, said: &str) -> String {
        let key = &self.fingerprint;
        match (code, said) {
            (Code::Unauthenticated, said) if said.contains("not recognized") => {
                format!("; this node's key is {key}: add it to the SuperLink's --auth-list-public-keys, or give a listed one with --auth-supernode-private-key")
            }
            (Code::Unauthenticated, said) if said.contains("already in use") => {
                format!("; key {key} belongs to a node that is still registered: another SuperNode uses it, or an earlier one ended without a goodbye")
            }
            (Code::Unauthenticated, said) if said.contains("timestamp") => {
                "; this machine's clock and the SuperLink's differ by more than the signature allows: set the clock".to_owned()
            }
            (Code::Unimplemented, _) => {
                "; --superlink must name the Fleet address (default port 9092) of a SuperLink of flwr 1.20 to 1.22".to_owned()
            }
            _ => String::new(),
        }
    }
}

fn with_flag(text: String) -> String {
    if text.contains("--") {
        text
    } else {
        format!("{text}; --superlink sets the address")
    }
}

/// The status with the errors it was made of, each level once.
fn chain(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut source = status.source();
    while let Some(error) = source {
        let level = error.to_string();
        if !text.contains(&level) {
            text = format!("{text}: {level}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge() -> Judge {
        Judge::new("127.0.0.1:9092".to_owned(), "SHA256:abc".to_owned())
    }

    #[test]
    fn verdicts_follow_code_and_text() {
        let verdict = |status: Status| judge().judge(&status);
        assert_eq!(
            verdict(Status::permission_denied("Run is finished.")),
            Verdict::RunOver
        );
        assert_eq!(
            verdict(Status::unauthenticated("Invalid node ID")),
            Verdict::Forgotten
        );
        let unknown_key = Status::unauthenticated("Public key not recognized");
        assert_eq!(
            verdict(unknown_key),
            Verdict::Refused(Code::Unauthenticated)
        );
        assert_eq!(
            verdict(Status::unavailable("starting")),
            Verdict::Unreachable
        );
        assert_eq!(
            verdict(Status::unknown("Exception calling application: 12")),
            Verdict::Refused(Code::Unknown)
        );
        let broken = Status::from_error(Box::new(std::io::Error::other("reset")));
        assert_eq!(verdict(broken), Verdict::Unreachable);
    }

    #[test]
    fn refusals_name_address_key_and_the_way_out() {
        let text = judge().explain(&Status::unauthenticated("Public key not recognized"));
        for part in ["127.0.0.1:9092", "SHA256:abc", "--auth-list-public-keys"] {
            assert!(text.contains(part), "{text}");
        }
        let text = judge().explain(&Status::unimplemented("Method not found!"));
        assert!(text.contains("9092"), "{text}");
    }
}
