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

/// Letters to add, leave out, replace, or exchange with their neighbour; `_` and `-` count as the
/// same. `None` for long words.
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
    // row[j]: edits from the first i letters of a to the first j letters of b; and the row above it,
    // for letters that changed places
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut above = row.clone();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let substitute = row[j] + usize::from(a[i] != b[j]);
            let mut edits = substitute.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                edits = edits.min(above[j - 1] + 1);
            }
            next.push(edits);
        }
        above = std::mem::replace(&mut row, next);
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
        assert_eq!(near("rl"), Some("lr"));
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
