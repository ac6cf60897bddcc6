//! `cargo xtask docs`: the documents as a book, in the order of docs/SUMMARY.md.
//!
//! The documents link to each other as they lie in the repository, so that they can be read there. The
//! book is made from a copy of them with the same folders.

mod pages;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::checks::documents::{links, normal};
use crate::support::build;

/// The tool, and the version that the book is made for.
const MDBOOK: &str = "mdbook";
const VERSION: &str = "0.5.4";
/// The order of the chapters.
const SUMMARY: &str = "docs/SUMMARY.md";
/// Where the chapter of all helps stands in the order.
const HELP_MARK: &str = "<!-- help -->\n";
const HELP: &str = "docs/help.md";
/// The recorded helps: a file, or a folder with a file for each command.
const HELPS: [(&str, &str); 3] = [
    (
        "flower-superlink",
        "crates/flower-superlink/testdata/help.txt",
    ),
    (
        "flower-supernode",
        "crates/flower-supernode/testdata/help.txt",
    ),
    ("flwr", "crates/flwr/testdata/help"),
];
/// Without preprocessors: they would rename each README, but not the links to it.
const BOOK: &str = "[build]\nuse-default-preprocessors = false\n[book]\ntitle = \"Flower daemons in Rust\"\nlanguage = \"en\"\nsrc = \"src\"\n\
    [output.html]\nno-section-label = true\n[output.html.print]\nenable = false\n";

/// `cargo xtask docs`
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask docs               builds the book, and mdbook itself the first time
  cargo xtask docs --open        and opens it in a browser")]
pub(crate) struct Args {
    /// Open the book in a browser.
    #[arg(long)]
    open: bool,
}

/// Builds the book under `target/book`.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mdbook = mdbook()?;
    let (root, folder) = (build::root(), build::target().join("book"));
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    stage(&root, &folder.join("src"))?;
    fs::write(folder.join("book.toml"), BOOK)?;
    let mut book = Command::new(mdbook);
    book.arg("build").arg(&folder);
    if args.open {
        book.arg("--open");
    }
    build::succeed(&mut book)?;
    let broken = pages::broken_links(&folder.join("book"))?;
    if !broken.is_empty() {
        bail!("links of the book lead nowhere:\n{}", broken.join("\n"));
    }
    println!("{}", folder.join("book/index.html").display());
    Ok(ExitCode::SUCCESS)
}

/// The tool, installed under `target/tools` the first time.
fn mdbook() -> Result<PathBuf> {
    let tools = build::target()
        .join("tools")
        .join(format!("{MDBOOK}-{VERSION}"));
    let program = tools.join("bin").join(MDBOOK);
    if !program.is_file() {
        let mut install = build::cargo();
        install.args(["install", "--locked", MDBOOK, "--version", VERSION]);
        // A book of this size needs no optimised tool, which would take minutes more to compile.
        install.args([
            "--debug",
            "--no-default-features",
            "--features",
            "search",
            "--root",
        ]);
        install.env("CARGO_TARGET_DIR", tools.join("target"));
        build::succeed(install.arg(&tools))?;
        fs::remove_dir_all(tools.join("target"))?;
    }
    Ok(program)
}

/// Copies the chapters, and each file of the repository that they link to.
fn stage(root: &Path, to: &Path) -> Result<()> {
    let summary = read(root, Path::new(SUMMARY))?;
    let mut waiting: Vec<PathBuf> = targets(Path::new(SUMMARY), &summary).collect();
    let mut seen = BTreeSet::new();
    while let Some(file) = waiting.pop() {
        let path = root.join(&file);
        if !seen.insert(file.clone()) || !path.exists() {
            continue;
        }
        if path.is_dir() {
            let entries = fs::read_dir(&path)?.flatten();
            waiting.extend(entries.map(|entry| file.join(entry.file_name())));
        } else if file.extension().is_some_and(|extension| extension == "md") {
            let text = read(root, &file)?;
            waiting.extend(targets(&file, &text));
            put(to, &file, &text)?;
        } else {
            let target = to.join(&file);
            fs::create_dir_all(target.parent().unwrap_or(to))?;
            fs::copy(&path, &target).with_context(|| file.display().to_string())?;
        }
    }
    put(to, Path::new(HELP), &help(root)?)?;
    let chapters = with_all(&from_root(&summary), &seen);
    put(to, Path::new("SUMMARY.md"), &chapters)
}

/// The files that a document links to, relative to the repository.
fn targets<'a>(file: &'a Path, text: &'a str) -> impl Iterator<Item = PathBuf> + use<'a> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let ours = links(text).into_iter().filter(|link| !link.contains(':'));
    let paths = ours.map(|link| link.split('#').next().unwrap_or_default());
    let paths = paths.filter(|path| !path.is_empty());
    paths.map(move |path| normal(&folder.join(path)))
}

/// The order of the chapters, with paths from the repository's folder.
fn from_root(summary: &str) -> String {
    let folder = Path::new(SUMMARY).parent().unwrap_or(Path::new(""));
    let mut text = String::new();
    for line in summary
        .replace(HELP_MARK, "- [What --help says](help.md)\n")
        .lines()
    {
        let changed = line.split_once("](").and_then(|(before, after)| {
            let path = normal(&folder.join(after.strip_suffix(')')?));
            Some(format!("{before}]({})", path.display()))
        });
        text += changed.as_deref().unwrap_or(line);
        text.push('\n');
    }
    text
}

/// mdbook leaves documents out that are no chapters: those that are linked to come last.
fn with_all(chapters: &str, files: &BTreeSet<PathBuf>) -> String {
    let mut text = chapters.to_owned();
    let documents = files
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    for file in documents {
        let path = file.display().to_string();
        if !chapters.contains(&format!("]({path})")) {
            let _ = writeln!(text, "- [{path}]({path})");
        }
    }
    text
}

/// The page of all helps, from the recorded helps.
fn help(root: &Path) -> Result<String> {
    let mut page =
        "# What --help says\n\n`cargo xtask docs` writes this page from the recorded helps, which a test \
        compares with what the programs print.\n"
            .to_owned();
    for (program, path) in HELPS {
        let path = root.join(path);
        let mut files = vec![(program.to_owned(), path.clone())];
        if path.is_dir() {
            let entries = fs::read_dir(&path)?.flatten().map(|entry| entry.path());
            let named = entries.filter_map(|path| {
                let name = path.file_stem()?.to_str()?.replace('-', " ");
                let name = name
                    .strip_prefix(program)
                    .unwrap_or(&name)
                    .trim()
                    .to_owned();
                Some((format!("{program} {name}").trim().to_owned(), path))
            });
            files = named.collect();
            files.sort();
        }
        if files.is_empty() {
            bail!("{}: no recorded help", path.display());
        }
        for (name, path) in files {
            let help = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            write!(page, "\n## {name}\n\n```text\n{}\n```\n", help.trim_end())?;
        }
    }
    Ok(page)
}

fn read(root: &Path, file: &Path) -> Result<String> {
    fs::read_to_string(root.join(file)).with_context(|| file.display().to_string())
}

fn put(to: &Path, file: &Path, text: &str) -> Result<()> {
    let target = to.join(file);
    fs::create_dir_all(target.parent().unwrap_or(to))?;
    fs::write(&target, text).with_context(|| target.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_has_all_chapters_and_what_they_link_to() {
        let to = tempfile::tempdir().unwrap();
        stage(&build::root(), to.path()).unwrap();
        let chapters = fs::read_to_string(to.path().join("SUMMARY.md")).unwrap();
        let named: Vec<_> = links(&chapters);
        assert!(
            named.contains(&"README.md") && named.contains(&"docs/help.md"),
            "{chapters}"
        );
        for chapter in &named {
            assert!(to.path().join(chapter).is_file(), "{chapter}");
            let times = named.iter().filter(|other| other == &chapter).count();
            assert_eq!(times, 1, "mdbook refuses {chapter}, which stands twice");
        }
        assert_eq!(named[0], "README.md", "the door of the book");
        assert!(to.path().join("docs/picture.svg").is_file());
        let help = fs::read_to_string(to.path().join(HELP)).unwrap();
        for heading in ["## flower-superlink", "## flower-supernode", "## flwr run"] {
            assert!(help.contains(&format!("\n{heading}\n")), "{heading}");
        }
    }

    #[test]
    fn every_page_of_the_documentation_is_a_chapter() {
        let root = build::root();
        let summary = read(&root, Path::new(SUMMARY)).unwrap();
        for entry in fs::read_dir(root.join("docs")).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if name.ends_with(".md") && name != "SUMMARY.md" {
                assert!(summary.contains(&format!("]({name})")), "{name}");
            }
        }
    }
}
