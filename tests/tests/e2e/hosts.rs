//! Hosts as operators set them up: read-only file systems, locales of another time, small disks,
//! slow disks, limits.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Federation, Launcher, Maker, Outcome, Plan, Scratch, Security, tools};

const OURS: Maker = Maker::Ours;

fn plan() -> Plan {
    Federation::plan(Security::TlsAndAuth).nodes(1)
}

/// Two rounds with the right values.
#[track_caller]
fn trains(federation: &Federation) {
    let app = federation.app("mean");
    let outcome = federation
        .flwr(OURS)
        .run(&app, "rounds=2 nodes=1 greeting=\"Grüße\"");
    outcome.success().must_say(&[
        "greeting: Grüße",
        "round 1: mean 1.000 of 1, calls [1]",
        "round 2: mean 2.000 of 1, calls [2]",
        "finished",
    ]);
}

/// All is read-only but the test's folder, as the volume of a container, and a `/tmp` in memory from
/// which nothing can be executed.
const READ_ONLY: &str = "
S=$(dirname \"$FLWR_HOME\")
mount --make-rprivate /
mount --bind \"$S\" /mnt
mount -t tmpfs -o noexec,nosuid,nodev,size=16m tmpfs /tmp
mkdir -p \"$S\"
mount --bind /mnt \"$S\"
umount /mnt
mount -o remount,bind,ro /
! touch /etc/flower-e2e 2>/dev/null
cd \"$S\"";

#[test]
fn a_federation_works_on_a_read_only_root_with_a_tmp_that_is_noexec() {
    let Some(launcher) = Launcher::with_mounts(READ_ONLY) else {
        return;
    };
    let federation = plan().launcher(launcher).start();
    trains(&federation);
    federation.stop();
}

#[test]
fn a_federation_works_in_the_c_locale() {
    let federation = plan().variable("LC_ALL", "C").start();
    trains(&federation);
    federation.stop();
}

#[test]
fn a_federation_works_in_a_locale_with_iso_8859_1() {
    let scratch = Scratch::new();
    let at = scratch.path().join("de_DE.ISO-8859-1");
    let _ = tools::run(
        scratch.path(),
        &format!("localedef -f ISO-8859-1 -i de_DE {}", at.display()),
    );
    let federation = plan()
        .variable("LOCPATH", scratch.path())
        .variable("LC_ALL", "de_DE.ISO-8859-1")
        .start();
    trains(&federation);
    federation.stop();
}

/// All files and folders in this one.
fn all_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            let inner = if path.is_dir() { all_in(&path) } else { vec![] };
            inner.into_iter().chain([path])
        })
        .collect()
}

#[test]
fn what_daemons_and_apps_write_is_private_or_writable_by_its_owner_only_whatever_the_umask() {
    for (umask, others) in [("000", 0o022), ("077", 0o077)] {
        let launcher = Launcher::shell(&format!("umask {umask}"));
        let federation = plan().launcher(launcher).start();
        trains(&federation);
        let homes = ["home-superlink", "home-node-0"].map(|home| federation.scratch().folder(home));
        for path in homes.iter().flat_map(|home| all_in(home)) {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(
                mode & others,
                0,
                "umask {umask}: {} is {mode:o}",
                path.display()
            );
            let is_app = homes.iter().any(|home| path.starts_with(home.join("apps")));
            assert!(
                is_app || mode & 0o077 == 0,
                "umask {umask}: {} is {mode:o}",
                path.display()
            );
        }
        federation.stop();
    }
}

#[test]
fn private_keys_are_their_owners_alone_whatever_the_umask() {
    for umask in ["000", "077"] {
        let scratch = Scratch::new();
        let script = "\"$0\" key new --count 2 && \"$0\" cert new";
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("umask {umask}; {script}")]);
        shell.arg(OURS.program("flwr"));
        shell.current_dir(scratch.folder("made"));
        shell.env("FLWR_HOME", scratch.folder("home"));
        Outcome::from(shell.output().unwrap())
            .success()
            .must_say(&[]);
        let made = all_in(&scratch.path().join("made")).into_iter();
        let is_key = |path: &PathBuf| {
            fs::read_to_string(path).is_ok_and(|text| text.contains("PRIVATE KEY"))
        };
        let keys: Vec<_> = made.filter(is_key).collect();
        assert!(keys.len() >= 3, "{keys:?}");
        for key in keys {
            let mode = fs::metadata(&key).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "umask {umask}: {}", key.display());
        }
    }
}

/// A library that makes each of these calls take 50 ms, as on a network file system.
const SLOW: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
#define SLOW(result, name, types, names) \
    result name types { \
        result (*next) types = (result (*) types)dlsym(RTLD_NEXT, #name); \
        usleep(50000); \
        return next names; \
    }
SLOW(int, fsync, (int fd), (fd))
SLOW(int, fdatasync, (int fd), (fd))
SLOW(int, rename, (const char *from, const char *to), (from, to))
SLOW(int, unlink, (const char *path), (path))
SLOW(int, mkdir, (const char *path, unsigned mode), (path, mode))
"#;

#[test]
fn a_federation_works_on_a_file_system_that_is_slow() {
    let scratch = Scratch::new();
    let _ = scratch.file("slow.c", SLOW);
    let _ = tools::run(scratch.path(), "cc -shared -fPIC -o slow.so slow.c");
    let library = scratch.path().join("slow.so");
    let federation = plan().variable("LD_PRELOAD", library).start();
    trains(&federation);
    federation.stop();
}

/// A user of this test alone, who may read all files, and may have so few processes and threads.
const FEW_PROCESSES: &str = "setpriv --reuid 64907 --clear-groups --inh-caps=+dac_override \
                             --ambient-caps=+dac_override prlimit --nproc=3";

#[test]
fn a_daemon_that_may_have_too_few_processes_names_the_limit() {
    let launcher = Launcher::new(tools::words(FEW_PROCESSES));
    if !launcher.works() {
        return;
    }
    let scratch = Scratch::new();
    let node = ["--superlink", "127.0.0.1:1"];
    let check = ["--superlink", "127.0.0.1:1", "--check"];
    for (program, arguments) in [
        ("flower-superlink", &[][..]),
        ("flower-supernode", &node),
        ("flower-supernode", &check),
    ] {
        let mut daemon = OURS.command(program);
        daemon.env("FLWR_HOME", scratch.folder(program));
        daemon
            .args(["--insecure", "--isolation", "process"])
            .args(arguments);
        let outcome = Outcome::from(launcher.of(&daemon).output().unwrap());
        outcome
            .failure(1)
            .must_say(&["too few processes and threads", "ulimit -u"]);
    }
}

/// The home of SuperNodes is a file system of 4 MB, as under a quota.
const SMALL_HOME: &str = "
case \"$1\" in *supernode) mount -t tmpfs -o size=4m tmpfs \"$FLWR_HOME\" ;; esac";

#[test]
fn a_node_whose_disk_is_full_answers_all_the_same_and_warns() {
    let Some(launcher) = Launcher::with_mounts(SMALL_HOME) else {
        return;
    };
    let mut federation = plan().launcher(launcher).start();
    let app = federation.app("mean");
    // 16 MB.
    let config = "rounds=1 nodes=1 size=2000000";
    let outcome = federation.flwr(OURS).run(&app, config);
    outcome.success().must_say(&["round 1: mean 1.000 of 1"]);
    federation.node(0).line("not kept on disk");
    let seen = federation.node(0).lines().len();
    trains(&federation);
    let later = federation.node(0).lines().split_off(seen);
    let unkept = later.iter().find(|line| line.contains("not kept on disk"));
    assert_eq!(unkept, None, "what is small is kept");
    federation.stop();
}
