//! The pages of a book that is built: each link between them leads somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::checks::documents::normal;

/// Pages that mdbook makes for itself.
const FOREIGN: [&str; 2] = ["toc.html", "404.html"];

/// The links in a book that lead nowhere, each with its page.
pub(super) fn broken_links(book: &Path) -> Result<Vec<String>> {
    let (mut broken, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(book.join(&folder))? {
            let entry = entry?;
            let page = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(page);
            } else if is_page(&page) {
                let text = read(&book.join(&page))?;
                let missing = links(content(&text)).filter(|link| !leads(book, &page, link));
                broken.extend(missing.map(|link| format!("{}: {link}", page.display())));
            }
        }
    }
    broken.sort();
    Ok(broken)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| file.display().to_string())
}

fn is_page(page: &Path) -> bool {
    let is_html = page
        .extension()
        .is_some_and(|extension| extension == "html");
    is_html && !FOREIGN.iter().any(|name| page == Path::new(name))
}

/// What people have written of a page.
fn content(text: &str) -> &str {
    let after = text.split_once("<main>").map_or(text, |(_, after)| after);
    after.split("</main>").next().unwrap_or(after)
}

/// Links to files of the book.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let marked = [" href=\"", " src=\""].into_iter();
    let found = marked.flat_map(|mark| text.split(mark).skip(1));
    let links = found.filter_map(|rest| rest.split('"').next());
    links.filter(|link| !link.contains(':'))
}

/// Whether a link of a page leads to a file, or to a place in a page.
fn leads(book: &Path, page: &Path, link: &str) -> bool {
    let (path, place) = link.split_once('#').unwrap_or((link, ""));
    let folder = page.parent().unwrap_or(Path::new(""));
    let target = match path {
        "" => book.join(page),
        path => book.join(normal(&folder.join(path))),
    };
    if place.is_empty()
        || target
            .extension()
            .is_none_or(|extension| extension != "html")
    {
        return target.exists();
    }
    fs::read_to_string(&target).is_ok_and(|text| text.contains(&format!(" id=\"{place}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_pages_places_and_pictures_that_are_missing_are_found() {
        let book = tempfile::tempdir().unwrap();
        fs::create_dir(book.path().join("docs")).unwrap();
        let write = |name: &str, text: &str| fs::write(book.path().join(name), text).unwrap();
        write(
            "index.html",
            "<a href=\"left.html\"><main><h1 id=\"top\"></h1><a href=\"docs/a.html#part\">\
             <a href=\"#top\"><a href=\"https://example.org/x.html\"><a href=\"README.html\"></main>",
        );
        write(
            "docs/a.html",
            "<main><h2 id=\"part\"></h2><a href=\"../index.html#no\"><img src=\"picture.svg\"></main>",
        );
        assert_eq!(
            broken_links(book.path()).unwrap(),
            [
                "docs/a.html: ../index.html#no",
                "docs/a.html: picture.svg",
                "index.html: README.html"
            ]
        );
    }
}
