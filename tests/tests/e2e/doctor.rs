//! What `flwr doctor` finds on a machine.

use std::os::unix::fs::symlink;

use e2e::{Outcome, Release};

use crate::local::User;

#[test]
fn doctor_finds_the_python_that_flwr_up_has_made() {
    let user = User::new();
    let here = user.scratch.path();
    let doctor = || {
        let mut command = user.command(here, "flwr doctor");
        Outcome::from(command.env("PATH", "/bin:/usr/bin").output().unwrap())
    };
    doctor().must_say(&["! python", "`flwr up` makes one by itself"]);
    // As an installation leaves it, without the time that one takes.
    let made = user.scratch.folder("home/local/python");
    let bin = Release::V1_22.bin();
    let pips = bin.parent().unwrap();
    for name in ["bin", "lib", "pyvenv.cfg"] {
        symlink(pips.join(name), made.join(name)).unwrap();
    }
    doctor().must_say(&["! python", "`flwr up` makes one by itself"]);
    std::fs::write(made.join("complete"), "").unwrap();
    let outcome = doctor();
    let program = made.join("bin/flwr-serverapp");
    let found = format!("{}, of flwr 1.22.0, made by `flwr up`", program.display());
    outcome.must_say(&["✓ python", &found]);
}
