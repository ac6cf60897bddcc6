//! Errors with their causes, for whoever has the last word on them.

use std::error::Error;

/// An error and its causes on one line, from the outside in. A cause whose text is repeated by what
/// it caused stands there once.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            text
        } else {
            format!("{text}: {cause}")
        }
    })
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
}
