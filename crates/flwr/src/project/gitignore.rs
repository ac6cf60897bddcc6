//! Patterns of a `.gitignore`, matched as flwr 1.17 to 1.22 match them.
//!
//! Flower differs from git in two rules. Flower matches patterns against the absolute path: `/x`
//! means the root of the file system, and a pattern may match a directory above the app. And the
//! last pattern that matches a file, or any directory above the file, decides: `!` can take a file
//! out of an ignored directory. Crates for git's rules cannot be configured so, and match `?`
//! against bytes. A bundle's hash needs exactly Flower's selection.

/// The pattern that every app has: what compilers leave behind.
const ALWAYS: &str = "__pycache__/";

/// The patterns. The last match decides.
pub(super) struct Rules {
    patterns: Vec<Pattern>,
    takes_back: bool,
}

impl Rules {
    /// Reads the text of a `.gitignore`, and adds the pattern that every app has.
    pub(super) fn new(text: &str) -> Self {
        // Python ends a line at a lone carriage return too.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        Self::of(std::iter::once(ALWAYS).chain(text.lines()))
    }

    /// Reads these lines, and nothing else.
    pub(super) fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let lines = lines.into_iter().enumerate();
        let patterns: Vec<_> = lines
            .filter_map(|(number, line)| Pattern::parse(number, line))
            .collect();
        let takes_back = patterns.iter().any(|pattern| pattern.takes_back);
        Self {
            patterns,
            takes_back,
        }
    }

    /// Whether the patterns pick a file, where they are a list of files that are wanted. `path` is the
    /// path in the app.
    pub(super) fn pick(&self, path: &str) -> bool {
        self.ignores(&path.split('/').collect::<Vec<_>>())
    }

    /// Whether a file is left out. `path` are the names from the root of the file system.
    pub(super) fn ignores(&self, path: &[impl AsRef<str>]) -> bool {
        let last = self.deciding(&characters(path));
        last.is_some_and(|pattern| !pattern.takes_back)
    }

    /// The pattern that leaves a file out. `None` for a file in the bundle.
    pub(super) fn reason(&self, path: &[impl AsRef<str>]) -> Option<Reason<'_>> {
        let path = characters(path);
        let pattern = self.deciding(&path).filter(|pattern| !pattern.takes_back)?;
        // A pattern that matches a directory also matches all below the directory.
        let shortest = (1..=path.len()).find(|length| pattern.matches(&path[..*length]))?;
        Some(Reason {
            pattern: &pattern.text,
            line: pattern.line,
            depth: shortest - usize::from(pattern.is_of_content && shortest > 1),
        })
    }

    /// The last pattern that matches.
    fn deciding(&self, path: &[Vec<char>]) -> Option<&Pattern> {
        self.patterns
            .iter()
            .rev()
            .find(|pattern| pattern.matches(path))
    }

    /// Whether a whole directory is left out: a pattern that matches the directory also matches all
    /// files below.
    pub(super) fn prunes(&self, directory: &[impl AsRef<str>]) -> bool {
        !self.takes_back && self.ignores(directory)
    }
}

/// The pattern that leaves a file out.
pub(super) struct Reason<'a> {
    /// The text of the line.
    pub(super) pattern: &'a str,
    /// Number of the line, from 1; 0 for the pattern that every app has.
    pub(super) line: usize,
    /// The number of names of the path that the pattern matches.
    pub(super) depth: usize,
}

fn characters(path: &[impl AsRef<str>]) -> Vec<Vec<char>> {
    path.iter()
        .map(|name| name.as_ref().chars().collect())
        .collect()
}

/// A pattern.
struct Pattern {
    /// The line without spaces around it.
    text: String,
    /// The number of the line, from 1; 0 for [`ALWAYS`].
    line: usize,
    /// Whether the pattern means the content of a directory, not the directory: `x/` and `x/**`.
    is_of_content: bool,
    /// Whether the line begins with `!`.
    takes_back: bool,
    parts: Vec<Part>,
}

enum Part {
    /// Zero or more names.
    AnyDepth,
    /// One name.
    Name(Vec<Glyph>),
}

impl Part {
    /// Any one name.
    fn any_name() -> Self {
        Self::Name(vec![Glyph::Many])
    }
}

impl Pattern {
    /// Parses a line. `None` for blank lines, comments and lines without a valid pattern.
    fn parse(number: usize, line: &str) -> Option<Self> {
        let line = line.trim();
        let text = line.to_owned();
        if line.is_empty() || line.starts_with('#') || line == "/" {
            return None;
        }
        let (takes_back, line) = line
            .strip_prefix('!')
            .map_or((false, line), |rest| (true, rest));
        let (anchored, line) = line
            .strip_prefix('/')
            .map_or((false, line), |rest| (true, rest));
        let (directory, line) = line
            .strip_suffix('/')
            .map_or((false, line), |rest| (true, rest));
        // `/**/` matches nothing there, unlike `**/` and `/**`.
        let nothing = anchored && directory && line.split('/').all(|name| name == "**");
        if line.is_empty() || nothing {
            return None;
        }
        let mut parts = Vec::new();
        // A lone name is found at any depth.
        if !anchored && !line.contains('/') {
            parts.push(Part::AnyDepth);
        }
        for name in line.split('/') {
            parts.push(if name == "**" {
                Part::AnyDepth
            } else {
                Part::Name(glyphs(name)?)
            });
        }
        // `x/` and `x/**` are all below x, but not x. `x` is x and all below.
        let is_of_content = directory || line.ends_with("/**");
        if is_of_content {
            parts.push(Part::any_name());
        }
        parts.push(Part::AnyDepth);
        Some(Self {
            text,
            line: number,
            is_of_content,
            takes_back,
            parts,
        })
    }

    fn matches(&self, path: &[Vec<char>]) -> bool {
        let any_depth = |part: &Part| matches!(part, Part::AnyDepth);
        let name = |part: &Part, name: &Vec<char>| match part {
            Part::AnyDepth => false,
            Part::Name(glyphs) => wildcard(
                glyphs,
                name,
                |glyph| matches!(glyph, Glyph::Many),
                Glyph::takes,
            ),
        };
        wildcard(&self.parts, path, any_depth, name)
    }
}

/// A part of a pattern for a name.
enum Glyph {
    Letter(char),
    /// `?`
    One,
    /// `*`
    Many,
    /// `[a-z]` or `[!a-z]`
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glyph {
    fn takes(&self, c: &char) -> bool {
        match self {
            Self::Letter(letter) => letter == c,
            Self::One => true,
            Self::Many => false,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (low..=high).contains(&c)) != *negated
            }
        }
    }
}

/// Parses a name. `None` if it ends with a backslash.
fn glyphs(name: &str) -> Option<Vec<Glyph>> {
    let letters: Vec<char> = name.chars().collect();
    let mut glyphs = Vec::new();
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        at += 1;
        glyphs.push(match letter {
            '\\' => {
                at += 1;
                Glyph::Letter(*letters.get(at - 1)?)
            }
            '*' => Glyph::Many,
            '?' => Glyph::One,
            '[' => match class(&letters[at..]) {
                Some((glyph, length)) => {
                    at += length;
                    glyph
                }
                // Never closed: a bracket like any letter.
                None => Glyph::Letter('['),
            },
            letter => Glyph::Letter(letter),
        });
    }
    Some(glyphs)
}

/// Parses the class after an opening bracket. Gives the class, and its length with the closing
/// bracket.
fn class(letters: &[char]) -> Option<(Glyph, usize)> {
    let negated = matches!(letters.first(), Some('!' | '^'));
    let start = usize::from(negated);
    // A closing bracket in first place is one of the letters.
    let end = letters.iter().skip(start + 1).position(|&c| c == ']')? + start + 1;
    let mut rest = letters.get(start..end)?;
    let mut ranges = Vec::new();
    while let Some((&first, behind)) = rest.split_first() {
        let (last, behind) = match behind {
            ['-', last, behind @ ..] => (*last, behind),
            _ => (first, behind),
        };
        ranges.push((first, last));
        rest = behind;
    }
    Some((Glyph::Class { negated, ranges }, end + 1))
}

/// Whether `pattern` matches the whole `text`. `many` tells which parts match any number of items.
/// Only the last such part needs backtracking, so the time is at most the product of both lengths.
fn wildcard<P, T>(
    pattern: &[P],
    text: &[T],
    many: impl Fn(&P) -> bool,
    one: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(part) if many(part) => {
                retry = Some((p, t));
                p += 1;
            }
            Some(part) if one(part, &text[t]) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star, from)) = retry else {
                    return false;
                };
                retry = Some((star, from + 1));
                (p, t) = (star + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(many)
}

#[cfg(test)]
mod tests;
