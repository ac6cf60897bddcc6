//! Errors with their causes, for whoever has the last word on them.

use std::error::Error;

/// An error and its causes on one line, from the outside in.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    std::iter::successors(error.source(), |&error| error.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
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
    }
}
