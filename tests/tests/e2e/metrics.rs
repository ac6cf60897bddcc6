//! The numbers of both daemons, as Prometheus reads them.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::{
    Federation, Maker, Outcome, PATIENCE, Plan, Process, Scratch, Security, ports, until_there,
};

mod examples;

const OURS: Maker = Maker::Ours;
const TOKEN: &str = "a-token-of-the-end-to-end-tests";

/// What a daemon answers.
struct Answer {
    status: u16,
    body: String,
}

/// Asks for a page, as curl does. `None`: nobody listens there.
fn get(address: &str, path: &str, token: Option<&str>) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let token = token.map_or(String::new(), |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let head = format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{token}\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = body.to_owned();
    Some(Answer { status, body })
}

/// The numbers of a daemon.
#[track_caller]
fn numbers(address: &str) -> String {
    let answer = get(address, "/metrics", None).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// The value of this series.
#[track_caller]
fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series));
    let value = line.unwrap_or_else(|| panic!("{series} is not there:\n{page}"));
    value.trim().parse().unwrap()
}

/// Waits until the page at the path has this status, and gives its body.
#[track_caller]
pub(crate) fn becomes(address: &str, path: &str, status: u16) -> String {
    let look = || get(address, path, None).filter(|answer| answer.status == status);
    until_there(path, look).body
}

/// The names in the tables of docs/monitoring.md: of both daemons, of the SuperLink and of the SuperNode.
fn documented() -> [BTreeSet<String>; 3] {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/monitoring.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, numbers) = text.split_once("## The numbers").unwrap();
    let tables = numbers.split("| name | labels | what |").skip(1);
    let names = |table: &str| {
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
            .collect()
    };
    tables.map(names).collect::<Vec<_>>().try_into().unwrap()
}

/// The names of the families on a page.
fn families(page: &str) -> BTreeSet<String> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .filter_map(|line| Some(line.split_once(' ')?.0.to_owned()))
        .collect()
}

/// `promtool check metrics` has nothing to say of the page.
#[track_caller]
fn check(page: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(page.as_bytes()).unwrap();
    drop(stdin);
    let output = promtool.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{told}\n{page}");
}

/// The folder of a program that answers as NVIDIA's does on a machine with one GPU.
fn driver_of_a_gpu(scratch: &Scratch) -> PathBuf {
    let folder = scratch.folder("driver");
    let program = folder.join("nvidia-smi");
    fs::write(&program, "#!/bin/sh\necho '1024, 24576, 50'\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A federation of one SuperNode, whose daemons have pages at these ports.
fn plan(security: Security) -> (Plan, String, String) {
    let [link, node] = [(); 2].map(|()| format!("127.0.0.1:{}", ports::free()));
    let plan = Federation::plan(security)
        .nodes(1)
        .superlink_flags(&["--metrics-address", &link])
        .supernode_flags(&["--metrics-address", &node]);
    (plan, link, node)
}

#[test]
fn both_daemons_count_what_a_run_does_under_the_documented_names() {
    let (plan, link, node) = plan(Security::TlsAndAuth);
    let driver = Scratch::new();
    let (folder, rest) = (driver_of_a_gpu(&driver), OURS.path());
    let path = [folder].into_iter().chain(env::split_paths(&rest));
    let plan = plan.variable("PATH", env::join_paths(path).unwrap());
    let mut federation = plan.start();
    let app = federation.app("mean");
    let outcome = federation.flwr(OURS).run(&app, "rounds=2 nodes=1");
    outcome.success().must_say(&["finished"]);
    // The node is held again, and what its app left behind is over.
    let (of_link, of_node) = until_there("the node waits for a message", || {
        let pages = (numbers(&link), numbers(&node));
        let is_over = value(&pages.0, "flwr_app_exits_total{outcome=\"success\"}") > 0.0;
        (is_over && value(&pages.0, "flwr_held_calls") > 0.0).then_some(pages)
    });
    for (series, expected) in [
        ("flwr_nodes{state=\"online\"}", 1.0),
        ("flwr_runs{phase=\"completed\"}", 1.0),
        ("flwr_runs{phase=\"failed\"}", 0.0),
        ("flwr_messages{state=\"waiting\"}", 0.0),
        ("flwr_oldest_message_age_seconds", 0.0),
        ("flwr_replies_total{outcome=\"ok\"}", 2.0),
        ("flwr_replies_total{outcome=\"error\"}", 0.0),
        ("flwr_app_exits_total{outcome=\"success\"}", 1.0),
        ("flwr_connections{service=\"Metrics\"}", 1.0),
        (
            "flwr_request_seconds_count{method=\"Control/StartRun\",code=\"ok\"}",
            1.0,
        ),
    ] {
        assert!(
            (value(&of_link, series) - expected).abs() < f64::EPSILON,
            "{series}\n{of_link}"
        );
    }
    for series in [
        "flwr_object_bytes_total{direction=\"in\"}",
        "flwr_object_bytes_total{direction=\"out\"}",
        "flwr_storage_bytes",
        "flwr_commit_seconds_count",
        "flwr_request_held_seconds_total{method=\"Fleet/PullMessages\"}",
        "flwr_certificate_expiry_timestamp_seconds{flag=\"--ssl-certfile\"}",
    ] {
        assert!(value(&of_link, series) > 0.0, "{series}\n{of_link}");
    }
    for step in ["pull", "start", "run", "push"] {
        let series = format!("flwr_message_seconds_count{{step=\"{step}\"}}");
        assert!(
            (value(&of_node, &series) - 2.0).abs() < f64::EPSILON,
            "{series}\n{of_node}"
        );
    }
    assert!(
        value(&of_node, "flwr_app_peak_memory_bytes") > 1e7,
        "{of_node}"
    );
    let busy = "flwr_gpu_utilization_ratio{gpu=\"0\"}";
    assert!(
        (value(&of_node, busy) - 0.5).abs() < f64::EPSILON,
        "{of_node}"
    );
    let memory = value(&of_node, "flwr_gpu_memory_bytes{gpu=\"0\"}");
    assert!((memory - 24_576.0 * 1_048_576.0).abs() < f64::EPSILON);
    assert!((value(&of_node, "flwr_superlink_reachable") - 1.0).abs() < f64::EPSILON);
    // No id of a run or node, and nobody's address, is on the page.
    let runs = federation.flwr(OURS).statuses(&app);
    let run = runs.keys().next().unwrap().to_string();
    for page in [&of_link, &of_node] {
        assert!(!page.contains(&run), "{page}");
        check(page);
    }
    let [both, superlink, supernode] = documented();
    for (page, own) in [(&of_link, superlink), (&of_node, supernode)] {
        let expected: BTreeSet<_> = both.union(&own).cloned().collect();
        let mut found = families(page);
        // A SuperNode whose ClientApps are never held has no such time.
        found.insert("flwr_request_held_seconds_total".to_owned());
        assert_eq!(found, expected);
    }
    // A node that ends is not ready, and the SuperLink counts it.
    federation.node(0).terminate();
    until_there("the node is offline", || {
        let page = numbers(&link);
        (value(&page, "flwr_nodes{state=\"offline\"}") > 0.0).then_some(())
    });
    federation.stop();
}

#[test]
fn a_daemon_that_cannot_work_is_not_ready_and_says_why() {
    let scratch = Scratch::new();
    let here = scratch.path();
    let nobody = format!("127.0.0.1:{}", ports::free());
    let address = format!("127.0.0.1:{}", ports::free());
    let mut command = OURS.command("flower-supernode");
    command.args([
        "--insecure",
        "--superlink",
        &nobody,
        "--isolation",
        "process",
    ]);
    command.args(["--clientappio-api-address", "127.0.0.1:0"]);
    command.args(["--metrics-address", &address]);
    command
        .env("FLWR_HOME", scratch.folder("home"))
        .current_dir(here);
    let _node = Process::start("node", &mut command, here);
    let told = becomes(&address, "/readyz", 503);
    assert_eq!(
        told,
        "not registered with the SuperLink: see this daemon's log\n"
    );
    assert_eq!(get(&address, "/livez", None).unwrap().status, 200);
    until_there("the loss is counted", || {
        let page = numbers(&address);
        let lost = "flwr_superlink_reconnects_total{reason=\"connection\"}";
        (value(&page, lost) > 0.0).then_some(())
    });
}

#[test]
fn a_wrong_token_is_refused_over_the_port_of_a_daemon() {
    let files = Scratch::new();
    let token = files.path().join("token");
    fs::write(&token, TOKEN).unwrap();
    let address = format!("127.0.0.1:{}", ports::free());
    let token = token.display().to_string();
    let flags = [
        "--metrics-address",
        &address,
        "--metrics-token-file",
        &token,
    ];
    let plan = Federation::plan(Security::Insecure).nodes(0);
    let federation = plan.superlink_flags(&flags).start();
    becomes(&address, "/readyz", 200);
    for (token, status) in [
        (None, 401),
        (Some("another-token-of-length"), 401),
        (Some(TOKEN), 200),
    ] {
        let answer = get(&address, "/metrics", token).unwrap();
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(answer.body.contains("flwr_nodes"), status == 200);
    }
    federation.stop();
}

/// What a daemon with these flags says as it ends.
fn ends(scratch: &Scratch, program: &str, flags: &[&str]) -> Outcome {
    let mut command = OURS.command(program);
    command
        .args(["--insecure", "--isolation", "process"])
        .args(flags);
    command.current_dir(scratch.path());
    command.env("FLWR_HOME", scratch.folder("home"));
    Outcome::from(command.output().unwrap())
}

#[test]
fn an_address_that_is_none_or_taken_ends_the_daemon_with_the_flag_and_the_way_out() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let short = scratch.path().join("short");
    fs::write(&short, "short").unwrap();
    let short = short.display().to_string();
    for program in ["flower-superlink", "flower-supernode"] {
        let mut flags = vec!["--metrics-address", &*address];
        if program == "flower-superlink" {
            flags.extend([
                "--database",
                ":memory:",
                "--fleet-api-address",
                "127.0.0.1:0",
            ]);
            flags.extend(["--control-api-address", "127.0.0.1:0"]);
            flags.extend(["--serverappio-api-address", "127.0.0.1:0", "--port", "0"]);
        } else {
            flags.extend(["--clientappio-api-address", "127.0.0.1:0"]);
        }
        let in_use = ends(&scratch, program, &flags);
        in_use
            .failure(1)
            .must_say(&["already in use", "--metrics-address"]);
        let none = ends(&scratch, program, &["--metrics-address", "nowhere"]);
        none.failure(2).must_say(&["--metrics-address"]);
        let given = [
            "--metrics-address",
            "127.0.0.1:0",
            "--metrics-token-file",
            &short,
        ];
        ends(&scratch, program, &given)
            .failure(2)
            .must_say(&["--metrics-token-file", "openssl rand"]);
        let alone = ends(&scratch, program, &["--metrics-token-file", &short]);
        alone.failure(2).must_say(&["--metrics-address"]);
    }
    drop(taken);
}
