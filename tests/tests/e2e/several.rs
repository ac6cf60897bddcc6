//! The page about several SuperLinks, and its example: three SuperLinks on one machine, of which one is
//! killed in the middle of a run.

use std::env;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Document, Federation, Machine, Maker, Scratch, Security, document, ports};
use flwr_postgres::Server;

const OURS: Maker = Maker::Ours;
const EXAMPLE: &str = "examples/cluster";

/// The words of a command line that must succeed.
#[track_caller]
fn types(folder: &Path, line: &str) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(folder);
    let output = shell.env("PATH", OURS.path()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{line}: {text}");
    text
}

/// The files that the page names: certificates of one authority for everybody, and secrets.
fn files(folder: &Path) {
    for line in ["flwr cert new --name db.example", "flwr key new --count 2"] {
        types(folder, line);
    }
    for (from, to) in [
        ("certificates/ca.crt", "ca.crt"),
        ("certificates/ca.crt", "database-ca.crt"),
        ("certificates/ca.crt", "storage-ca.crt"),
        ("certificates/server.pem", "server.pem"),
        ("certificates/server.key", "server.key"),
        ("keys/client_public_keys.csv", "client_public_keys.csv"),
    ] {
        fs::copy(folder.join(from), folder.join(to)).unwrap();
    }
    let credentials = document::text(&format!("{EXAMPLE}/storage-credentials"))
        .replace("the id of the key", flwr_bucket::KEY_ID)
        .replace("the key", flwr_bucket::SECRET);
    for (name, content) in [
        ("database-password", "the password\n"),
        ("storage-credentials", &credentials),
    ] {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// The page to the letter, with other places of the database, the bucket and the old state.
#[test]
fn the_page_about_several_superlinks_is_played() {
    let scratch = Scratch::new();
    let folder = scratch.path();
    files(folder);
    let address = Ipv4Addr::new(127, 20, 0, 3);
    let read = |name| fs::read_to_string(folder.join(name)).unwrap();
    let database = Server::start_encrypted(address, &read("server.pem"), &read("server.key"));
    let bucket = flwr_bucket::Server::of_this_process();
    let mut old = Federation::plan(Security::TlsAndAuth).nodes(1).start();
    old.node(0).line("registered with the SuperLink");
    old.superlink().stop();
    let state = old
        .scratch()
        .path()
        .join("home-superlink/superlink/state.db");
    let place = format!("s3://{}/page-{}?", flwr_bucket::BUCKET, ports::free());
    let here = |line: &str| {
        line.replace(
            "flower?sslmode",
            &format!("flower?hostaddr={address}&sslmode"),
        )
        .replace("s3://flower/federation?", &place)
        .replace(
            "https://s3.example",
            &format!("http://{}", bucket.address()),
        )
        .replace("/var/lib/flower/state.db", &state.display().to_string())
    };
    let page = Document::read("docs/cluster.md");
    let sql = scratch.file("page.sql", page.block("CREATE ROLE"));
    let psql = format!(
        "psql -q -v ON_ERROR_STOP=1 -h '{}' -U flwr -d postgres -f '{}'",
        database.dir().display(),
        sql.display()
    );
    types(folder, &psql);
    let plays = |text| {
        let lines = page.lines(text);
        assert_eq!(lines.len(), 1, "{lines:?}");
        types(folder, &here(&lines[0]))
    };
    let said = plays("--check-config");
    for wanted in [
        "delivers what is notified",
        "a probe was put, read and deleted",
    ] {
        assert!(said.contains(wanted), "{said}");
    }
    let said = plays("--import /var");
    assert!(
        said.contains("imported") && said.contains("1 of node"),
        "{said}"
    );
    let said = plays("--superlinks --database");
    assert!(said.contains("no flower-superlink works"), "{said}");
}

/// The folder with the program of SeaweedFS.
fn seaweedfs() -> PathBuf {
    let given = env::var_os(flwr_bucket::VARIABLE).map(PathBuf::from);
    let program = given.unwrap_or_else(|| {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
            PathBuf::from,
        );
        target.join("python/seaweedfs/bin/weed")
    });
    program.parent().unwrap().canonicalize().unwrap()
}

#[test]
fn three_superlinks_of_the_example_go_on_when_one_is_killed() {
    let machine = Machine::new();
    let folder = machine.scratch.path().to_owned();
    let example = folder.join("example");
    document::copy(EXAMPLE, &example);
    let guide = Document::read("examples/cluster/README.md");
    let up = guide.lines("path/to/up.sh").remove(0);
    let up = up
        .replace("$PWD/venv/bin", &seaweedfs().display().to_string())
        .replace("path/to", &example.display().to_string());
    let mut all = machine.leaves_running("up", &folder, &up);
    all.line("are up");
    let lines = guide.lines("flwr federation add");
    let (run, before) = lines.split_last().unwrap();
    for line in before {
        machine.types(&folder, line);
    }
    let mut run = machine.leaves_running("run", &folder, &run.replace("=40", "=15"));
    run.line("[ROUND 3/15]");
    let list = guide.lines("--superlinks").remove(0);
    let listed = machine.types(&folder, &list);
    let owner = listed.lines().find(|line| line.contains("1 unfinished"));
    let owner = owner.and_then(|line| line.split(':').next()).unwrap();
    let kill = guide.lines("kill -9").remove(0);
    machine.types(&folder, &kill.replace("superlink-1", owner));
    run.line("Round 15: accuracy");
    assert!(run.wait().success());
    let listed = machine.types(&folder, &list);
    assert!(!listed.contains(&format!("{owner}: at work")), "{listed}");
    all.stop();
    assert!(!folder.join("cluster").exists());
}
