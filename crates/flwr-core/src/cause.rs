//! Errors with their causes, for whoever has the last word on them.

use std::error::Error;

/// An error and its causes on one line, from the outside in. A cause whose text is repeated by what
/// it caused stands there once.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(words(error), |text, cause| {
        let cause = words(cause);
        if text.ends_with(&cause) {
            text
        } else {
            format!("{text}: {cause}")
        }
    })
}

/// What an error says, without the address of its library's manual: who reads a log does not write
/// programs with that library.
#[must_use]
pub fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.find(": https://docs.rs/") {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file cannot be read")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_follow_what_they_caused() {
        let error = Outer(std::io::Error::other("no such disk"));
        assert_eq!(chain(&error), "the file cannot be read: no such disk");
        let repeated = std::io::Error::other(error);
        assert_eq!(chain(&repeated), "the file cannot be read: no such disk");
    }

    #[test]
    fn manuals_for_programmers_are_left_out() {
        // As rustls has it.
        let end = "peer closed connection without sending TLS close_notify";
        let manual = format!("{end}: https://docs.rs/rustls/latest/rustls/#unexpected-eof");
        let error = Outer(std::io::Error::other(manual));
        let text = format!("the file cannot be read: {end}");
        assert_eq!(chain(&error), text);
        assert_eq!(chain(&std::io::Error::other(error)), text);
    }
}
