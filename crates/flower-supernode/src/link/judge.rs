//! What a failed call means, and what the operator can do about it.

use std::error::Error as _;

use flwr_security::channel::{ConnectError, Trust, connect_error, proxied};
use flwr_security::tls::Reason;
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
    /// The clocks of this machine and the SuperLink's differ. The message waits until they are set,
    /// for as long as it lives: NTP often sets a clock minutes after a start.
    Untimely,
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
    is_plaintext: bool,
}

impl Judge {
    pub(crate) fn new(address: String, fingerprint: String, trust: &Trust) -> Self {
        let is_plaintext = matches!(trust, Trust::Plaintext);
        Self {
            address,
            fingerprint,
            is_plaintext,
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
            Code::Unauthenticated if status.message().contains("timestamp") => Verdict::Untimely,
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
            return with_flag(error);
        }
        if let Some(answer) = proxied(status) {
            return format!("the SuperLink cannot be reached: {answer}");
        }
        let (address, said) = (&self.address, status.message());
        match self.judge(status) {
            Verdict::Unreachable => {
                let (why, way_out) = (chain(status), self.other_protocol(status));
                format!("the SuperLink at {address} does not answer: {why}{way_out}")
            }
            Verdict::RunOver | Verdict::Forgotten => {
                format!("the SuperLink at {address} says: {said}")
            }
            Verdict::Untimely | Verdict::Refused(_) => {
                let code = status.code();
                let way_out = self.way_out(code, said);
                format!("the SuperLink at {address} refused: {said} ({code:?}){way_out}")
            }
        }
    }

    /// A connection that breaks at once is often one of TLS on the other side: there is nothing
    /// more to see of that in plaintext.
    fn other_protocol(&self, status: &Status) -> &'static str {
        if self.is_plaintext && status.source().is_some() {
            "; if it speaks TLS there, leave out --insecure and give --root-certificates"
        } else {
            ""
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

/// The sentence with the flag to change.
fn with_flag(error: &ConnectError) -> String {
    match error {
        // They name the way out themselves.
        ConnectError::Tls {
            reason: Reason::Alert(_),
            ..
        }
        | ConnectError::TlsServer { .. }
        | ConnectError::Wordless { .. } => error.to_string(),
        ConnectError::Tls { .. } => format!("{error}; --root-certificates says whom to trust"),
        ConnectError::Proxy { .. } => {
            format!("{error}; --proxy sets another proxy, and `--proxy none` goes without")
        }
        _ => format!("{error}; --superlink sets the address"),
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
    use flwr_security::channel::Proxied;

    use super::*;

    fn judge() -> Judge {
        Judge::new(
            "127.0.0.1:9092".to_owned(),
            "SHA256:abc".to_owned(),
            &Trust::Plaintext,
        )
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
        assert_eq!(
            verdict(Status::unauthenticated("Invalid timestamp: it is old")),
            Verdict::Untimely
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
    fn what_a_proxy_answers_is_no_refusal() {
        let proxied = |code| {
            let status = http::StatusCode::from_u16(code).unwrap();
            Status::from(Proxied {
                address: "host:1".to_owned(),
                status,
                location: None,
                text: String::new(),
            })
        };
        for code in [200, 302, 400, 401, 403, 404, 429, 502, 503, 504] {
            assert_eq!(
                judge().judge(&proxied(code)),
                Verdict::Unreachable,
                "{code}"
            );
        }
        let text = judge().explain(&proxied(502));
        assert!(
            text.ends_with("a proxy at host:1 answered 502 Bad Gateway in place of the SuperLink"),
            "{text}"
        );
    }

    #[test]
    fn refusals_name_address_key_and_the_way_out() {
        let text = judge().explain(&Status::unauthenticated("Public key not recognized"));
        for part in ["127.0.0.1:9092", "SHA256:abc", "--auth-list-public-keys"] {
            assert!(text.contains(part), "{text}");
        }
        let broken = Status::from_error(Box::new(std::io::Error::other("broken pipe")));
        assert!(judge().explain(&broken).contains("leave out --insecure"));
        let text = judge().explain(&Status::unimplemented("Method not found!"));
        assert!(text.contains("9092"), "{text}");
    }
}
