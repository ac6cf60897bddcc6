//! A SuperLink whose disk is full, or gives other bytes than were written. Nobody works with other
//! bytes, nobody waits for bytes that are gone, and nobody dies of a full disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use e2e::launcher::Launcher;
use e2e::{App, Federation, Maker, Security, ports, until_there};
use tokio::runtime::Runtime;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::metrics::becomes;

const OURS: Maker = Maker::Ours;

/// Changes the ServerApp of `trouble`. The change must be one.
#[track_caller]
fn edit(app: &App, from: &str, to: &str) {
    let path = app.path.join("trouble/server.py");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

/// The objects in the SuperLink's storage, with their content.
fn objects(federation: &Federation) -> Vec<(PathBuf, Vec<u8>)> {
    let home = federation.scratch().path().join("home-superlink");
    let shelves = fs::read_dir(home.join("superlink/state.db.storage/objects"));
    let shelves = shelves.into_iter().flatten().flatten();
    let files = shelves.flat_map(|shelf| fs::read_dir(shelf.path()).into_iter().flatten());
    let paths = files.flatten().map(|file| file.path());
    // A file may go while this looks.
    paths
        .filter(|path| path.extension().is_none())
        .filter_map(|path| Some((path.clone(), fs::read(path).ok()?)))
        .collect()
}

/// The metrics of a reply that is complete: its RecordDict names them, and the objects of its
/// instruction are gone.
fn metrics_of_the_reply(federation: &Federation) -> Option<PathBuf> {
    let objects = objects(federation);
    let of = |kind: &str| {
        let begins = kind.as_bytes().to_vec();
        let found = objects
            .iter()
            .filter(move |(_, content)| content.starts_with(&begins));
        found.collect::<Vec<_>>()
    };
    let ([_], [(_, dict)], [(metrics, _)]) = (
        &of("Message ")[..],
        &of("RecordDict ")[..],
        &of("MetricRecord ")[..],
    ) else {
        return None;
    };
    let id = metrics.file_name()?.to_str()?;
    String::from_utf8_lossy(dict)
        .contains(id)
        .then(|| metrics.clone())
}

/// Flips a bit of a number. `modified` is the time that the file shows then.
fn flip(path: &Path, modified: SystemTime) {
    let mut content = fs::read(path).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(path, content).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(modified).unwrap();
}

/// A run whose reply has come, and that asks for the reply once `go` is there.
struct Answered {
    federation: Federation,
    app: App,
    run: u64,
    go: PathBuf,
    metrics: PathBuf,
}

impl Answered {
    fn new() -> Self {
        let federation = Federation::plan(Security::Insecure).nodes(1).start();
        let app = federation.app("trouble");
        edit(
            &app,
            "    for reply in grid.send_and_receive(questions):\n",
            "    ids = list(grid.push_messages(questions))\n\
             \x20   while not os.path.exists(config[\"file\"]):\n\
             \x20       time.sleep(0.05)\n\
             \x20   replies = []\n\
             \x20   while not replies:\n\
             \x20       replies = list(grid.pull_messages(ids))\n\
             \x20   for reply in replies:\n",
        );
        let go = federation.scratch().path().join("go");
        let config = format!("file=\"{}\"", go.display());
        let run = federation.flwr(OURS).start(&app, &config);
        let metrics = until_there("a reply", || metrics_of_the_reply(&federation));
        Self {
            federation,
            app,
            run,
            go,
            metrics,
        }
    }

    fn id(&self) -> &str {
        self.metrics.file_name().unwrap().to_str().unwrap()
    }

    /// The log of the run when it has ended so.
    fn log_after(&self, status: &str) -> String {
        fs::write(&self.go, "").unwrap();
        let flwr = self.federation.flwr(OURS);
        flwr.wait_for_status(&self.app, self.run, status);
        let log = flwr.log(&self.app, self.run).success();
        assert!(!log.text.contains("reply: 4"), "other digits: {}", log.text);
        log.must_say(&[self.id(), "is damaged"]);
        log.text
    }
}

#[test]
fn a_reply_with_a_flipped_bit_is_an_error_reply() {
    let answered = Answered::new();
    flip(
        &answered.metrics,
        SystemTime::now() + Duration::from_secs(1),
    );
    let log = answered.log_after("finished:completed");
    assert!(log.contains("reply: error "), "{log}");
    answered.federation.stop();
}

#[test]
fn a_bit_that_flipped_without_a_trace_fails_the_run() {
    let answered = Answered::new();
    let before = fs::metadata(&answered.metrics).unwrap().modified().unwrap();
    flip(&answered.metrics, before);
    let _ = answered.log_after("finished:failed");
    answered.federation.stop();
}

#[test]
fn damage_that_happened_while_the_superlink_was_away_is_an_error_reply() {
    let mut answered = Answered::new();
    answered.federation.superlink().kill();
    let before = fs::metadata(&answered.metrics).unwrap().modified().unwrap();
    flip(&answered.metrics, before);
    answered.federation.restart_superlink();
    let log = answered.log_after("finished:completed");
    assert!(log.contains("reply: error "), "{log}");
    answered.federation.stop();
}

/// The home of the SuperLink is a file system of 48 MB.
const SMALL_HOME: &str = "
case \"$1\" in *superlink) mount -t tmpfs -o size=48m tmpfs \"$FLWR_HOME\" ;; esac";
const MEGABYTE: usize = 1 << 20;

/// Leaves no byte free on the disk of this file.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    let mut size = MEGABYTE;
    let block = vec![0; size];
    while size > 0 {
        if file.write_all(&block[..size]).is_err() {
            size /= 4;
        }
    }
}

/// The exit status of `flower-superlink --health`.
fn exit_of_health(address: &str) -> Option<i32> {
    let mut ask = Maker::Ours.command("flower-superlink");
    ask.args(["--health", "--health-server-address", address]);
    ask.output().unwrap().status.code()
}

fn health(runtime: &Runtime, address: &str) -> ServingStatus {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    runtime.block_on(async {
        let mut client = HealthClient::new(endpoint.connect().await.unwrap());
        let answer = client.check(HealthCheckRequest::default()).await.unwrap();
        answer.into_inner().status()
    })
}

#[test]
fn a_full_disk_kills_no_serverapp_is_told_and_passes() {
    let Some(launcher) = Launcher::with_mounts(SMALL_HOME) else {
        return;
    };
    let [address, page] = [(); 2].map(|()| format!("127.0.0.1:{}", ports::free()));
    let plan = Federation::plan(Security::Insecure).nodes(1);
    let health_flags = ["--health-server-address", &address];
    let plan = plan.superlink_flags(&[&health_flags[..], &["--metrics-address", &page]].concat());
    let mut federation = plan.launcher(launcher).start();
    let app = federation.app("trouble");
    edit(
        &app,
        "        time.sleep(0.05)\n",
        "        time.sleep(0.05)\n        print('x' * 1000, flush=True)\n",
    );
    let go = federation.scratch().path().join("go");
    let config = format!("server=\"wait\" file=\"{}\"", go.display());
    let run = federation.flwr(OURS).start(&app, &config);
    federation.superlink().line("xxxxxxxx");
    let runtime = Runtime::new().unwrap();
    assert_eq!(health(&runtime, &address), ServingStatus::Serving);

    // The disk is in the SuperLink's own namespace.
    let home = federation.scratch().path().join("home-superlink");
    let home = home.strip_prefix("/").unwrap();
    let root = PathBuf::from(format!("/proc/{}/root", federation.superlink().id()));
    let filler = root.join(home).join("filler");
    fill(&filler);
    federation.superlink().line("health checks say NOT_SERVING");
    assert_eq!(health(&runtime, &address), ServingStatus::NotServing);
    assert_eq!(exit_of_health(&address), Some(1));
    let reason = becomes(&page, "/readyz", 503);
    assert!(
        reason.starts_with("the state cannot be written"),
        "{reason}"
    );
    let refused = federation.flwr(OURS).run(&app, "").failure(1);
    refused.must_say(&["nothing can be stored", "has to look at where it stores"]);
    // In the system's words or in SQLite's: a bundle may find the space that a row does not.
    let causes = ["No space left on device", "database or disk is full"];
    let is_named = causes.iter().any(|cause| refused.text.contains(cause));
    assert!(is_named, "{}", refused.text);

    fs::remove_file(&filler).unwrap();
    federation
        .superlink()
        .line("everything can be stored again");
    assert_eq!(health(&runtime, &address), ServingStatus::Serving);
    becomes(&page, "/readyz", 200);
    fs::write(&go, "").unwrap();
    let flwr = federation.flwr(OURS);
    flwr.wait_for_status(&app, run, "finished:completed");
    flwr.log(&app, run)
        .success()
        .must_say(&["reply: 42", "finished"]);
    federation.stop();
}
