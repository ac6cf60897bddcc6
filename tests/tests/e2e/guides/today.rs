//! The guides of Flower's documentation for 1.42 (run with the Deployment Runtime, enable TLS,
//! authenticate SuperNodes), on a machine with pip's flwr 1.42.0 and our daemons. What a guide types
//! with `flwr` is typed with pip's command and with ours.

use std::fs;

use e2e::{Machine, Release};

use super::Reader;

/// What runs the app with two nodes, and what the app says at its end.
const RUN: &str = "flwr run my-app local-deployment --stream";
const ANSWER: &str = "Round 3 of 3: the mean of 2 answers is 3.250";

/// A reader with certificates and keys as the example of the guides makes them, and an app.
fn reader() -> Reader {
    let reader = Reader::on(Machine::with(Release::V1_42));
    let here = reader.here().to_owned();
    for line in [
        "flwr cert new",
        "flwr key new --count 2",
        "flwr new my-app minimal",
    ] {
        reader.machine.types(&here, line);
    }
    reader
}

impl Reader {
    /// Writes the connection of the guides.
    fn connects(&self, trust: &str) {
        let home = self.machine.scratch.folder("home/.flwr");
        let text = format!("[superlink.local-deployment]\naddress = \"127.0.0.1:8000\"\n{trust}\n");
        fs::write(home.join("config.toml"), text).unwrap();
    }

    fn connects_over_tls(&self) {
        let ca = self.here().join("certificates/ca.crt");
        self.connects(&format!("root-certificates = \"{}\"", ca.display()));
    }

    /// Types a line with pip's `flwr` and with ours. The words of both.
    #[track_caller]
    fn both_say(&mut self, line: &str, wanted: &str) -> [String; 2] {
        [true, false].map(|pips| {
            self.machine.choose_flwr(pips);
            let said = self.machine.types(self.here(), line);
            assert!(said.contains(wanted), "pip's: {pips}, {line}: {said}");
            said
        })
    }

    /// Starts two SuperNodes as the guides have them, each with its port.
    #[track_caller]
    fn starts_nodes(&mut self, flags: impl Fn(usize) -> String) {
        for (number, port) in [(1, 9094), (2, 9095)] {
            let line = format!(
                "flower-supernode {} --superlink 127.0.0.1:8000 --port {port} \
                 --node-config 'partition-id={} num-partitions=2'",
                flags(number),
                number - 1,
            );
            let here = self.here().to_owned();
            self.starts(&here, &line);
        }
    }
}

const TLS: &str = "--ssl-ca-certfile certificates/ca.crt --ssl-certfile certificates/server.pem \
                   --ssl-keyfile certificates/server.key";
const ROOT: &str = "--root-certificates certificates/ca.crt";

#[test]
fn the_deployment_runtime() {
    let mut reader = reader();
    let here = reader.here().to_owned();
    reader.starts(&here, "flower-superlink --insecure");
    reader.starts_nodes(|_| "--insecure".to_owned());
    reader.connects("insecure = true");
    reader.both_say(RUN, ANSWER);
    reader.both_say("flwr ls local-deployment", "finished:completed");
    reader.stops();
}

#[test]
fn tls() {
    let mut reader = reader();
    let here = reader.here().to_owned();
    reader.starts(&here, &format!("flower-superlink {TLS}"));
    reader.starts_nodes(|_| ROOT.to_owned());
    reader.connects_over_tls();
    reader.both_say(RUN, ANSWER);
    reader.stops();
}

#[test]
fn registered_supernodes() {
    let mut reader = reader();
    let here = reader.here().to_owned();
    reader.starts(
        &here,
        &format!("flower-superlink {TLS} --enable-supernode-auth"),
    );
    reader.connects_over_tls();
    reader.both_say("flwr ls local-deployment", "Listing all runs");
    // One by each command.
    for (pips, number) in [(true, 1), (false, 2)] {
        reader.machine.choose_flwr(pips);
        let key = format!("keys/client_credentials_{number}.pub");
        let line = format!("flwr supernode register {key} local-deployment");
        let said = reader.machine.types(&here, &line);
        assert!(said.contains("registered successfully"), "{said}");
    }
    let list = "flwr supernode list local-deployment";
    reader.both_say(list, "registered");
    reader.starts_nodes(|number| {
        format!("{ROOT} --auth-supernode-private-key keys/client_credentials_{number}")
    });
    // The words of the table that are numbers.
    let [_, said] = reader.both_say(list, "online");
    let words = said.split_whitespace();
    let ids: Vec<_> = words.filter(|word| word.parse::<u64>().is_ok()).collect();
    assert_eq!(ids.len(), 2, "{said}");
    for (pips, id) in [(true, ids[0]), (false, ids[1])] {
        reader.machine.choose_flwr(pips);
        let line = format!("flwr supernode unregister {id} local-deployment");
        let said = reader.machine.types(&here, &line);
        assert!(said.contains("unregistered successfully"), "{said}");
    }
    for said in reader.both_say(list, "") {
        assert!(!said.contains("online"), "{said}");
    }
    reader.both_say(&format!("{list} --verbose"), "unregistered");
}
