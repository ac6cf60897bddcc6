//! What the operator reads about a failed call: who, what, and the way out.

use std::error::Error as _;

use flwr_client::channel::{ConnectError, Trust, connect_error, proxied};
use flwr_core::cause::words;
use flwr_core::refusal::{Class, Code, Failure, Refused, Silence, Unanswered};
use flwr_security::tls::Reason;
use parking_lot::RwLock;

use super::Lasting;

/// Explains failed calls. Knows both ends, so that its sentences can name address and key.
#[derive(Debug)]
pub(crate) struct Explainer {
    address: String,
    fingerprint: RwLock<String>,
    is_plaintext: bool,
    /// The node's key goes with this process.
    is_passing: bool,
}

impl Explainer {
    pub(crate) fn new(
        address: String,
        fingerprint: String,
        lasting: Lasting,
        trust: &Trust,
    ) -> Self {
        Self {
            address,
            fingerprint: RwLock::new(fingerprint),
            is_plaintext: matches!(trust, Trust::Plaintext),
            is_passing: lasting == Lasting::Process,
        }
    }

    /// The node has another key.
    pub(crate) fn name_key(&self, fingerprint: String) {
        *self.fingerprint.write() = fingerprint;
    }

    /// One sentence: who, what, and the way out.
    pub(crate) fn explain(&self, failure: &Failure) -> String {
        if let Some(error) = connect_error(failure) {
            return with_flag(error);
        }
        if let Some(answer) = proxied(failure) {
            return format!("the SuperLink cannot be reached: {answer}");
        }
        let address = &self.address;
        match failure {
            Failure::Answered(refused) => self.refusal(refused),
            Failure::Unanswered(unanswered) if unanswered.why == Silence::Broken => {
                format!("the SuperLink at {address} failed at this call: {unanswered}")
            }
            Failure::Unanswered(unanswered) => {
                let (why, way_out) = (chain(unanswered), self.other_protocol(unanswered));
                format!("the SuperLink at {address} does not answer: {why}{way_out}")
            }
            // This node itself could not make the call, or use the answer.
            Failure::Refused(_) | Failure::TryAgain(_) => failure.to_string(),
        }
    }

    fn refusal(&self, refused: &Refused) -> String {
        let (address, class) = (&self.address, refused.class);
        match (class, refused.code) {
            (_, Some(Code::FleetNodeActivationFailed)) => self.not_activated(refused),
            (Class::Forbidden | Class::RunOver, _) | (_, Some(Code::NodeNotRegistered)) => {
                format!("the SuperLink at {address} says: {refused}")
            }
            (_, code) => {
                let way_out = self.way_out(class, code);
                let said = refused.to_string();
                let said = if said.is_empty() {
                    "it gives no reason"
                } else {
                    &said
                };
                format!("the SuperLink at {address} refused: {said}{way_out}")
            }
        }
    }

    /// A connection that breaks at once is often one of TLS on the other side: there is nothing
    /// more to see of that in plaintext.
    fn other_protocol(&self, unanswered: &Unanswered) -> &'static str {
        if self.is_plaintext && unanswered.source().is_some() {
            "; if it speaks TLS there, leave out --insecure and give --root-certificates"
        } else {
            ""
        }
    }

    /// The key is of a node that is online: a key of no node was to be registered.
    fn not_activated(&self, refused: &Refused) -> String {
        let (address, key) = (&self.address, self.fingerprint.read());
        format!(
            "the SuperLink at {address} refused: {refused}; another SuperNode is online with key {key}, or an earlier one ended without a goodbye: a SuperLink of flwr lets its key in again a minute after its last sign of life"
        )
    }

    fn way_out(&self, class: Class, code: Option<Code>) -> String {
        let key = self.fingerprint.read();
        match (class, code) {
            (_, Some(Code::FleetSupernodeRegistrationDisabled)) if self.is_passing => {
                "; this SuperNode made a key for itself: give it one with --auth-supernode-private-key".to_owned()
            }
            (_, Some(Code::FleetSupernodeRegistrationDisabled)) => {
                format!("; this node's key is {key}: whoever may register nodes registers it, or gives a token for --join (with --rejoin, if the node has joined before)")
            }
            (_, Some(Code::KeyNotListed)) => {
                format!("; this node's key is {key}: add it to the SuperLink's --auth-list-public-keys, or give a listed one with --auth-supernode-private-key")
            }
            (_, Some(Code::PublicKeyAlreadyInUse)) => {
                format!("; key {key} belongs to a node that is still registered: another SuperNode uses it, or an earlier one ended without a goodbye")
            }
            (_, Some(Code::TimestampStale)) => {
                "; this machine's clock and the SuperLink's differ by more than the signature allows: set the clock".to_owned()
            }
            (_, Some(Code::NodeNotProven)) => {
                "; over HTTP/1.1 that is said of a key that no node has, of another key than the node's, and of a clock that is more than 5 s ahead".to_owned()
            }
            (Class::NotOffered, _) => {
                "; --superlink must name the Fleet address of a SuperLink of flwr 1.20 to 1.43: the default port is 9092 until 1.39, and 8000 from 1.40 on".to_owned()
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

/// What the call failed with and the errors that this was made of, each level once.
fn chain(unanswered: &Unanswered) -> String {
    let mut text = unanswered.text.clone();
    let mut source = unanswered.source();
    while let Some(error) = source {
        let level = words(error);
        if !text.contains(&level) {
            text = format!("{text}: {level}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use flwr_client::channel::Proxied;

    use super::*;

    fn explain(failure: impl Into<Failure>) -> String {
        let (address, key) = ("127.0.0.1:9092".to_owned(), "SHA256:abc".to_owned());
        Explainer::new(address, key, Lasting::File, &Trust::Plaintext).explain(&failure.into())
    }

    fn refused(class: Class, code: Option<Code>, said: &str) -> Refused {
        Refused {
            code,
            ..Refused::read(class, said)
        }
    }

    #[test]
    fn what_a_proxy_answers_is_named() {
        let text = explain(Unanswered::caused_by(Proxied {
            address: "host:1".to_owned(),
            status: http::StatusCode::BAD_GATEWAY,
            location: None,
            text: String::new(),
        }));
        assert!(
            text.ends_with("a proxy at host:1 answered 502 Bad Gateway in place of the SuperLink"),
            "{text}"
        );
    }

    #[test]
    fn refusals_name_address_key_and_the_way_out() {
        for (code, said, way_out) in [
            (
                Code::KeyNotListed,
                "Public key not recognized",
                "--auth-list-public-keys",
            ),
            (
                Code::PublicKeyAlreadyInUse,
                "Public key already in use",
                "another SuperNode uses it",
            ),
            (Code::TimestampStale, "Invalid timestamp", "set the clock"),
        ] {
            let text = explain(refused(Class::Unauthenticated, Some(code), said));
            for part in ["127.0.0.1:9092", said, way_out] {
                assert!(text.contains(part), "{text}");
            }
            let names_key = code != Code::TimestampStale;
            assert_eq!(text.contains("SHA256:abc"), names_key, "{text}");
        }
        let text = explain(refused(Class::NotOffered, None, "Method not found!"));
        assert!(text.contains("9092"), "{text}");
        let text = explain(refused(Class::Forbidden, None, "Run is finished."));
        assert_eq!(
            text,
            "the SuperLink at 127.0.0.1:9092 says: Run is finished."
        );
    }

    #[test]
    fn a_connection_that_ends_without_a_word_names_no_manual_for_programmers() {
        // As rustls has it.
        let text = "peer closed connection without sending TLS close_notify";
        let manual = format!("{text}: https://docs.rs/rustls/latest/rustls/#unexpected-eof");
        let ended = || std::io::Error::other(manual.clone());
        for ended in [ended(), std::io::Error::other(Broken(ended()))] {
            let told = explain(Unanswered::caused_by(ended));
            assert!(told.contains(text) && !told.contains("docs.rs"), "{told}");
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("connection error")]
    struct Broken(#[source] std::io::Error);

    #[test]
    fn a_broken_connection_and_a_broken_call_are_told_apart() {
        let broken = Unanswered::caused_by(std::io::Error::other("broken pipe"));
        let text = explain(broken);
        assert!(text.contains("does not answer: broken pipe; "), "{text}");
        assert!(text.contains("leave out --insecure"), "{text}");
        let text = explain(Unanswered::new(Silence::Broken, "Exception calling"));
        assert_eq!(
            text,
            "the SuperLink at 127.0.0.1:9092 failed at this call: Exception calling"
        );
    }
}
