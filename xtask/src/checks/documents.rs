//! Documents: each link leads somewhere, and each command in `docs/` names the test that plays the
//! command, or says why no test does. Needs no network: links to other sites are not followed.
//!
//! The mark of a command stands above its block:
//!
//! ```text
//! <!-- played by a_test_that_types_these_lines -->
//! <!-- not played: why -->
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

/// What a line that somebody types begins with.
const PROGRAMS: [&str; 11] = [
    "flower-superlink",
    "flower-supernode",
    "flower-client-app",
    "flower-server-app",
    "flwr",
    "flwrd",
    "cargo",
    "pip",
    "apt",
    "docker",
    "skopeo",
];
/// The pages whose commands have marks. README and examples are typed whole by `e2e guides::`.
const MARKED: &str = "docs";
/// The pages that a command writes from what programs say.
const GENERATED: [&str; 2] = ["docs/errors.md", "docs/interop.md"];
const PLAYED: &str = "<!-- played by ";
const NOT_PLAYED: &str = "<!-- not played: ";

/// What is wrong with the tracked documents.
pub(super) fn problems(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut documents = BTreeMap::new();
    for file in files.iter().filter(|file| is_document(file)) {
        // A file that was removed, but not yet from the index.
        let Ok(text) = fs::read_to_string(root.join(file)) else {
            continue;
        };
        documents.insert(file.clone(), text);
    }
    let mut problems = Vec::new();
    for (file, text) in &documents {
        let shown = file.display();
        for link in links(text) {
            if let Some(problem) = broken(root, file, link, &documents) {
                problems.push(format!("{shown}: {problem}"));
            }
        }
        if file.starts_with(MARKED) && !GENERATED.iter().any(|page| file == Path::new(page)) {
            for problem in unmarked(root, files, text)? {
                problems.push(format!("{shown}: {problem}"));
            }
        }
    }
    Ok(problems)
}

fn is_document(file: &Path) -> bool {
    // Templates of apps are documents of their user.
    file.extension().is_some_and(|extension| extension == "md")
        && !file.starts_with("crates/flwr/templates")
}

/// The targets of all links and pictures, outside of code.
pub(crate) fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in prose(text) {
        // Every second part stands in backquotes. A link's own text may have some.
        for part in line.split("](").skip(1) {
            found.extend(part.split([')', ' ']).next());
        }
        for mark in ["src=\"", "srcset=\"", "href=\""] {
            for part in line.split(mark).skip(1) {
                found.extend(part.split('"').next());
            }
        }
    }
    found
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

fn broken(
    root: &Path,
    file: &Path,
    link: &str,
    documents: &BTreeMap<PathBuf, String>,
) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = match link.split_once('#') {
        Some((path, heading)) => (path, Some(heading)),
        None => (link, None),
    };
    let target = match path.is_empty() {
        true => file.to_owned(),
        false => normal(&file.parent().unwrap_or(Path::new("")).join(path)),
    };
    if !root.join(&target).exists() {
        return Some(format!("{link} leads nowhere"));
    }
    let heading = heading?;
    let is_there = documents
        .get(&target)
        .is_some_and(|text| anchors(text).contains(heading));
    (!is_there).then(|| format!("{link}: {} has no such heading", target.display()))
}

/// A path without `.` and `..`.
pub(crate) fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, part| {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            part => path.push(part),
        }
        path
    })
}

/// The names of all headings, as GitHub and mdbook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut counted = BTreeMap::<String, usize>::new();
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let names = headings.map(|line| {
        let name = line.trim_start_matches('#').trim().to_lowercase();
        let kept = name
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let number = counted.entry(name.clone()).or_default();
        *number += 1;
        match *number {
            1 => name,
            more => format!("{name}-{}", more - 1),
        }
    });
    names.collect()
}

/// The blocks with commands that have no mark, and marks that name a test which is not there.
fn unmarked(root: &Path, files: &[PathBuf], text: &str) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    let mut fence = None;
    for (place, line) in lines.iter().enumerate() {
        if !line.trim_start().starts_with("```") {
            continue;
        }
        let Some(begin) = fence.take() else {
            fence = Some(place);
            continue;
        };
        let block: &[&str] = &lines[begin + 1..place];
        let Some(command) = block.iter().find(|line| is_command(line)) else {
            continue;
        };
        let mark = lines[..begin].iter().rev().find(|line| !line.is_empty());
        let mark = mark.copied().unwrap_or_default().trim_start();
        if let Some(test) = mark.strip_prefix(PLAYED) {
            let test = test.trim_end_matches("-->").trim();
            if !is_test(root, files, test)? {
                problems.push(format!(
                    "there is no test {test}, which would play `{command}`"
                ));
            }
        } else if !mark.starts_with(NOT_PLAYED) {
            problems.push(format!(
                "`{command}`: say above the block which test plays it (`{PLAYED}TEST -->`), or why none does (`{NOT_PLAYED}WHY -->`)"
            ));
        }
    }
    Ok(problems)
}

fn is_command(line: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("$ ").unwrap_or(line);
    let words = line.split_whitespace();
    let mut words = words.skip_while(|word| word.contains('=') || *word == "sudo");
    words.next().is_some_and(|word| PROGRAMS.contains(&word))
}

fn is_test(root: &Path, files: &[PathBuf], test: &str) -> Result<bool> {
    let wanted = format!("fn {test}(");
    for file in files {
        if file.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let path = root.join(file);
        if path.exists()
            && fs::read_to_string(&path)
                .context("a tracked file")?
                .contains(&wanted)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(documents: &[(&str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in documents {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let files: Vec<_> = documents
            .iter()
            .map(|(name, _)| PathBuf::from(name))
            .collect();
        problems(root.path(), &files).unwrap()
    }

    #[test]
    fn links_lead_to_files_and_headings() {
        let page = "# A `page`: of --flags\n\n[a](#a-page-of---flags) [b](../docs/b.md#b-1) \
            [c](https://example.org/gone) ![p](p.svg)\n\n```\n[no link](nowhere.md)\n```\n";
        let other = "# B\n\n# B\n\n<img src=\"p.svg\"> [a](a.md)\n";
        let documents = [
            ("docs/a.md", page),
            ("docs/b.md", other),
            ("docs/p.svg", ""),
        ];
        assert_eq!(told(&documents), [] as [String; 0]);
        let broken = "[1](gone.md) [2](b.md#gone) [3](#gone) <img src=\"gone.svg\">\n";
        let told = told(&[("docs/a.md", broken), ("docs/b.md", "# B\n")]);
        let expected = [
            "docs/a.md: gone.md leads nowhere",
            "docs/a.md: b.md#gone: docs/b.md has no such heading",
            "docs/a.md: #gone: docs/a.md has no such heading",
            "docs/a.md: gone.svg leads nowhere",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn each_command_names_its_test_or_says_why_none_plays_it() {
        let page = "<!-- played by this_is_played -->\n```\nflwr ls\n```\n\n\
            <!-- not played: it needs a hospital -->\n\n```\n$ A=1 flower-supernode\n```\n\n\
            1. In a list.\n\n   <!-- not played: it takes an hour -->\n   ```\n   $ flwr ls\n   ```\n\n\
            ```toml\nissuer = 1\n```\n";
        let test = ("tests/a.rs", "fn this_is_played() {}\n");
        assert_eq!(told(&[("docs/a.md", page), test]), [] as [String; 0]);
        assert_eq!(
            told(&[("README.md", "```\nflwr ls\n```\n")]),
            [] as [String; 0]
        );
        let gone = told(&[("docs/a.md", page)]);
        assert!(gone[0].contains("no test this_is_played"), "{gone:?}");
        let indented = told(&[("docs/a.md", "   ```\n   $ flwr ls\n   ```\n")]);
        assert_eq!(indented.len(), 1, "{indented:?}");
        let unmarked = told(&[("docs/a.md", "Some words.\n\n```\nflwr ls\n```\n")]);
        assert!(
            unmarked[0].starts_with("docs/a.md: `flwr ls`: say above"),
            "{unmarked:?}"
        );
    }
}
