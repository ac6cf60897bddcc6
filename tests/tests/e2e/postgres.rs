//! A SuperLink whose state is in PostgreSQL, with objects in a directory or in a bucket: the SuperLink
//! and the server are killed during a run, and nothing of the run is lost or done twice.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use e2e::{Federation, Maker, Release, Scratch, Security};
use flwr_postgres::Server;

use crate::durable::rounds_are_whole;

#[test]
fn a_run_goes_on_when_its_superlink_and_then_its_database_was_killed() {
    let scratch = Scratch::new();
    let storage = scratch.folder("storage");
    kills_cost_nothing(["--storage-dir", storage.to_str().unwrap()]);
}

#[test]
fn a_run_with_objects_in_a_bucket_goes_on_when_its_superlink_and_its_database_was_killed() {
    let bucket = flwr_bucket::Server::of_this_process();
    let name = flwr_bucket::BUCKET;
    let url = format!(
        "s3://{name}/e2e?region=us-east-1&endpoint=http://{}",
        bucket.address()
    );
    kills_cost_nothing(["--storage", &url]);
}

fn kills_cost_nothing(storage: [&str; 2]) {
    let server = Server::start();
    let url = server.url();
    let flags = ["--database", &url, storage[0], storage[1]];
    let keys = [
        ("AWS_ACCESS_KEY_ID", flwr_bucket::KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", flwr_bucket::SECRET),
    ];
    let keys = keys.map(|(name, value)| (name.to_owned(), value.into()));
    let plan = Federation::plan(Security::TlsAndAuth)
        .superlink_flags(&flags)
        .superlink_variables(keys.into());
    let plan = plan.supernodes(vec![Maker::Pip(Release::V1_22), Maker::Ours]);
    let mut federation = plan.start();
    let app = federation.app("mean");
    let run = federation.flwr(Maker::Ours).start(&app, "rounds=6");
    federation.superlink().line("round 2:");
    federation.superlink().kill();
    federation.restart_superlink();
    federation.superlink().line("taken over");
    federation.superlink().line("round 4:");
    server.kill();
    rounds_are_whole(&federation, &app, run, 6);
    federation.stop();
}

/// What `--check-config` says of this database, and its status.
fn checked(scratch: &Scratch, database: &str, more: &[&str]) -> (Option<i32>, String) {
    let storage = scratch.folder("storage");
    let output = Maker::Ours
        .command("flower-superlink")
        .args(["--check-config", "--insecure", "--isolation", "process"])
        .args(["--database", database, "--storage-dir"])
        .arg(storage)
        .args(more)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.code(), said)
}

#[test]
fn a_checkup_listens_at_the_database_and_writes_it() {
    let scratch = Scratch::new();
    let server = Server::start();
    let (status, said) = checked(&scratch, &server.url(), &[]);
    assert!(said.contains("delivers what is notified"), "{said}");
    assert_eq!(status, Some(0), "{said}");
    let read_only = Server::start_with(&["default_transaction_read_only = on"]);
    let (status, said) = checked(&scratch, &read_only.url(), &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("could not be reached"), "{said}");
    let forgetful = Server::start_with(&["fsync = off"]);
    let (status, said) = checked(&scratch, &forgetful.url(), &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("fsync=off"), "{said}");
}

#[test]
fn a_password_file_that_others_can_read_is_refused() {
    let scratch = Scratch::new();
    let file = scratch.path().join("password");
    fs::write(&file, "s3cret\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let flags = ["--database-password-file", file.to_str().unwrap()];
    let (status, said) = checked(&scratch, "postgres://flwr@localhost/flwr", &flags);
    assert_eq!(status, Some(2), "{said}");
    assert!(
        said.contains("chmod 600") && !said.contains("s3cret"),
        "{said}"
    );
    let (status, said) = checked(&scratch, ":memory:", &flags);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("postgres://… only"), "{said}");
}

/// Writes a password file for its owner only.
fn password_file(scratch: &Scratch, password: &str) -> String {
    let file = scratch.path().join("password");
    fs::write(&file, format!("{password}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file.to_str().unwrap().to_owned()
}

/// A server with a certificate of this authority for `localhost`, and a user with this password.
fn encrypted(address: Ipv4Addr, certificates: &Path, password: &str) -> Server {
    let read = |name| fs::read_to_string(certificates.join(name)).unwrap();
    let server = Server::start_encrypted(address, &read("server.pem"), &read("server.key"));
    let sql = format!("ALTER ROLE flwr PASSWORD '{password}'");
    let set = Command::new("psql")
        .args(["-q", "-U", "flwr", "-d", "postgres", "-c", &sql, "-h"])
        .arg(server.dir())
        .status();
    assert!(set.unwrap().success());
    server
}

#[test]
fn a_password_stands_in_no_log_and_no_error() {
    let scratch = Scratch::new();
    let made = Maker::Ours
        .command("flwr")
        .args(["cert", "new"])
        .current_dir(scratch.path())
        .status();
    assert!(made.unwrap().success());
    let certificates = scratch.path().join("certificates");
    let address = Ipv4Addr::new(127, 20, 0, 2);
    let _server = encrypted(address, &certificates, "s3cret-of-the-lab");
    let database = format!(
        "postgres://flwr@localhost/postgres?hostaddr={address}&sslmode=verify-full&sslrootcert={}",
        certificates.join("ca.crt").display()
    );
    let check = |password: &str| {
        let file = password_file(&scratch, password);
        let flags = ["--database-password-file", &file, "--log-level", "trace"];
        checked(&scratch, &database, &flags)
    };
    let (status, said) = check("s3cret-of-the-lab");
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    let (status, said) = check("another-s3cret");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("password authentication failed"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}
