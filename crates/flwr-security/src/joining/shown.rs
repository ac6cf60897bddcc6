//! Tokens in texts that people read, or have typed.

use std::borrow::Cow;
use std::ops::Range;

use super::PREFIX;

/// Stands for a token.
const HIDDEN: &str = "the join token";
/// A file may be called as a token begins. No file is called by as many letters of a token.
const SURE: usize = 32;

/// A text without the space and the quotes around it: people paste them with a token.
pub(super) fn bare(text: &str) -> &str {
    let is_quote = |letter| matches!(letter, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}');
    text.trim_matches(|letter: char| letter.is_whitespace() || is_quote(letter))
}

/// Where the first token of a text is.
pub(super) fn find(text: &str) -> Option<Range<usize>> {
    let is_letter = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    text.match_indices(PREFIX).find_map(|(start, _)| {
        let (before, rest) = (&text[..start], &text[start + PREFIX.len()..]);
        // All of them are ASCII: as many bytes.
        let letters = rest.chars().take_while(is_letter).count();
        let is_token = letters >= SURE || letters > 0 && !before.ends_with('/');
        is_token.then(|| start..start + PREFIX.len() + letters)
    })
}

pub(super) fn hide(text: &str) -> Cow<'_, str> {
    let mut rest = text;
    let mut hidden = String::new();
    while let Some(token) = find(rest) {
        hidden.push_str(&rest[..token.start]);
        hidden.push_str(HIDDEN);
        rest = &rest[token.end..];
    }
    if hidden.is_empty() {
        return text.into();
    }
    (hidden + rest).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_hidden_wherever_they_stand_and_nothing_else() {
        let long = "A".repeat(SURE);
        for (text, shown) in [
            ("fjt1_abc".to_owned(), "the join token"),
            (
                "'fjt1_a-b_c' and (fjt1_x), twice".to_owned(),
                "'the join token' and (the join token), twice",
            ),
            ("--rejoin=fjt1_abc".to_owned(), "--rejoin=the join token"),
            (format!("/tmp/fjt1_{long}: no"), "/tmp/the join token: no"),
        ] {
            assert_eq!(hide(&text), shown);
        }
        for text in [
            "",
            "it begins with `fjt1_`",
            "/run/fjt1_ward7: not found",
            "fjt2_abc",
            "\u{201c}na\u{ef}ve\u{201d}",
        ] {
            assert!(matches!(hide(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn space_and_quotes_around_a_text_do_not_count() {
        for text in ["x", " x\n", "\"x\"", " 'x' ", "\u{201c}x\u{201d}", "`x`"] {
            assert_eq!(bare(text), "x");
        }
        assert_eq!(bare(" '' "), "");
    }
}
