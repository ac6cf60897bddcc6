//! Several SuperLinks with one database and one bucket are one federation: each answers whoever calls, and
//! what one of them loses, the others go on with.

use std::ffi::OsString;
use std::thread::sleep;
use std::time::{Duration, Instant};

use e2e::federation::{Balancer, Beside};
use e2e::{App, Federation, Maker, Release, Security, ports};
use flwr_postgres::Server;
use rustix::process::Signal;

use crate::durable::rounds_are_whole;

const OURS: Maker = Maker::Ours;
const PATIENCE: Duration = Duration::from_secs(120);

/// A federation of two SuperLinks, behind a balancer for SuperNodes.
pub(crate) struct Cluster {
    pub(crate) federation: Federation,
    pub(crate) other: Beside,
    database: Server,
}

impl Cluster {
    pub(crate) fn start(nodes: Vec<Maker>) -> Self {
        Self::with(nodes, &[])
    }

    /// One whose SuperLinks have these flags too.
    pub(crate) fn with(nodes: Vec<Maker>, more: &[&str]) -> Self {
        let database = Server::start();
        let bucket = flwr_bucket::Server::of_this_process();
        let storage = format!(
            "s3://{}/cluster-{}?region=us-east-1&endpoint=http://{}",
            flwr_bucket::BUCKET,
            ports::free(),
            bucket.address()
        );
        let url = database.url();
        let flags = ["--database", &url, "--storage", &storage];
        let keys = [
            ("AWS_ACCESS_KEY_ID", flwr_bucket::KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", flwr_bucket::SECRET),
        ];
        let keys = keys.map(|(name, value)| (name.to_owned(), OsString::from(value)));
        let port = ports::free();
        let balancer = Balancer::listen(port);
        let plan = Federation::plan(Security::TlsAndAuth)
            .superlink_flags(&[&flags[..], &["--superlink-name", "a"], more].concat())
            .superlink_variables(keys.into())
            .fleet_port(port)
            .gateway(balancer.address());
        let federation = plan.supernodes(nodes).start();
        let other = federation.superlink_beside("b");
        balancer.add(other.fleet());
        Self {
            federation,
            other,
            database,
        }
    }

    /// The address of the database.
    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    /// Has each node connect again: each SuperLink gets some.
    fn spread(&mut self) {
        for node in 0..self.federation.count() {
            self.federation.node(node).kill();
            self.federation.restart_node(node);
        }
        self.other.process.line("SuperNode");
    }

    /// Starts a run whose ServerApp the other SuperLink has started. Whoever claims a run first starts its
    /// ServerApp, which mostly is who was asked for the run.
    fn start_at_the_other(&mut self, config: &str) -> u64 {
        let app = self.app_at_the_other();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let run = self.federation.flwr(OURS).start(&app, config);
            let started = format!("serverapp{{run_id={run}}}: ServerApp started");
            let here = loop {
                if self.other.process.has_said(&started) {
                    return run;
                }
                if self.federation.superlink().has_said(&started) {
                    break self.federation.app("mean");
                }
                assert!(Instant::now() < deadline, "no ServerApp was started there");
                sleep(Duration::from_millis(20));
            };
            let stopped = self.federation.flwr(OURS).about(&here, "stop", run, &[]);
            let _ = stopped.success();
        }
    }

    /// A copy of an app that reaches the other SuperLink.
    fn app_at_the_other(&self) -> App {
        self.federation.app_at("mean", &self.other)
    }
}

#[test]
fn what_is_begun_at_one_is_followed_and_stopped_at_the_other() {
    let mut cluster = Cluster::start(vec![OURS; 2]);
    cluster.spread();
    let (here, there) = (cluster.federation.app("mean"), cluster.app_at_the_other());
    let flwr = cluster.federation.flwr(OURS);
    let run = flwr.start(&here, "rounds=3");
    let log = flwr.log(&there, run).success();
    for round in 1..=3 {
        log.must_say(&[&format!("round {round}: mean")]);
    }
    flwr.wait_for_status(&there, run, "finished:completed");
    let endless = flwr.start(&there, "rounds=100000");
    flwr.wait_for_status(&here, endless, "running");
    let stopped = flwr.about(&here, "stop", endless, &[]);
    stopped.success().must_say(&["topped"]);
    flwr.wait_for_status(&there, endless, "finished:stopped");
    cluster.other.process.stop();
    cluster.federation.stop();
}

#[test]
fn a_run_goes_on_when_one_of_two_superlinks_and_then_the_other_is_killed() {
    let mut cluster = Cluster::start(vec![Maker::Pip(Release::V1_22), OURS]);
    cluster.spread();
    let app = cluster.federation.app("mean");
    let run = cluster.federation.flwr(OURS).start(&app, "rounds=8");
    cluster.federation.superlink().line("round 2:");
    cluster.other.process.kill();
    cluster.federation.superlink().line("round 4:");
    let other = cluster.federation.superlink_beside("b");
    cluster.federation.superlink().kill();
    cluster.federation.restart_superlink();
    cluster.federation.superlink().line("taken over");
    rounds_are_whole(&cluster.federation, &app, run, 8);
    drop(other);
    cluster.federation.stop();
}

#[test]
fn a_run_begins_again_elsewhere_when_its_superlink_stands_still() {
    let flags = ["--takeover-after", "15", "--resume-runs"];
    let mut cluster = Cluster::with(vec![OURS; 2], &flags);
    let here = cluster.federation.app("mean");
    let run = cluster.start_at_the_other("rounds=8");
    cluster.other.process.line("round 2:");
    cluster.other.process.signal(Signal::STOP);
    let told = cluster.federation.superlink().line("are taken over");
    assert!(told.contains("name=\"b\""), "{told}");
    let flwr = cluster.federation.flwr(OURS);
    flwr.wait_for_status(&here, run, "finished:completed");
    let log = flwr.log(&here, run).success();
    log.must_say(&["The SuperLink `b` on ", "begins again", "round 8: mean"]);
    cluster.other.process.signal(Signal::CONT);
    let ended = cluster.other.process.wait();
    assert_eq!(ended.code(), Some(1));
    let said = cluster.other.process.last_words();
    assert!(said.contains("has taken over the runs"), "{said}");
    cluster.federation.stop();
}

#[test]
fn a_serverapp_lives_through_the_end_of_its_superlink_behind_a_balancer() {
    let balancer = Balancer::listen(ports::free());
    let shared = balancer.address().to_string();
    let flags = ["--serverappio-advertise", &shared];
    let mut cluster = Cluster::with(vec![OURS; 2], &flags);
    let (one, other) = (
        cluster.federation.serverappio(),
        cluster.other.serverappio(),
    );
    balancer.lead_to(vec![one, other]);
    let here = cluster.federation.app("mean");
    let run = cluster.start_at_the_other("rounds=30");
    cluster.other.process.line("round 2:");
    cluster.other.process.kill();
    rounds_are_whole(&cluster.federation, &here, run, 30);
    cluster.federation.stop();
}

/// Who has ServerApps leaves the next run to others for a moment.
#[test]
fn serverapps_are_shared_out_among_superlinks() {
    let mut cluster = Cluster::start(vec![OURS; 2]);
    let app = cluster.federation.app("mean");
    let started = "ServerApp started";
    let mut runs = 0;
    while !(cluster.other.process.has_said(started)
        && cluster.federation.superlink().has_said(started))
    {
        assert!(runs < 10, "one SuperLink has started all ServerApps");
        let flwr = cluster.federation.flwr(OURS);
        let run = flwr.start(&app, "rounds=100000");
        flwr.wait_for_status(&app, run, "running");
        runs += 1;
    }
    cluster.other.process.stop();
    cluster.federation.stop();
}

#[test]
fn a_second_superlink_of_a_name_is_refused_with_the_way_out() {
    let cluster = Cluster::start(Vec::new());
    let (status, said) = cluster.federation.superlink_that_ends("b");
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("--superlink-name") && said.contains("as `b`"),
        "{said}"
    );
    cluster.federation.stop();
}
