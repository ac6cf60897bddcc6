use std::io::Write as _;

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const PYPROJECT: &str = include_str!("../../testdata/fab/mini/pyproject.toml");
/// Made by Flower itself from `testdata/fab/mini`.
const MINI: &[u8] = include_bytes!("../../testdata/fab/mini.zip");

fn mini_files() -> Vec<(String, Bytes)> {
    vec![
        (
            "mini/s.py".into(),
            Bytes::from_static(include_bytes!("../../testdata/fab/mini/mini/s.py")),
        ),
        (
            "mini/c.py".into(),
            Bytes::from_static(include_bytes!("../../testdata/fab/mini/mini/c.py")),
        ),
    ]
}

/// An archive with other entries than a builder would write.
fn archive(entries: &[(&str, &[u8])]) -> Bytes {
    let entries: Vec<_> = entries
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), Bytes::copy_from_slice(bytes)))
        .collect();
    archive::write(&entries).unwrap().into()
}

fn refused(entries: &[(&str, &[u8])]) -> String {
    Fab::open(archive(entries)).unwrap_err().to_string()
}

#[test]
fn a_bundle_has_the_bytes_that_flower_writes() {
    let fab = build(PYPROJECT, mini_files()).unwrap();
    assert_eq!(fab.bytes, MINI);
    assert_eq!(
        fab.hash,
        "8dce5c8e475f4e7c9473305957aa56506cd2fb80ba41d948661f97934711270e"
    );
    assert_eq!(fab.file_name(), "pub.mini.1-0-0.8dce5c8e.fab");
    assert_eq!(fab.fab_id(), "pub/mini");
}

#[test]
fn flowers_bundle_is_opened_and_verified() {
    let fab = Fab::open(Bytes::from_static(MINI)).unwrap();
    assert_eq!(fab.manifest().serverapp, "mini.s:app");
    assert_eq!(fab.manifest().config.len(), 2);
    assert!(fab.hash.starts_with("8dce5c8e"));
}

#[test]
fn names_beyond_ascii_are_marked_as_utf8() {
    let mut files = mini_files();
    files.push(("mini/größe.md".into(), Bytes::from_static(b"x")));
    let fab = build(PYPROJECT, files).unwrap();
    assert!(Fab::open(fab.bytes.clone()).is_ok());
    // The flags of the entry, and behind them method, time and date, in both headers.
    let marked = [0, 8, 0, 0, 0, 0, 65, 89];
    let mut bytes = fab.bytes.to_vec();
    for at in 0..bytes.len() - marked.len() {
        if bytes[at..].starts_with(&marked) {
            bytes[at + 1] = 0;
        }
    }
    let error = Fab::open(bytes.into()).unwrap_err();
    assert!(error.to_string().contains("marked"), "{error}");
}

#[test]
fn every_file_must_be_listed_and_every_line_have_its_file() {
    let project = PYPROJECT.as_bytes();
    let hash = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"; // of "a"
    let list = |line: &str| format!("{line}\n").into_bytes();
    let good = list(&format!("a.py,{hash},8"));
    assert!(
        Fab::open(archive(&[
            (MANIFEST, project),
            ("a.py", b"a"),
            (CONTENT, &good)
        ]))
        .is_ok()
    );
    type Case<'a> = (&'a str, Vec<(&'a str, &'a [u8])>, Vec<u8>);
    let cases: [Case<'_>; 6] = [
        (
            "\"a.py\" has another hash than listed",
            vec![("a.py", b"b")],
            good.clone(),
        ),
        (
            "\"a.py\" has another size than listed",
            vec![("a.py", b"a")],
            list(&format!("a.py,{hash},1")),
        ),
        ("\"a.py\" is listed but missing", vec![], good.clone()),
        (
            "\"b.py\" is not listed",
            vec![("a.py", b"a"), ("b.py", b"b")],
            good.clone(),
        ),
        (
            "\"a.py\" is listed twice",
            vec![("a.py", b"a")],
            [good.clone(), good.clone()].concat(),
        ),
        (
            "line 2 of .info/CONTENT",
            vec![("a.py", b"a")],
            [good.clone(), list("junk")].concat(),
        ),
    ];
    for (expected, files, content) in cases {
        let mut entries = vec![(MANIFEST, project)];
        entries.extend(files);
        entries.push((CONTENT, &content));
        let error = refused(&entries);
        assert!(error.contains(expected), "{error}");
    }
}

/// flwr 1.27 and later: `pyproject.toml` is the first line, and no line feed ends the list.
#[test]
fn a_list_may_have_the_manifest_and_no_last_line_feed() {
    let line = |path: &str, bytes: &[u8]| {
        let hash = hex::encode(Sha256::digest(bytes));
        format!("{path},{hash},{}", bytes.len() * 8)
    };
    let opened = |list: &str| {
        Fab::unpack(archive(&[
            (MANIFEST, PYPROJECT.as_bytes()),
            ("a.py", b"a"),
            (CONTENT, list.as_bytes()),
        ]))
    };
    let (manifest, app) = (line(MANIFEST, PYPROJECT.as_bytes()), line("a.py", b"a"));
    for list in [
        format!("{manifest}\n{app}"),
        format!("{app}\n{manifest}\n"),
        app.clone(),
    ] {
        let (fab, files) = opened(&list).unwrap();
        assert_eq!(fab.fab_id(), "pub/mini");
        assert_eq!(files[MANIFEST], PYPROJECT.as_bytes());
    }
    let altered = line(MANIFEST, b"[project]");
    for (list, why) in [
        (format!("{altered}\n{app}"), "another size than listed"),
        (format!("{manifest}\n{app}\n{manifest}"), "is listed twice"),
        (manifest, "\"a.py\" is not listed"),
    ] {
        let error = opened(&list).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_bundle_without_its_two_files_is_refused() {
    assert!(refused(&[(CONTENT, b"")]).contains("pyproject.toml is missing"));
    assert!(refused(&[(MANIFEST, PYPROJECT.as_bytes())]).contains(".info/CONTENT is missing"));
    assert!(refused(&[(MANIFEST, b"\xff"), (CONTENT, b"")]).contains("not UTF-8"));
    assert!(
        refused(&[(MANIFEST, b"[project]"), (CONTENT, b"")])
            .contains("Invalid config inside FAB file")
    );
}

#[test]
fn paths_that_leave_the_app_are_refused() {
    for path in [
        "../a.py",
        "/a.py",
        "a/../../b.py",
        "a//b.py",
        "./a.py",
        "a\\b.py",
        "a\nb.py",
        "",
    ] {
        let error = Fab::open(archive(&[
            (MANIFEST, PYPROJECT.as_bytes()),
            (path, b"x"),
            (CONTENT, b""),
        ]))
        .unwrap_err();
        assert!(matches!(&error, FabError::Path(_)), "{path:?}: {error}");
        assert!(
            build(PYPROJECT, vec![(path.into(), Bytes::new())]).is_err(),
            "{path:?}"
        );
    }
}

#[test]
fn paths_that_a_builder_may_not_write_are_refused() {
    for path in [MANIFEST, CONTENT, "a,b.py"] {
        let error = build(PYPROJECT, vec![(path.into(), Bytes::new())]).unwrap_err();
        assert!(
            matches!(&error, FabError::Path(given) if given == path),
            "{error}"
        );
    }
    let twice = vec![("a.py".into(), Bytes::new()), ("a.py".into(), Bytes::new())];
    assert!(matches!(
        build(PYPROJECT, twice).unwrap_err(),
        FabError::Duplicate(_)
    ));
}

#[test]
fn names_that_leave_the_install_directory_are_refused() {
    let text = PYPROJECT.replace("\"pub\"", "\"../pub\"");
    assert!(matches!(
        build(&text, mini_files()).unwrap_err(),
        FabError::Name {
            what: "publisher",
            ..
        }
    ));
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let error = refused(&[
        (MANIFEST, PYPROJECT.as_bytes()),
        ("a.py", b"1"),
        ("a.py", b"2"),
        (CONTENT, b""),
    ]);
    assert!(error.contains("ambiguous"), "{error}");
}

#[test]
fn links_are_refused() {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.add_symlink("a.py", "/etc/passwd", SimpleFileOptions::default())
        .unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    assert!(
        matches!(Fab::open(bytes.into()).unwrap_err(), FabError::NotAFile(path) if path == "a.py")
    );
}

#[test]
fn a_deflated_bundle_is_read_and_a_bomb_is_not() {
    let deflated = |entries: &[(&str, &[u8])]| -> Bytes {
        let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner().into()
    };
    assert!(
        Fab::open(deflated(&[
            (MANIFEST, PYPROJECT.as_bytes()),
            (CONTENT, b"")
        ]))
        .is_ok()
    );
    let zeros = vec![0; 40 * 1024 * 1024];
    let error = Fab::open(deflated(&[("a", &zeros), ("b", &zeros)])).unwrap_err();
    assert!(matches!(error, FabError::Inflated), "{error}");
}

/// The end records say how many entries the reader should reserve memory for.
#[test]
fn the_end_of_a_zip64_archive_is_refused_before_the_reader_reserves_by_it() {
    let mut bytes = MINI.to_vec();
    let end = bytes.len() - 22;
    let mut record = b"PK\x06\x06".to_vec();
    record.extend(44_u64.to_le_bytes());
    record.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [9_000_000_u64, 9_000_000, 46, end as u64] {
        record.extend(number.to_le_bytes());
    }
    record.extend(b"PK\x06\x07\0\0\0\0");
    record.extend((end as u64).to_le_bytes());
    record.extend(1_u32.to_le_bytes());
    bytes.splice(end..end, record);
    let error = Fab::open(bytes.into()).unwrap_err();
    assert!(error.to_string().contains("zip64"), "{error}");
}

#[test]
fn size_and_number_of_entries_are_bounded() {
    let error = Fab::open(Bytes::from(vec![0; MAX_BYTES + 1])).unwrap_err();
    assert!(error.to_string().contains("10,485,760 bytes"), "{error}");
    let error = build(
        PYPROJECT,
        vec![("a.py".into(), Bytes::from(vec![0; MAX_BYTES]))],
    )
    .unwrap_err();
    assert!(
        matches!(error, FabError::TooLarge(size) if size > MAX_BYTES),
        "{error}"
    );
    let many = (0..=archive::MAX_ENTRIES)
        .map(|n| (format!("{n}.py"), Bytes::new()))
        .collect();
    assert!(matches!(
        build(PYPROJECT, many).unwrap_err(),
        FabError::TooMany(_)
    ));
}

#[test]
fn more_entries_than_a_bundle_may_have_are_not_read() {
    let many = |count: usize| -> Bytes {
        let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for number in 0..count {
            let name = format!("{number}.py");
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
        }
        zip.finish().unwrap().into_inner().into()
    };
    let error = Fab::open(many(archive::MAX_ENTRIES + 1)).unwrap_err();
    assert!(matches!(error, FabError::TooMany(10_001)), "{error}");
    let error = Fab::open(many(archive::MAX_ENTRIES)).unwrap_err();
    assert!(
        error.to_string().contains("pyproject.toml is missing"),
        "{error}"
    );
}

/// Another reader would find other entries in it. Of two bundles in one file Python's `zipfile` reads
/// the second, and a reader that goes by the offsets reads the first.
#[test]
fn bytes_before_or_behind_a_bundle_are_refused() {
    let other = build(
        PYPROJECT,
        vec![("mini/o.py".into(), Bytes::from_static(b"x"))],
    )
    .unwrap();
    let local = [0x50, 0x4b, 3, 4];
    let headers = [local, [0; 4]].concat();
    for junk in [&b"#!/bin/sh\n"[..], &local, &headers, MINI, &other.bytes] {
        for parts in [[junk, MINI], [MINI, junk]] {
            let error = Fab::open(parts.concat().into()).unwrap_err();
            assert!(
                matches!(error, FabError::Format(_)),
                "{} bytes: {error}",
                junk.len()
            );
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_opened_or_refused(bytes in any::<Vec<u8>>()) {
        prop_assert!(Fab::open(bytes.into()).is_err());
    }

    #[test]
    fn a_damaged_bundle_is_never_taken_for_another(at in 0..MINI.len(), byte in any::<u8>(), cut in 0..MINI.len()) {
        let mut damaged = MINI.to_vec();
        damaged[at] = byte;
        if let Ok(fab) = Fab::open(damaged.into()) {
            prop_assert_eq!(fab.manifest().fab_id(), "pub/mini");
        }
        prop_assert!(Fab::open(Bytes::from_static(MINI).slice(..cut)).is_err());
    }

    #[test]
    fn what_is_built_can_be_opened(files in proptest::collection::btree_map("[a-zé-]{1,3}(/[a-z ]{1,3}){0,2}\\.py", any::<Vec<u8>>(), 0..6)) {
        let files: Vec<_> = files.into_iter().map(|(path, bytes)| (path, bytes.into())).collect();
        let built = build(PYPROJECT, files).unwrap();
        let opened = Fab::open(built.bytes.clone()).unwrap();
        prop_assert_eq!(opened.manifest(), built.manifest());
    }
}
