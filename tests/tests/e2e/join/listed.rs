//! `key renew` for keys that the node has by flags: on the SuperLink's list, and registered by a person.

use std::fs;
use std::path::PathBuf;

use e2e::keys::NodeKey;
use e2e::{Federation, Maker, Outcome, Process, Security};

use super::{command, id_in};

/// A node with a key of its own.
struct Node {
    federation: Federation,
    private: PathBuf,
    public: PathBuf,
}

impl Node {
    fn flags(&self) -> Vec<String> {
        let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
        [
            ("--superlink", self.federation.fleet().to_string()),
            (
                "--root-certificates",
                self.federation.ca().unwrap().display().to_string(),
            ),
            ("--auth-supernode-private-key", text(&self.private)),
            ("--auth-supernode-public-key", text(&self.public)),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect()
    }

    fn start(&self) -> Process {
        let flags = self.flags();
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let scratch = self.federation.scratch();
        Process::start(
            "node",
            &mut command(scratch, "node", &flags),
            scratch.path(),
        )
    }

    fn renew(&self) -> Outcome {
        let mut command = Maker::Ours.command("flower-supernode");
        command.args(["key", "renew"]).args(self.flags());
        let home = self.federation.scratch().folder("home-node");
        Outcome::from(command.env("FLWR_HOME", home).output().unwrap())
    }

    fn new_file(&self) -> PathBuf {
        PathBuf::from(format!("{}.new", self.private.display()))
    }
}

#[test]
fn a_listed_key_is_renewed_by_the_list_and_the_node_gives_the_line() {
    let plan = Federation::plan(Security::TlsAndAuth).nodes(0);
    let federation = plan.superlink_flags(&["--enable-supernode-auth"]).start();
    let (private, public) = (
        federation.keys()[0].private.clone(),
        federation.keys()[0].public.clone(),
    );
    let mut node = Node {
        federation,
        private,
        public,
    };
    let mut running = node.start();
    running.line("registered with the SuperLink");
    let seen = running.lines().len();

    let outcome = node.renew().failure(1);
    let new = fs::read_to_string(format!("{}.pub", node.new_file().display())).unwrap();
    outcome.must_say(&[
        new.trim(),
        "--auth-list-public-keys",
        "the old key stays in use",
    ]);
    // Again: the line is the same.
    node.renew().failure(1).must_say(&[new.trim()]);

    // The person edits the list, and moves the files.
    let list = node.federation.scratch().path().join("keys/list.csv");
    fs::write(&list, new).unwrap();
    let public = format!("{}.pub", node.new_file().display());
    fs::rename(public, &node.public).unwrap();
    fs::rename(node.new_file(), &node.private).unwrap();
    node.federation.superlink().reload();
    running.line_after(seen, "--auth-supernode-private-key read again");
    running.line_after(seen, "registered");
    running.stop();
}

#[test]
fn a_registered_key_is_renewed_and_a_restart_has_the_new_one() {
    let federation = Federation::plan(Security::Tls).nodes(0);
    let federation = federation
        .superlink_flags(&["--enable-supernode-auth"])
        .start();
    let key = NodeKey::make(federation.scratch().path(), "node");
    let app = federation.app("mean");
    let public = key.public.to_str().unwrap().to_owned();
    let words = ["supernode", "register", &public, "e2e"];
    let _ = federation
        .flwr(Maker::Ours)
        .call(&app.path, &words)
        .success();
    let node = Node {
        federation,
        private: key.private,
        public: key.public,
    };
    let mut running = node.start();
    let id = id_in(&running.line("registered with the SuperLink"));
    let old = fs::read(&node.private).unwrap();

    let outcome = node.renew().success();
    outcome.must_say(&[&format!("node {id} has key SHA256:")]);
    assert_ne!(fs::read(&node.private).unwrap(), old);
    assert!(!node.new_file().exists());
    running.line("registered again under the same id");
    // A second renewal goes on from the first.
    node.renew()
        .success()
        .must_say(&[&format!("node {id} has key SHA256:")]);
    running.stop();
    let mut again = node.start();
    assert_eq!(id_in(&again.line("registered with the SuperLink")), id);
    again.stop();
}
