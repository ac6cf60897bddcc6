//! A federation whose state is in a file is brought to PostgreSQL and a bucket in the middle of a run, and
//! goes on there; and what is told about the SuperLinks of a database.

use std::ffi::OsString;
use std::fs;
use std::process::{Command, Output};

use e2e::process::Process;
use e2e::{Federation, Isolation, Maker, Release, Security, ports};
use flwr_postgres::Server;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::durable::rounds_are_whole;

const OURS: Maker = Maker::Ours;
/// The state of a federation's SuperLink, as its default is.
const FILE: &str = "home-superlink/superlink/state.db";
/// How often to kill an import before it has ended by itself.
const TRIES: usize = 10;

/// An empty database, and a place of its own in the bucket.
struct NewPlace {
    _database: Server,
    flags: Vec<String>,
}

impl NewPlace {
    fn new() -> Self {
        let database = Server::start();
        let bucket = flwr_bucket::Server::of_this_process();
        let storage = format!(
            "s3://{}/moved-{}?region=us-east-1&endpoint=http://{}",
            flwr_bucket::BUCKET,
            ports::free(),
            bucket.address()
        );
        let url = database.url();
        let flags = [
            "--database",
            &url,
            "--storage",
            &storage,
            "--superlink-name",
            "a",
        ];
        Self {
            flags: flags.map(str::to_owned).into(),
            _database: database,
        }
    }

    fn flags(&self) -> Vec<&str> {
        self.flags.iter().map(String::as_str).collect()
    }

    /// `flower-superlink` with this place, and what else is asked.
    fn command(&self, federation: &Federation, asked: &[&str]) -> Command {
        let mut command = OURS.command("flower-superlink");
        command.current_dir(federation.scratch().path());
        command.envs(keys()).args(asked).args(&self.flags);
        command
    }
}

fn keys() -> Vec<(String, OsString)> {
    let keys = [
        ("AWS_ACCESS_KEY_ID", flwr_bucket::KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", flwr_bucket::SECRET),
    ];
    keys.map(|(name, value)| (name.to_owned(), value.into()))
        .into()
}

fn said(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// An import that is killed while it copies rows.
fn kill_an_import(federation: &Federation, place: &NewPlace) {
    let mut import = place.command(federation, &["--import", FILE]);
    let mut import = Process::start("import", &mut import, federation.scratch().path());
    import.line("rows of node copied");
    import.kill();
}

/// Kills imports until one was killed before it had ended, and gives the place.
fn place_of_a_killed_import(federation: &Federation) -> NewPlace {
    for _ in 0..TRIES {
        let place = NewPlace::new();
        kill_an_import(federation, &place);
        let checked = place.command(federation, &["--check-state"]).output();
        if said(&checked.unwrap()).contains("the database holds no state") {
            return place;
        }
    }
    panic!("{TRIES} imports had ended before they were killed");
}

fn import(federation: &Federation, place: &NewPlace) {
    let imported = place.command(federation, &["--import", FILE]).output();
    let imported = imported.unwrap();
    let told = said(&imported);
    assert_eq!(imported.status.code(), Some(0), "{told}");
    assert!(
        told.contains("imported") && told.contains("2 of node"),
        "{told}"
    );
    assert!(
        told.contains("no flower-superlink may work with them"),
        "{told}"
    );
    // A second one finds the state.
    let again = place.command(federation, &["--import", FILE]).output();
    let again = again.unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(
        said(&again).contains("holds a state already"),
        "{}",
        said(&again)
    );
}

#[test]
fn a_run_goes_on_when_its_state_was_moved_from_a_file_to_a_database_and_a_bucket() {
    let plan = Federation::plan(Security::TlsAndAuth).superlink_variables(keys());
    let plan = plan.supernodes(vec![Maker::Pip(Release::V1_22), OURS]);
    let mut federation = plan.start();
    let app = federation.app("mean");
    let before = federation.flwr(OURS).start(&app, "rounds=2");
    rounds_are_whole(&federation, &app, before, 2);
    let log = |federation: &Federation| {
        let said = federation.flwr(OURS).log(&app, before).success().text;
        // `flwr` tells on stderr what it does, at any place between the lines.
        let lines = said
            .lines()
            .filter(|line| !line.contains("Starting logstream"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let logged = log(&federation);
    let run = federation.flwr(OURS).start(&app, "rounds=8");
    federation.superlink().line("round 2:");
    let place = NewPlace::new();
    let held = place.command(&federation, &["--import", FILE]).output();
    let held = said(&held.unwrap());
    assert!(
        held.contains("is in use by a flower-superlink (pid"),
        "{held}"
    );
    federation.superlink().kill();
    let file = federation.scratch().path().join(FILE);
    let old = fs::read(&file).unwrap();
    let place = place_of_a_killed_import(&federation);
    import(&federation, &place);
    assert_eq!(fs::read(file).unwrap(), old);
    federation.give_superlink_flags(&place.flags());
    federation.restart_superlink();
    federation.superlink().line("taken over");
    // The ClientApps count their calls over both runs.
    let flwr = federation.flwr(OURS);
    flwr.wait_for_status(&app, run, "finished:completed");
    let log_of_run = flwr.log(&app, run).success();
    for round in 1..=8 {
        let line = format!("round {round}: mean {:.3} of 2", 1.5 * f64::from(round));
        assert_eq!(log_of_run.text.matches(&line).count(), 1, "{line}");
    }
    assert_eq!(log(&federation), logged);
    federation.superlink().stop();
    let checked = place.command(&federation, &["--check-state"]).output();
    let checked = checked.unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", said(&checked));
}

#[test]
fn a_run_of_superexecs_goes_on_when_its_superlink_was_stopped_and_its_state_moved() {
    let plan = Federation::plan(Security::Insecure).isolation(Isolation::Process);
    let mut federation = plan.superlink_variables(keys()).start();
    let app = federation.app("mean");
    let run = federation.flwr(OURS).start(&app, "rounds=6");
    let log = federation.flwr(OURS).spawn(
        &app.path,
        &["log", &run.to_string(), ".", "e2e", "--stream"],
    );
    log.line("round 2:");
    federation.superlink().stop();
    drop(log);
    let place = NewPlace::new();
    import(&federation, &place);
    federation.give_superlink_flags(&place.flags());
    federation.restart_superlink();
    rounds_are_whole(&federation, &app, run, 6);
    federation.stop();
}

#[test]
fn the_superlinks_of_a_database_are_listed_while_they_work_and_when_they_are_gone() {
    let mut cluster = Cluster::start(Vec::new());
    let url = cluster.url();
    let list = |more: &[&str]| {
        let mut command = OURS.command("flower-superlink");
        let listed = command.args(["--superlinks", "--database", &url]);
        let listed = listed.args(more).output().unwrap();
        assert_eq!(listed.status.code(), Some(0), "{}", said(&listed));
        said(&listed)
    };
    let text = list(&[]);
    for (name, line) in ["a", "b"].iter().zip(text.lines()) {
        assert!(
            line.starts_with(&format!("{name}: at work, pid ")),
            "{text}"
        );
    }
    assert!(text.contains("0 SuperNodes are online"), "{text}");
    cluster.other.process.kill();
    let listed: Value = serde_json::from_str(&list(&["--log-format", "json"])).unwrap();
    let superlinks = listed["superlinks"].as_array().unwrap();
    let of = |name: &str| {
        superlinks
            .iter()
            .find(|found| found["name"] == name)
            .unwrap()
    };
    assert_eq!(of("a")["at-work"], true);
    let pid = u64::from(cluster.federation.superlink().id());
    assert_eq!(of("a")["pid"], pid);
    assert_eq!(of("b")["at-work"], false, "{listed}");
    cluster.federation.stop();
}

#[test]
fn superlinks_with_other_lists_warn_of_each_other_at_the_start_and_after_a_reload() {
    let mut cluster = Cluster::start(vec![OURS]);
    let list = cluster.federation.scratch().path().join("keys/list.csv");
    let keys = fs::read_to_string(&list).unwrap();
    let other = list.with_file_name("other.csv");
    fs::write(&other, format!("{keys}\n")).unwrap();
    let flags = ["--auth-list-public-keys", other.to_str().unwrap()];
    let third = cluster.federation.superlink_beside_with("c", &flags);
    for name in ["a", "b"] {
        third.process.line(&format!(
            "--auth-list-public-keys has another content here than at the SuperLink `{name}`"
        ));
    }
    cluster.federation.superlink().line("at the SuperLink `c`");
    let seen = third.process.lines().len();
    third.process.reload();
    third.process.line_after(seen, "than at the SuperLink `a`");
    cluster.federation.stop();
}
