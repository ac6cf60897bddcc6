//! Proxy, SuperLink and SuperNode that go and come back in every order while a message is computed:
//! the run ends with the right value.

use std::fs;
use std::path::Path;
use std::thread;

use e2e::process::wait_for_end;
use e2e::proxy::{Front, Habits, Kind};
use e2e::{App, Federation, Maker, Process, Security};

use crate::faults::pid_of;

const OURS: Maker = Maker::Ours;

/// What happens while the ClientApp computes.
#[derive(Clone, Copy, Debug)]
enum Step {
    ProxyGoes,
    ProxyComes,
    SuperLinkGoes,
    SuperLinkComes,
    NodeGoes,
    NodeComes,
    /// The ClientApp answers and ends.
    Answers,
    /// The SuperNode notices that it does not reach the SuperLink.
    Notices,
}

/// Each order ends with a SuperNode that reaches its SuperLink through the proxy.
const ORDERS: [&[Step]; 5] = {
    use Step::{
        Answers, NodeComes, NodeGoes, Notices, ProxyComes, ProxyGoes, SuperLinkComes, SuperLinkGoes,
    };
    [
        &[ProxyGoes, Answers, Notices, ProxyComes],
        &[SuperLinkGoes, Answers, Notices, SuperLinkComes],
        &[
            ProxyGoes,
            SuperLinkGoes,
            ProxyComes,
            Notices,
            Answers,
            SuperLinkComes,
        ],
        &[
            ProxyGoes,
            SuperLinkGoes,
            SuperLinkComes,
            Notices,
            Answers,
            ProxyComes,
        ],
        &[
            ProxyGoes,
            SuperLinkGoes,
            NodeGoes,
            NodeComes,
            Notices,
            Answers,
            SuperLinkComes,
            ProxyComes,
        ],
    ]
};

/// A federation of one SuperNode behind a proxy.
struct Site {
    federation: Federation,
    front: Front,
    kind: Kind,
    proxy: Option<Process>,
    app: App,
}

impl Site {
    fn new(kind: Kind) -> Self {
        let front = Front::free();
        let plan = Federation::plan(Security::TlsAndAuth).nodes(1);
        let federation = plan.gateway(front.fleet).start();
        let proxy = Some(front.start(kind, Habits::default(), &federation));
        let app = federation.app("trouble");
        Self {
            federation,
            front,
            kind,
            proxy,
            app,
        }
    }

    /// A run during which all these steps happen.
    #[track_caller]
    fn run_during(&mut self, number: usize, order: &[Step]) {
        let file = self
            .federation
            .scratch()
            .path()
            .join(format!("signal-{number}"));
        let config = format!("client=\"wait\" file=\"{}\"", file.display());
        let seen = self.federation.node(0).lines().len();
        let run = self.federation.flwr(OURS).start(&self.app, &config);
        let line = self.federation.node(0).line_after(seen, "clientapp pid=");
        let client = pid_of(&line);
        for &step in order {
            self.take(step, &file, client);
        }
        let flwr = self.federation.flwr(OURS);
        flwr.wait_for_status(&self.app, run, "finished:completed");
        let log = flwr.log(&self.app, run).success();
        assert_eq!(
            log.text.matches("reply: 42").count(),
            1,
            "{order:?}: {}",
            log.text
        );
    }

    fn take(&mut self, step: Step, signal: &Path, client: u32) {
        let federation = &mut self.federation;
        match step {
            Step::ProxyGoes => self.proxy = None,
            Step::ProxyComes => {
                self.proxy = Some(self.front.start(self.kind, Habits::default(), federation));
            }
            Step::SuperLinkGoes => federation.superlink().kill(),
            Step::SuperLinkComes => federation.restart_superlink(),
            Step::NodeGoes => federation.node(0).kill(),
            Step::NodeComes => federation.restart_node(0),
            Step::Notices => {
                let seen = federation.node(0).lines().len();
                let _ = federation.node(0).line_after(seen, "WARN");
            }
            Step::Answers => {
                fs::write(signal, "").unwrap();
                wait_for_end(client);
            }
        }
    }
}

#[track_caller]
fn runs_end_well_whatever_the_order(kind: Kind) {
    let mut site = Site::new(kind);
    for (number, order) in ORDERS.into_iter().enumerate() {
        site.run_during(number, order);
    }
    site.federation.stop();
}

/// The proxies at once: the SuperNodes mostly wait until they try again.
#[test]
fn runs_end_well_whatever_is_restarted_first() {
    thread::scope(|scope| {
        for kind in [Kind::Nginx, Kind::HaProxy, Kind::Envoy] {
            scope.spawn(move || runs_end_well_whatever_the_order(kind));
        }
    });
}
