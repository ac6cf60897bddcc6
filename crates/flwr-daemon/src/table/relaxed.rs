//! JSON as people write it by hand. Guides print a Python dictionary and call the file JSON.
//!
//! Accepted beyond JSON: `True`, `False` and `None`, texts in single quotes, a comma after the
//! last entry, round brackets for lists, and comments (`#`, `//`, `/* */`). [`to_json`] rewrites
//! such a text as JSON. Each line stays on its line, so that the line numbers of the JSON parser
//! are those of the file.

use std::iter::Peekable;
use std::str::Chars;

use thiserror::Error;

/// Why a text is not JSON in any spelling.
#[derive(Debug, Error)]
#[error("{problem} at line {line} column {column}")]
pub struct SpellingError {
    /// What is wrong, and how to write it.
    problem: String,
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
}

/// Rewrites a text as JSON. The structure is left to the JSON parser.
///
/// # Errors
/// If a word is unknown, or a text or comment has no end.
pub(super) fn to_json(text: &str) -> Result<String, SpellingError> {
    let mut rewriter = Rewriter {
        chars: text.chars().peekable(),
        json: String::with_capacity(text.len()),
        at: Place { line: 1, column: 1 },
        last: Last::Open,
    };
    while rewriter.token()? {}
    Ok(rewriter.json)
}

/// A place in the text.
#[derive(Clone, Copy)]
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    fn error(self, problem: String) -> SpellingError {
        let Self { line, column } = self;
        SpellingError {
            problem,
            line,
            column,
        }
    }
}

/// The last token. A comma is dropped if it follows an entry and a closing bracket follows it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// An opening bracket, or nothing yet.
    Open,
    /// An entry, or a part of one.
    Entry,
    /// A comma, at this byte of the JSON.
    Comma(usize),
    /// A comma without an entry before it, which is wrong in each spelling.
    Stray,
}

struct Rewriter<'a> {
    chars: Peekable<Chars<'a>>,
    json: String,
    at: Place,
    last: Last,
}

impl Rewriter<'_> {
    /// Rewrites one token; false at the end of the text.
    fn token(&mut self) -> Result<bool, SpellingError> {
        let begin = self.at;
        let Some(char) = self.next() else {
            return Ok(false);
        };
        match char {
            char if char.is_whitespace() => self.json.push(char),
            '#' => self.skip_line(),
            '/' if self.chars.peek() == Some(&'/') => self.skip_line(),
            '/' if self.chars.peek() == Some(&'*') => self.skip_block(begin)?,
            '"' | '\'' => self.text(char, begin)?,
            '{' | '[' | '(' => {
                self.json.push(if char == '(' { '[' } else { char });
                self.last = Last::Open;
            }
            '}' | ']' | ')' => self.close(if char == ')' { ']' } else { char }),
            ',' => self.comma(),
            char if char.is_alphabetic() || char == '_' => self.word(char, begin)?,
            char => {
                self.json.push(char);
                self.rest_of_number(char);
                self.last = Last::Entry;
            }
        }
        Ok(true)
    }

    fn next(&mut self) -> Option<char> {
        let char = self.chars.next()?;
        if char == '\n' {
            self.at.line += 1;
            self.at.column = 1;
        } else {
            self.at.column += 1;
        }
        Some(char)
    }

    fn next_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let char = *self.chars.peek()?;
        wanted(char).then(|| self.next()).flatten()
    }

    fn skip_line(&mut self) {
        while self.next_if(|char| char != '\n').is_some() {}
    }

    fn skip_block(&mut self, begin: Place) -> Result<(), SpellingError> {
        self.json.push_str("  ");
        self.next();
        while let Some(char) = self.next() {
            if char == '*' && self.next_if(|char| char == '/').is_some() {
                self.json.push_str("  ");
                return Ok(());
            }
            self.json.push(if char == '\n' { '\n' } else { ' ' });
        }
        Err(begin.error("the comment `/*` has no end: close it with `*/`".to_owned()))
    }

    fn text(&mut self, quote: char, begin: Place) -> Result<(), SpellingError> {
        self.json.push('"');
        while let Some(char) = self.next_if(|char| char != '\n') {
            match char {
                char if char == quote => {
                    self.json.push('"');
                    self.last = Last::Entry;
                    return Ok(());
                }
                '"' => self.json.push_str("\\\""),
                '\\' => match self.next() {
                    Some('\'') => self.json.push('\''),
                    Some(escaped) => self.json.extend(['\\', escaped]),
                    None => {}
                },
                char => self.json.push(char),
            }
        }
        Err(begin.error(format!(
            "the text has no closing quote: end it with {quote}"
        )))
    }

    fn close(&mut self, bracket: char) {
        if let Last::Comma(at) = self.last {
            self.json.replace_range(at..=at, " ");
        }
        self.json.push(bracket);
        self.last = Last::Entry;
    }

    fn comma(&mut self) {
        self.last = match self.last {
            Last::Entry => Last::Comma(self.json.len()),
            _ => Last::Stray,
        };
        self.json.push(',');
    }

    fn word(&mut self, first: char, begin: Place) -> Result<(), SpellingError> {
        let mut word = String::from(first);
        while let Some(char) = self.next_if(|char| char.is_alphanumeric() || "_-".contains(char)) {
            word.push(char);
        }
        self.json.push_str(match word.as_str() {
            "true" | "True" => "true",
            "false" | "False" => "false",
            "null" | "None" => "null",
            _ => {
                let problem = format!(
                    "`{word}` is unknown: write true or false, or put a key or a text in quotes"
                );
                return Err(begin.error(problem));
            }
        });
        self.last = Last::Entry;
        Ok(())
    }

    /// Digits have letters among them (`1e5`). The JSON parser judges the number.
    fn rest_of_number(&mut self, first: char) {
        if !(first.is_ascii_digit() || "+-.".contains(first)) {
            return;
        }
        while let Some(char) = self.next_if(|char| char.is_alphanumeric() || "+-.".contains(char)) {
            self.json.push(char);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> Value {
        serde_json::from_str(&to_json(text).unwrap()).unwrap()
    }

    #[test]
    fn json_stays_as_it_is() {
        let text = r#"{"a": [1, -2.5e3, true, false, null], "b \" \\ # // /* '": "ü, ]", "c": {}}"#;
        assert_eq!(to_json(text).unwrap(), text);
    }

    #[test]
    fn a_dictionary_of_python_is_read() {
        let text = r#"{
            'use_secure_connection': True,  # as the guide has it
            "off": False, "nothing": None,
            'it\'s "quoted"': 'a\\b',
            "options": (("grpc.ssl_target_name_override", "localhost",),),
        }"#;
        let wanted = json!({
            "use_secure_connection": true,
            "off": false,
            "nothing": null,
            "it's \"quoted\"": "a\\b",
            "options": [["grpc.ssl_target_name_override", "localhost"]],
        });
        assert_eq!(read(text), wanted);
    }

    #[test]
    fn comments_and_last_commas_are_left_out() {
        let text = "// first\n{\"a\": 1, /* two,\n lines */ \"b\": [2, 3,\n], # last,\n}\n";
        assert_eq!(read(text), json!({"a": 1, "b": [2, 3]}));
        assert_eq!(to_json(text).unwrap().lines().count(), text.lines().count());
    }

    #[test]
    fn a_comma_too_many_is_left_to_the_parser() {
        for text in ["[,]", "[1,,]", "{,}"] {
            let json = to_json(text).unwrap();
            assert!(serde_json::from_str::<Value>(&json).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_unknown_is_named_with_its_place() {
        for (text, wanted) in [
            (
                "{\n  \"a\": TRUE}",
                "`TRUE` is unknown: write true or false",
            ),
            ("{\n  key: 1}", "`key` is unknown"),
            ("{\n\"a\": data/client.key}", "`data` is unknown"),
            (
                "{\n\"a\": \"open\n}",
                "the text has no closing quote: end it with \"",
            ),
            ("{\n'a", "the text has no closing quote: end it with '"),
            ("{\n/* a", "the comment `/*` has no end"),
        ] {
            let error = to_json(text).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{text}: {error}");
            assert!(error.contains("at line 2 column "), "{error}");
        }
    }
}
