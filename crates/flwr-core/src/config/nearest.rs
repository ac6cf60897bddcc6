//! "Did you mean": the known word that looks most like a mistyped one.

/// Longer words are not compared, so that the cost stays small whatever is typed.
const MAX_CHARS: usize = 200;

/// The candidate with the fewest single-character edits, if at most a third of the word differs.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    known
        .filter_map(|candidate| Some((distance(word, candidate)?, candidate)))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters, `_` and `-` counting as the same; `None` for long words.
fn distance(a: &str, b: &str) -> Option<usize> {
    let letters = |text: &str| -> Option<Vec<char>> {
        let letters: Vec<_> = text
            .chars()
            .take(MAX_CHARS + 1)
            .map(|c| if c == '_' { '-' } else { c })
            .collect();
        (letters.len() <= MAX_CHARS).then_some(letters)
    };
    let (a, b) = (letters(a)?, letters(b)?);
    // row[j]: edits from the first i letters of a to the first j letters of b
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_key_is_found_and_a_stranger_is_not() {
        let known = ["num-server-rounds", "learning-rate", "lr", "optimizer.lr"];
        let near = |word| nearest(word, known.into_iter());
        assert_eq!(near("num-server-round"), Some("num-server-rounds"));
        assert_eq!(near("num_server_rounds"), Some("num-server-rounds"));
        assert_eq!(near("learnin-rat"), Some("learning-rate"));
        assert_eq!(near("optimiser.lr"), Some("optimizer.lr"));
        assert_eq!(near("batch-size"), None);
        assert_eq!(near(""), None);
        assert_eq!(near(&"x".repeat(10_000)), None);
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(distance("kitten", "sitting"), Some(3));
        assert_eq!(distance("", "ab"), Some(2));
        assert_eq!(distance("same", "same"), Some(0));
    }
}
