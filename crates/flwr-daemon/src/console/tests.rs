use std::io::Read;
use std::os::unix::net::UnixStream;

use super::*;

/// A console, and the reader of its stream.
fn console() -> (Console, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    (Console::over(ours), theirs)
}

fn read_until(reader: &mut UnixStream, text: &str) -> String {
    let mut all = Vec::new();
    let mut some = [0; 1 << 16];
    while !String::from_utf8_lossy(&all).contains(text) {
        let count = reader.read(&mut some).unwrap();
        assert_ne!(count, 0, "the stream ends before {text:?}");
        all.extend_from_slice(&some[..count]);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn a_reader_that_reads_gets_every_line_in_order() {
    let (console, mut reader) = console();
    let reading = thread::spawn(move || read_until(&mut reader, "line 9999\n"));
    let long = "x".repeat(1000);
    for number in 0..10_000 {
        let line = format!("{long} line {number}\n");
        console.pass(line.as_bytes()).await;
    }
    let text = reading.join().unwrap();
    assert_eq!(text.lines().count(), 10_000);
    let mut numbers = text.lines().map(|line| line.rsplit(' ').next().unwrap());
    assert!((0..10_000).all(|number| numbers.next() == Some(&number.to_string())));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_is_dropped_and_counted_once_somebody_reads_again() {
    let (console, mut reader) = console();
    let line = [b"y".repeat(9999), b"\n".to_vec()].concat();
    let lines = 400;
    for _ in 0..lines {
        console.pass(&line).await;
    }
    // Lines of the daemon's own log have a reserve.
    console.log(b"own line\n");
    let mut text = read_until(&mut reader, "own line\n");
    console.pass(b"the end\n").await;
    if !text.contains("the end") {
        text += &read_until(&mut reader, "the end\n");
    }
    let written = text.lines().filter(|line| line.starts_with('y')).count();
    // A writer that is slow to begin may fall behind more than once.
    let told = text
        .lines()
        .filter(|line| line.contains("were not written"));
    let counts = told.map(|line| line.split(' ').next().unwrap().parse::<usize>().unwrap());
    let dropped: usize = counts.sum();
    assert_eq!(written + dropped, lines);
    assert!(dropped > 0 && written > 0);
}

#[tokio::test]
async fn of_an_apps_sequences_only_colours_reach_a_terminal_and_none_a_pipe() {
    for (colours, expected) in [
        (
            true,
            "\u{1b}[31mred\u{1b}[0m line\n\u{1b}[8mhidden\u{1b}[0m\nnext\n",
        ),
        (false, "red line\nhidden\nnext\n"),
    ] {
        let (writer, mut reader) = UnixStream::pair().unwrap();
        let mut app = Console::over_with(colours, writer).for_app();
        app.pass(b"\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m li")
            .await;
        app.pass(b"ne\n").await;
        app.pass(b"\x1b[8mhidden\n").await;
        app.pass(b"next\n").await;
        assert_eq!(read_until(&mut reader, "next\n"), expected);
    }
}

#[test]
fn flush_waits_for_a_reader_and_not_for_ever() {
    let (console, mut reader) = console();
    console.log(b"last words\n");
    console.flush(Duration::from_secs(60));
    assert_eq!(read_until(&mut reader, "\n"), "last words\n");
    for _ in 0..100 {
        console.log(&[b'z'; 10_000]);
    }
    console.flush(Duration::from_millis(1));
}
