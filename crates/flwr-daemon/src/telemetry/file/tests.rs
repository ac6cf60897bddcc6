use flwr_core::time::Timestamp;

use super::*;
use crate::clock::MockClock;

const HOUR: Duration = Duration::from_secs(3600);

/// A directory with a log file, at a time that a test moves.
struct Log {
    dir: tempfile::TempDir,
    clock: Arc<MockClock>,
    log: Rotating,
}

impl Log {
    /// A log file of today's last hour, which is rotated after these hours.
    fn new(hours: u32, backups: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // 2026-11-26, 20:10.
        let clock = Arc::new(MockClock::new(Timestamp::from_secs(1_795_723_800.0)));
        let log = open(&dir, &clock, hours, backups);
        Self { dir, clock, log }
    }

    fn line(&mut self, text: &str) {
        writeln!(self.log, "{text}").unwrap();
    }

    /// Each file with its content.
    fn files(&self) -> Vec<(String, String)> {
        let read = |entry: io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        };
        let mut files: Vec<_> = fs::read_dir(self.dir.path()).unwrap().map(read).collect();
        files.sort();
        files
    }

    fn names(&self) -> Vec<String> {
        self.files().into_iter().map(|(name, _)| name).collect()
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("superlink.log")
    }
}

fn open(dir: &tempfile::TempDir, clock: &Arc<MockClock>, hours: u32, backups: usize) -> Rotating {
    let settings = LogFile {
        path: dir.path().join("superlink.log"),
        interval: HOUR * hours,
        backups,
    };
    Rotating::open_at(settings, Arc::<MockClock>::clone(clock)).unwrap()
}

#[test]
fn a_file_is_rotated_when_its_hours_are_over_and_named_by_the_hour_it_began() {
    let mut log = Log::new(24, 7);
    log.line("first");
    log.clock.advance(HOUR * 24 - Duration::from_secs(1));
    log.line("second");
    assert_eq!(log.names(), ["superlink.log"]);
    log.clock.advance(Duration::from_secs(1));
    log.line("third");
    let expected = [
        ("superlink.log", "third\n"),
        ("superlink.log.2026-11-26_20", "first\nsecond\n"),
    ];
    assert_eq!(
        log.files(),
        expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
    );
}

#[test]
fn the_newest_rotated_files_are_kept_and_files_of_others_stay() {
    let mut log = Log::new(1, 2);
    for other in [
        "superlink.log.old",
        "superlink.log.2026-11-26",
        "superlink.logs.2026-11-26_20",
    ] {
        fs::write(log.dir.path().join(other), "").unwrap();
    }
    for number in 0..5 {
        log.line(&number.to_string());
        log.clock.advance(HOUR);
    }
    let expected = [
        "superlink.log",
        "superlink.log.2026-11-26",
        "superlink.log.2026-11-26_22",
        "superlink.log.2026-11-26_23",
        "superlink.log.old",
        "superlink.logs.2026-11-26_20",
    ];
    assert_eq!(log.names(), expected);
    let newest = log
        .files()
        .into_iter()
        .find(|(name, _)| name.ends_with("_23"));
    assert_eq!(newest.unwrap().1, "3\n");
}

#[test]
fn a_name_that_is_taken_is_not_overwritten() {
    let mut log = Log::new(1, 7);
    let taken = log.dir.path().join("superlink.log.2026-11-26_20");
    fs::write(&taken, "of before\n").unwrap();
    log.line("first");
    log.clock.advance(HOUR);
    log.line("second");
    let files = log.files();
    let text = |name: &str| {
        files
            .iter()
            .find(|(file, _)| file == name)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(text("superlink.log.2026-11-26_20"), "of before\n");
    assert_eq!(text("superlink.log.2026-11-26_20.1"), "first\n");
    assert!(is_rotated(
        OsStr::new("superlink.log.2026-11-26_20.1"),
        OsStr::new("superlink.log")
    ));
}

#[test]
fn a_new_file_is_private_and_the_mode_of_a_file_is_passed_on() {
    let mut log = Log::new(1, 7);
    let mode = |log: &Log| fs::metadata(log.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&log), 0o600);
    fs::set_permissions(log.path(), Permissions::from_mode(0o664)).unwrap();
    log.clock.advance(HOUR);
    log.line("first");
    assert_eq!(log.names().len(), 2);
    assert_eq!(mode(&log), 0o664);
}

#[test]
fn a_restart_goes_on_with_the_file_and_counts_from_its_last_line() {
    let mut log = Log::new(24, 7);
    log.line("first");
    let last = File::options().append(true).open(log.path()).unwrap();
    last.set_modified(log.clock.date_time().into()).unwrap();
    log.clock.advance(HOUR * 20);
    log.log = open(&log.dir, &log.clock, 24, 7);
    log.line("second");
    assert_eq!(log.names(), ["superlink.log"]);
    log.clock.advance(HOUR * 4);
    log.line("third");
    assert_eq!(
        log.names(),
        ["superlink.log", "superlink.log.2026-11-26_20"]
    );
}

#[test]
fn a_file_that_was_moved_away_is_made_anew() {
    let mut log = Log::new(24, 7);
    log.line("first");
    fs::rename(log.path(), log.dir.path().join("moved")).unwrap();
    log.line("second");
    let expected = [("moved", "first\n"), ("superlink.log", "second\n")];
    assert_eq!(
        log.files(),
        expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
    );
}

#[test]
fn what_is_no_regular_file_is_never_rotated() {
    let clock = Arc::new(MockClock::new(Timestamp::from_secs(0.0)));
    let settings = LogFile {
        path: "/dev/null".into(),
        interval: HOUR,
        backups: 1,
    };
    let mut log = Rotating::open_at(settings, Arc::<MockClock>::clone(&clock)).unwrap();
    clock.advance(HOUR * 2);
    writeln!(log, "gone").unwrap();
    assert!(log.due.is_none());
}

#[test]
fn a_place_is_looked_at_as_the_start_would_find_it_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| LogFile {
        path: dir.path().join(name),
        interval: HOUR,
        backups: 1,
    };
    fs::write(dir.path().join("there.log"), "before\n").unwrap();
    for (name, is_good) in [
        ("new.log", true),
        ("there.log", true),
        ("", false),
        ("gone/new.log", false),
        ("there.log/new.log", false),
    ] {
        let looked = at(name).look();
        let names = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 1, "{name:?} was made");
        assert_eq!(looked.is_ok(), is_good, "{name:?}: {looked:?}");
        let opened = Rotating::open(at(name));
        assert_eq!(opened.is_ok(), is_good, "{name:?}: {opened:?}");
        let _ = fs::remove_file(dir.path().join("new.log"));
    }
    let content = fs::read_to_string(dir.path().join("there.log")).unwrap();
    assert_eq!(content, "before\n");
}
