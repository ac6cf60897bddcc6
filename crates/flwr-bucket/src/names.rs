//! What a bucket holds, as the filer of SeaweedFS tells it: parts of uploads that have not ended are
//! files there, too, which no S3 listing shows.

use std::net::SocketAddr;

use serde::Deserialize;

use super::ask;

/// The bit of a mode that tells a folder, as Go has it.
const FOLDER: u64 = 1 << 31;
/// Entries of one page.
const PAGE: usize = 1000;

/// A page of a folder.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    entries: Option<Vec<Entry>>,
    last_file_name: String,
    should_display_load_more: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    full_path: String,
    mode: u64,
}

/// The files below a folder by their paths in it, sorted.
pub(super) fn below(filer: SocketAddr, folder: &str) -> Vec<String> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(next) = folders.pop() {
        for entry in entries(filer, &next) {
            match entry.mode & FOLDER {
                0 => files.push(entry.full_path),
                _ => folders.push(entry.full_path),
            }
        }
    }
    let start = format!("{folder}/");
    let name = |path: String| path.strip_prefix(&start).map(str::to_owned);
    let mut names: Vec<_> = files.into_iter().filter_map(name).collect();
    names.sort();
    names
}

fn entries(filer: SocketAddr, folder: &str) -> Vec<Entry> {
    let (mut all, mut last) = (Vec::new(), String::new());
    loop {
        let path = format!("{folder}/?limit={PAGE}&lastFileName={last}");
        let answer = ask(filer, "GET", &path, "").unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        // A folder may go while its entries are asked for.
        if head.contains(" 404 ") {
            return all;
        }
        let page: Page = serde_json::from_str(body).unwrap_or_else(|error| {
            panic!("{folder} of the S3 server cannot be read ({error}): {answer}")
        });
        all.extend(page.entries.unwrap_or_default());
        if !page.should_display_load_more {
            return all;
        }
        last = page.last_file_name;
    }
}
