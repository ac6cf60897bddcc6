//! What the model says of right and wrong ways to write a file.

use std::fs::{self, File};
use std::path::Path;

use super::*;

const CONTENT: &[u8] = b"a model";

/// Writes `file`, in one of the ways that one sees.
fn write(dir: &Path, way: &str) {
    let (temporary, path) = (dir.join("file.tmp"), dir.join("file"));
    let mut file = File::create(&temporary).unwrap();
    file.write_all(CONTENT).unwrap();
    if way != "without a sync of the file" {
        file.sync_all().unwrap();
    }
    if way == "answered before the sync" {
        acknowledge("file");
    }
    fs::rename(&temporary, &path).unwrap();
    if way != "without a sync of the directory" {
        File::open(dir).unwrap().sync_all().unwrap();
    }
    if way != "answered before the sync" {
        acknowledge("file");
    }
}

/// Whether the file survives each cut that comes after its acknowledgement: without the names that
/// were not synced, and with them.
fn survives(child: &str) -> [bool; 2] {
    let mut survives = [true; 2];
    record(child).cut(|cut| {
        if !cut.acknowledged.is_empty() {
            let found = fs::read(cut.disk.join("file")).unwrap_or_default();
            survives[usize::from(cut.names == Names::All)] &= found == CONTENT;
        }
    });
    survives
}

macro_rules! ways {
    ($($name:ident: $way:literal, $expected:expr;)*) => {
        $(#[test]
        fn $name() {
            if let Some(dir) = child() {
                return write(&dir, $way);
            }
            assert_eq!(survives(concat!("tests::", stringify!($name))), $expected);
        })*
    };
}

ways! {
    a_file_that_is_synced_with_its_directory_survives: "in order", [true, true];
    without_a_sync_of_the_file_its_content_is_lost: "without a sync of the file", [false, false];
    without_a_sync_of_the_directory_its_name_is_lost: "without a sync of the directory", [false, true];
    an_answer_before_the_sync_is_seen: "answered before the sync", [false, false];
}

#[test]
fn what_is_written_after_the_sync_began_is_not_synced() {
    let root = Path::new("/root");
    let path = root.join("file");
    let at = |at, bytes: &[u8]| Call::Write {
        path: path.clone(),
        at: calls::Offset::At(at),
        bytes: bytes.to_vec(),
    };
    let calls = [
        at(0, b"ab"),
        Call::Syncing(path.clone()),
        at(1, b"cd"),
        Call::Synced(path.clone()),
    ];
    let cuts = cut(&calls, root, |cut| match cut.names {
        Names::Synced => assert!(!cut.disk.join("file").exists()),
        Names::All => assert_eq!(fs::read(cut.disk.join("file")).unwrap(), b"ab"),
    });
    assert_eq!(cuts, 2);
}

#[test]
fn a_call_in_two_lines_is_read_as_one() {
    let text = "7 fsync(3<\\x2f\\x64\\x2f\\x66> <unfinished ...>\n\
        8 write(4<\\x2f\\x61>, \"\\x6f\\x6b\", 2) = 2\n\
        7 <... fsync resumed>) = 0\n";
    let path = PathBuf::from("/d/f");
    let expected = [
        Call::Syncing(path.clone()),
        Call::Acknowledge("ok".to_owned()),
        Call::Synced(path),
    ];
    let read = strace::read(text, Path::new("/d"), Path::new("/a"));
    assert_eq!(read, expected);
}

#[test]
fn a_second_name_stands_for_the_same_bytes() {
    let text = "7 linkat(AT_FDCWD<\\x2f>, \"\\x2f\\x64\\x2f\\x66\", AT_FDCWD<\\x2f>, \"\\x2f\\x64\\x2f\\x67\", 0) = 0\n";
    let (file, link) = (PathBuf::from("/d/f"), PathBuf::from("/d/g"));
    let read = strace::read(text, Path::new("/d"), Path::new("/a"));
    assert_eq!(read, [Call::Link(file.clone(), link.clone())]);
    let mut disk = Disk::new(Path::new("/d"));
    let written = Call::Write {
        path: file.clone(),
        at: calls::Offset::At(0),
        bytes: CONTENT.to_vec(),
    };
    for call in [written, Call::Syncing(file.clone()), Call::Synced(file)] {
        disk.apply(&call);
    }
    disk.apply(&read[0]);
    let left = tempfile::tempdir().unwrap();
    disk.lay_out(left.path(), Names::All);
    assert_eq!(fs::read(left.path().join("g")).unwrap(), CONTENT);
}
