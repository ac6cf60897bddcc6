//! Two servers: one that is written to, and a synchronous standby that has all that was acknowledged.

use std::fs;
use std::thread;
use std::time::Instant;

use super::{LOOK_EVERY, PATIENCE, Server, encoded, memory};

/// A server and its standby.
#[derive(Debug)]
pub struct Pair {
    servers: [Server; 2],
    /// Which of them is written to.
    primary: usize,
}

impl Pair {
    /// Starts both.
    #[must_use]
    pub fn start() -> Self {
        let primary = Server::start();
        let standby = Server::launch(&memory(), &[], None, Some(primary.dir()));
        let pair = Self {
            servers: [primary, standby],
            primary: 0,
        };
        pair.synchronize();
        pair
    }

    /// The URL of the database, wherever it is written to.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts = self.servers.each_ref().map(|server| encoded(server.dir()));
        format!("postgres://flwr@{}/postgres", hosts.join(","))
    }

    /// The server that is written to.
    #[must_use]
    pub const fn primary(&self) -> &Server {
        &self.servers[self.primary]
    }

    /// Kills the server that is written to, for good, and promotes the standby. The other becomes a
    /// standby of that.
    pub fn fail_over(&mut self) {
        let (old, new) = (self.primary(), &self.servers[1 - self.primary]);
        // From here on the old server does not begin again with its own data.
        let unfinished = old.dir().join("follow.new");
        fs::write(&unfinished, new.dir().as_os_str().as_encoded_bytes()).unwrap();
        fs::rename(unfinished, old.dir().join("follow")).unwrap();
        old.crash();
        new.ask("SELECT pg_promote()").unwrap();
        self.primary = 1 - self.primary;
    }

    /// Waits until the standby follows, and has the primary acknowledge only what both have.
    pub fn synchronize(&self) {
        let primary = self.primary();
        let is_followed = |how| {
            let sql = format!(
                "SELECT count(*) FROM pg_stat_replication
                 WHERE application_name = 'walreceiver' AND {how}"
            );
            primary.ask(&sql).is_ok_and(|count| count == ["1"])
        };
        wait(|| is_followed("state = 'streaming'"));
        for sql in [
            "ALTER SYSTEM SET synchronous_standby_names = 'walreceiver'",
            "SELECT pg_reload_conf()",
        ] {
            primary.ask(sql).unwrap();
        }
        wait(|| is_followed("sync_state = 'sync'"));
    }
}

fn wait(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "the standby does not follow");
        thread::sleep(LOOK_EVERY);
    }
}

#[test]
fn what_was_acknowledged_is_there_after_each_failover() {
    let mut pair = Pair::start();
    pair.primary().ask("CREATE TABLE told (n int)").unwrap();
    for turn in ["1", "2", "3"] {
        let sql = format!("INSERT INTO told VALUES ({turn})");
        pair.primary().ask(&sql).unwrap();
        pair.fail_over();
        let count = pair.primary().ask("SELECT count(*) FROM told");
        assert_eq!(count.as_deref(), Ok(&[turn.to_owned()][..]));
        pair.synchronize();
    }
}
