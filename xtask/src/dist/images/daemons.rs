//! The daemons, each with an image whose containers start the daemon.

use std::collections::HashMap;

use oci_spec::image::{
    ANNOTATION_CREATED, ANNOTATION_DESCRIPTION, ANNOTATION_LICENSES, ANNOTATION_REVISION,
    ANNOTATION_TITLE, ANNOTATION_VERSION, Config,
};
use serde_json::{Value, json};

use super::files;
use crate::dist::source::VERSION;

/// A daemon with an image of its own.
pub(super) struct Daemon {
    /// The program, and the image.
    pub(super) name: &'static str,
    about: &'static str,
    /// The ports that other machines use.
    ports: &'static [u16],
    /// The variable of the address of its health service.
    pub(super) variable: &'static str,
    /// The port of its health service, which is for the container itself.
    health: u16,
}

/// The daemons.
pub(super) const DAEMONS: [Daemon; 2] = [
    Daemon {
        name: "flower-superlink",
        about: "The SuperLink coordinates a Flower federation",
        ports: &[9091, 9092, 9093],
        variable: "FLOWER_SUPERLINK_HEALTH_SERVER_ADDRESS",
        health: 9098,
    },
    Daemon {
        name: "flower-supernode",
        about: "A SuperNode works for a Flower federation beside the data",
        ports: &[9094],
        variable: "FLOWER_SUPERNODE_HEALTH_SERVER_ADDRESS",
        health: 9099,
    },
];
/// Where our programs are.
const OURS: &str = "/usr/local/bin";
/// Where those of an operating system are.
const SYSTEM: &str = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";
const SECOND: u64 = 1_000_000_000;

impl Daemon {
    /// How a container starts. Programs are looked for in `path` once ours are none of that name.
    pub(super) fn config(&self, commit: &str, created: &str, path: &str) -> Config {
        let ports = self.ports.iter().map(|port| format!("{port}/tcp"));
        let environment = vec![
            format!("PATH={OURS}:{path}{SYSTEM}"),
            // A user without a line in /etc/passwd has the home / otherwise.
            format!("HOME={}", files::STATE),
            format!("FLWR_HOME={}", files::STATE),
            format!("{}=127.0.0.1:{}", self.variable, self.health),
        ];
        let mut config = Config::default();
        config
            .set_user(Some(files::USER.to_string()))
            .set_exposed_ports(Some(ports.collect()))
            .set_env(Some(environment))
            .set_entrypoint(Some(vec![self.name.to_owned()]))
            .set_volumes(Some(vec![files::STATE.to_owned()]))
            .set_working_dir(Some(files::WORK.to_owned()))
            .set_labels(Some(self.labels(commit, created)));
        config
    }

    fn labels(&self, commit: &str, created: &str) -> HashMap<String, String> {
        [
            (ANNOTATION_TITLE, self.name),
            (ANNOTATION_DESCRIPTION, self.about),
            (ANNOTATION_VERSION, VERSION),
            (ANNOTATION_REVISION, commit),
            (ANNOTATION_CREATED, created),
            (ANNOTATION_LICENSES, "Apache-2.0"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    /// The question whether the daemon serves, for Docker.
    pub(super) fn health(&self) -> Value {
        json!({
            "Test": ["CMD", self.name, "--health"],
            "Interval": 30 * SECOND,
            "Timeout": 10 * SECOND,
            "StartPeriod": 30 * SECOND,
            "Retries": 3,
        })
    }
}
