//! What came of each pair, in a file: one line for each release and role. docs/interop.md is made of
//! it (`xtask/src/checks/interop/page.rs`).

use std::fs;
use std::path::{Path, PathBuf};

use e2e::Release;
use serde_json::{Map, Value};

use crate::combination::{Combination, Protection};
use crate::trial::Verdict;

/// The file, and what each new line says of when it was made.
#[derive(Debug)]
pub(crate) struct Record {
    path: PathBuf,
    tried: String,
}

type Line = Map<String, Value>;

impl Record {
    /// Lines go to this file. `tried`: the commit and the day.
    pub(crate) const fn new(path: PathBuf, tried: String) -> Self {
        Self { path, tried }
    }

    /// Puts a pair's outcome in the place of what the file had of this pair.
    ///
    /// # Panics
    /// If the file cannot be read or written.
    pub(crate) fn keep(&self, combination: Combination, verdicts: &[(Protection, Verdict)]) {
        let release = combination.release_name();
        let mut lines = read(&self.path);
        for role in combination.kind.roles() {
            let mut line = Line::new();
            line.insert("release".to_owned(), release.as_str().into());
            line.insert("role".to_owned(), (*role).into());
            for (protection, verdict) in verdicts {
                line.insert(protection.key().to_owned(), verdict.to_json(combination));
            }
            line.insert("tried".to_owned(), self.tried.as_str().into());
            lines.retain(|old| old["release"] != line["release"] || old["role"] != line["role"]);
            lines.push(line);
        }
        lines.sort_by_key(place);
        write(&self.path, &lines);
    }
}

/// Releases in their order, those of our own last.
fn place(line: &Line) -> (bool, Option<Release>, String) {
    let release = line["release"].as_str().and_then(Release::parse);
    (release.is_none(), release, line["role"].to_string())
}

fn read(path: &Path) -> Vec<Line> {
    let Ok(text) = fs::read_to_string(path) else {
        return Vec::new();
    };
    serde_json::from_str(&text).unwrap()
}

fn write(path: &Path, lines: &[Line]) {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| serde_json::to_string(line).unwrap())
        .collect();
    // A matrix that is interrupted leaves what it found.
    let fresh = path.with_extension("new");
    fs::write(&fresh, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    fs::rename(fresh, path).unwrap();
}

#[cfg(test)]
mod tests {
    use e2e::Scratch;

    use super::*;

    fn combination(release: Release) -> Combination {
        Combination::all(release)[0]
    }

    #[test]
    fn a_pair_that_is_tried_again_has_one_line_in_the_order_of_releases() {
        let scratch = Scratch::new();
        let path = scratch.path().join("record.json");
        let record = Record::new(path.clone(), "today".to_owned());
        let fails = Verdict::Fails {
            said: "no \"answer\"".to_owned(),
            as_known: false,
        };
        for (release, verdict) in [
            (Release::V1_42, &Verdict::Works),
            (Release::V1_20, &fails),
            (Release::V1_42, &fails),
            (Release::V1_20, &Verdict::Works),
        ] {
            record.keep(combination(release), &[(Protection::Tls, verdict.clone())]);
        }
        let text = fs::read_to_string(path).unwrap();
        let wanted = r#"[
{"release":"1.20.0","role":"supernode","tls":true,"tried":"today"},
{"release":"1.42.0","role":"supernode","tls":"no \"answer\"","tried":"today"}
]
"#;
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_oldest_releases_are_tried_in_two_roles_at_once() {
        let scratch = Scratch::new();
        let path = scratch.path().join("record.json");
        let record = Record::new(path.clone(), String::new());
        record.keep(
            combination(Release::V1_8),
            &[(Protection::Tls, Verdict::Works)],
        );
        let roles = read(&path).into_iter().map(|line| line["role"].clone());
        assert_eq!(roles.collect::<Vec<_>>(), ["serverapp", "supernode"]);
    }
}
