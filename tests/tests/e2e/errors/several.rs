//! The chapter about SuperLinks that work with one database and one bucket. No server is there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Page;

/// Addresses that nobody asks before the flags are right.
const DATABASE: &str = "--database postgres://flower@db.example/flower";
const STORAGE: &str = "--storage s3://flower/federation";

pub(super) fn superlinks(page: &mut Page<'_>) {
    page.chapter("Several SuperLinks");
    databases(page);
    buckets(page);
    federations(page);
    page.error(
        "Nobody listens there.",
        "flower-superlink --superlinks --database postgres://flower@127.0.0.1:1/flower",
        1,
    );
    page.error(
        "The file to import is not there.",
        &format!("flower-superlink --import nowhere.db {DATABASE} {STORAGE}"),
        1,
    );
}

/// A command that fails before anything is asked.
fn refused(page: &mut Page<'_>, when: &str, flags: &str) {
    page.error(when, &format!("flower-superlink --insecure {flags}"), 2);
}

fn databases(page: &mut Page<'_>) {
    refused(
        page,
        "A database server, and no place for objects.",
        DATABASE,
    );
    refused(
        page,
        "The address has a password.",
        &format!("--database postgres://flower:secret@db.example/flower {STORAGE}"),
    );
    refused(
        page,
        "The mode of TLS verifies nothing.",
        &format!("{DATABASE}?sslmode=require {STORAGE}"),
    );
    let password = page.user.scratch.file("password", "secret\n");
    fs::set_permissions(password, fs::Permissions::from_mode(0o644)).unwrap();
    refused(
        page,
        "Others can read the password.",
        &format!("{DATABASE} --database-password-file password {STORAGE}"),
    );
}

fn buckets(page: &mut Page<'_>) {
    refused(page, "A bucket beside a file.", STORAGE);
    for (when, parameters) in [
        (
            "The bucket would be reached in plaintext.",
            "endpoint=http://s3.example",
        ),
        ("A parameter is mistyped.", "regoin=eu-central-1"),
    ] {
        refused(page, when, &format!("{DATABASE} {STORAGE}?{parameters}"));
    }
}

fn federations(page: &mut Page<'_>) {
    refused(
        page,
        "A name, where there can be no other SuperLink.",
        "--superlink-name a",
    );
    refused(
        page,
        "ServerApps would speak plaintext with the balancer.",
        &format!("{DATABASE} {STORAGE} --serverappio-advertise superlink.example:9091"),
    );
    refused(
        page,
        "Too early to call a SuperLink lost.",
        &format!("{DATABASE} {STORAGE} --takeover-after 5"),
    );
    page.error(
        "A file has one SuperLink.",
        "flower-superlink --superlinks --database state.db",
        2,
    );
}
