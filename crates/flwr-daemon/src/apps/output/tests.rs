//! The file of an app's output.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn written(text: &[u8]) -> (tempfile::TempDir, PathBuf, File) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("output");
    let mut file = create(&path).unwrap();
    file.write_all(text).unwrap();
    (dir, path, file)
}

#[test]
fn the_file_is_new_and_for_this_user_alone() {
    let (_dir, path, _) = written(b"of another app\n");
    let file = create(&path).unwrap();
    let about = file.metadata().unwrap();
    assert_eq!(
        (about.len(), about.permissions().mode() & 0o777),
        (0, 0o600)
    );
    assert!(create(&path.join("below a file")).is_err());
}

#[test]
fn the_last_lines_are_the_last_twenty_cleaned() {
    let text: String = (0..30)
        .map(|n| format!("\x1b[92mline\x1b[0m {n}\n\n"))
        .collect();
    let (_dir, path, mut file) = written(text.as_bytes());
    file.write_all(b"unfinished").unwrap();
    let lines = last_lines(&path);
    assert_eq!(lines.len(), 20);
    assert_eq!(
        (lines[0].as_str(), lines[19].as_str()),
        ("line 11", "unfinished")
    );
    assert_eq!(last_lines(Path::new("/nonexistent")), [""; 0]);
}

#[test]
fn of_a_large_file_only_the_end_is_looked_at() {
    let (_dir, path, mut file) = written(&vec![b'x'; END as usize]);
    assert_eq!(last_lines(&path)[0].len(), 400);
    file.write_all(b"\nlast\n").unwrap();
    assert_eq!(last_lines(&path), ["last"]);
}

#[test]
fn a_file_over_its_bound_is_emptied_once_it_is_read() {
    let (_dir, _, mut app) = written(b"");
    let mut follower = Follower {
        bound: 10,
        ..Follower::new(app.try_clone().unwrap())
    };
    app.write_all(b"0123456789").unwrap();
    assert_eq!(follower.read().unwrap(), b"0123456789");
    assert_eq!(follower.read().unwrap(), b"");
    app.write_all(b"a").unwrap();
    assert_eq!(follower.read().unwrap(), b"a", "10 bytes were not too many");
    assert_eq!(follower.read().unwrap(), b"");
    assert_eq!(app.metadata().unwrap().len(), 0);
    app.write_all(b"next").unwrap();
    assert_eq!(app.metadata().unwrap().len(), 4, "no hole is left");
    assert_eq!(follower.read().unwrap(), b"next");
}

#[test]
fn a_file_that_somebody_else_emptied_is_read_from_its_start() {
    let (_dir, _, mut app) = written(b"first\n");
    let mut follower = Follower::new(app.try_clone().unwrap());
    assert_eq!(follower.read().unwrap(), b"first\n");
    app.set_len(0).unwrap();
    app.write_all(b"2\n").unwrap();
    assert_eq!(follower.read().unwrap(), b"2\n");
}

#[tokio::test]
async fn who_takes_over_passes_on_what_the_last_one_did_not() {
    for (before, at_once, passed) in [
        ("old\nbegun", "old", "begun and ended\n"),
        ("old\n", "old", " and ended\n"),
        ("begun", "", "begun and ended\n"),
    ] {
        let (_dir, path, mut app) = written(before.as_bytes());
        let tail = Tail::default();
        let follower = Follower::resume(&path, &tail).unwrap();
        assert_eq!(tail.lines().join("\n"), at_once);
        app.write_all(b" and ended\n").unwrap();
        let (mut out, ended) = (Vec::new(), Stopper::new());
        ended.stop();
        follow(follower, &mut out, tail.clone(), ended).await;
        assert_eq!(String::from_utf8(out).unwrap(), passed);
        assert_eq!(tail.lines().last().unwrap(), passed.trim_end());
    }
}
