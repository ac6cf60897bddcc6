//! What a TOML parser has to say, in one line.

/// A place in a text that is not TOML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct SyntaxError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
    /// The whole line.
    pub text: String,
}

impl SyntaxError {
    /// The parser's error about `text`, without its picture of the place.
    #[must_use]
    pub fn of(text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |last| last.chars().count())
            + 1;
        Self {
            line,
            column,
            message: error.message().replace('\n', ", "),
            text: text.lines().nth(line - 1).unwrap_or_default().to_owned(),
        }
    }

    /// The line, and a sign under the place.
    #[must_use]
    pub fn picture(&self) -> String {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let sign = " ".repeat(self.column - 1);
        // What stands in a file has no business with the terminal.
        let text = self.text.replace(char::is_control, " ");
        format!("{margin} |\n{number} | {text}\n{margin} | {sign}^")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_counted_in_lines_and_characters() {
        let text = "a = 1\n\"é\" = x\n";
        let error = text.parse::<toml::Table>().unwrap_err();
        let error = SyntaxError::of(text, &error);
        assert_eq!((error.line, error.column), (2, 7), "{error}");
        assert!(!error.to_string().contains('\n'));
        assert_eq!(error.picture(), "  |\n2 | \"é\" = x\n  |       ^");
    }
}
