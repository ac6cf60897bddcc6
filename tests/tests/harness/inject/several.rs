//! The faults of a federation with several SuperLinks.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use flwr_bucket::Fault;
use rustix::process::Signal;

use super::Hands;
use crate::cluster::{Cluster, Ground};

/// The sessions that hear what other SuperLinks tell.
const LISTENERS: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'";
/// All sessions of SuperLinks.
const SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'flower-superlink'";
/// How often sessions are ended while they are to have no rest.
const AGAIN: Duration = Duration::from_millis(100);

impl Hands<'_> {
    pub(crate) fn kill_some_link(&mut self) {
        let link = self.some_link();
        // Mostly it is started again at once, at times the others are alone for several rounds.
        let down = match self.random.number(0..4) {
            0 | 1 => self.random.millis(0..300),
            2 => self.random.millis(300..3_000),
            _ => self.random.millis(3_000..12_000),
        };
        self.kill_link(link, down);
    }

    pub(crate) fn kill_all_links(&mut self) {
        for link in 0..self.cluster().count() {
            let down = self.random.millis(0..1_000);
            self.kill_link(link, down);
        }
    }

    fn kill_link(&mut self, link: usize, down: Duration) {
        let note = format!("SIGKILL to SuperLink {link}, which is away for {down:?}");
        self.event_log.note(&note);
        self.process(link).kill();
        thread::sleep(down);
        self.start_link(link);
        self.totals.kills += 1;
    }

    fn start_link(&mut self, link: usize) {
        let cluster = self.cluster.as_deref_mut().expect("a cluster");
        cluster.start_again(self.federation, link);
        self.event_log.note("  it listens again");
    }

    /// `time`: how many milliseconds.
    pub(crate) fn pause_some_link(&mut self, time: Range<u64>) {
        let link = self.some_link();
        self.pause(link, time);
    }

    /// For longer than a ServerApp may be silent: not a SuperLink whose ServerApps are silent with it. Their
    /// runs are lost, or begin again.
    pub(crate) fn pause_some_idle_link(&mut self, time: u64) {
        let busy = self
            .ground()
            .ask("SELECT link FROM task WHERE pid IS NOT NULL");
        let first = self.some_link();
        let count = self.cluster().count();
        let mut links = (0..count).map(|next| (first + next) % count);
        let idle = links.find(|link| !busy.contains(&Cluster::name(*link)));
        let idle = idle.expect("an idle SuperLink");
        self.pause(idle, time..time + 1);
        // The others have buried it meanwhile. Whoever watches over it starts it again.
        let status = self.process(idle).wait();
        assert_eq!(status.code(), Some(1), "of SuperLink {idle}");
        self.start_link(idle);
    }

    /// The balancers notice when it takes long.
    fn pause(&mut self, link: usize, time: Range<u64>) {
        const NOTICED: Duration = Duration::from_secs(5);
        let time = self.random.millis(time);
        let note = format!("SuperLink {link} stands still for {time:?}");
        self.event_log.note(&note);
        self.process(link).signal(Signal::STOP);
        thread::sleep(time.min(NOTICED));
        if let Some(rest) = time.checked_sub(NOTICED) {
            self.avoid(Some(link));
            thread::sleep(rest);
        }
        self.process(link).signal(Signal::CONT);
        self.avoid(None);
        self.event_log.note("  it goes on");
    }

    pub(crate) fn disturb_database(&mut self) {
        let way = self.random.number(0..3);
        let server = self.cluster.as_deref().expect("a cluster").ground.server();
        let note = match way {
            0 => "the database server is restarted",
            1 => "kill -9 of the database server and its sessions",
            _ => "the database server ends all sessions",
        };
        self.event_log.note(note);
        match way {
            0 => server.restart(),
            1 => server.crash(),
            _ => drop(server.ask(SESSIONS)),
        }
        server.wait();
        self.event_log.note("  it answers");
    }

    pub(crate) fn fail_over(&mut self) {
        let cluster = self.cluster.as_deref_mut().expect("a cluster");
        let pair = cluster.ground.pair().expect("a standby");
        self.event_log
            .note("the database server dies, and its standby is promoted");
        pair.fail_over();
        self.event_log.note("  the standby answers");
        pair.synchronize();
        self.event_log
            .note("  there is a synchronous standby again");
    }

    /// Ends the sessions that listen: once, or for some seconds whenever there are some.
    pub(crate) fn cut_listeners(&mut self) {
        let time = match self.random.once_in(2) {
            true => Duration::ZERO,
            false => self.random.millis(1_000..6_000),
        };
        let note = format!("those who listen to others are cut off for {time:?}");
        self.event_log.note(&note);
        let ground = self.ground();
        let until = Instant::now() + time;
        while {
            ground.ask(LISTENERS);
            Instant::now() < until
        } {
            thread::sleep(AGAIN);
        }
        self.totals.cuts += 1;
    }

    pub(crate) fn disturb_bucket(&mut self) {
        let fault = match self.random.number(0..4) {
            0 => Fault::Status(500),
            1 => Fault::Status(503),
            2 => Fault::Slow(self.random.millis(200..2_000)),
            _ => Fault::Cut(usize::try_from(self.random.number(0..2_000)).unwrap()),
        };
        // At times for longer than a call waits for the bucket.
        let time = match self.random.once_in(4) {
            true => self.random.millis(11_000..15_000),
            false => self.random.millis(500..5_000),
        };
        let note = format!("the bucket fails, {fault:?}, for {time:?}");
        self.event_log.note(&note);
        let ground = self.ground();
        ground.fail(fault);
        thread::sleep(time);
        ground.fail(Fault::None);
        self.event_log.note("  the bucket works again");
    }

    fn cluster(&self) -> &Cluster {
        self.cluster.as_deref().expect("a cluster")
    }

    fn ground(&self) -> &Ground {
        &self.cluster().ground
    }

    fn process(&mut self, link: usize) -> &mut e2e::Process {
        let cluster = self.cluster.as_deref_mut().expect("a cluster");
        cluster.process(self.federation, link)
    }

    fn avoid(&self, link: Option<usize>) {
        let balancer = self.proxy.expect("a balancer");
        self.cluster().leave_out(self.federation, balancer, link);
    }

    fn some_link(&mut self) -> usize {
        let count = u64::try_from(self.cluster().count()).unwrap();
        usize::try_from(self.random.number(0..count)).unwrap()
    }
}
