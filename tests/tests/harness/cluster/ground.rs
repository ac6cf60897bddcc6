//! What SuperLinks work with together: a PostgreSQL server, and a bucket behind a proxy that fails.

use std::collections::HashSet;
use std::ffi::OsString;

use e2e::{Federation, Plan, Security};
use flwr_bucket::{Fault, Server as Bucket};
use flwr_postgres::{Pair, Server};
use tokio::runtime::Runtime;

use crate::kind::Kind;

/// Where the database that works with the bucket is noted.
const OWNER: &str = "o/owner/";

/// A database and a bucket.
#[derive(Debug)]
pub(crate) struct Ground {
    database: Database,
    bucket: Bucket,
    /// On the way to the bucket.
    line: flwr_bucket::Proxy,
    /// Runs the proxy.
    _runtime: Runtime,
}

/// The database server, if need be with a standby.
#[derive(Debug)]
enum Database {
    One(Server),
    Pair(Pair),
}

impl Ground {
    pub(crate) fn new(kind: Kind) -> Self {
        let database = match kind {
            Kind::Failover => Database::Pair(Pair::start()),
            _ => Database::One(Server::start()),
        };
        let bucket = Bucket::start();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let line = runtime.block_on(flwr_bucket::Proxy::start(bucket.address()));
        Self {
            database,
            bucket,
            line,
            _runtime: runtime,
        }
    }

    /// A federation with TLS and authentication whose SuperLinks work here.
    pub(crate) fn plan(&self) -> Plan {
        let storage = format!(
            "s3://{}?region=us-east-1&endpoint=http://{}",
            flwr_bucket::BUCKET,
            self.line.address()
        );
        let database = match &self.database {
            Database::One(server) => server.url(),
            Database::Pair(pair) => pair.url(),
        };
        let flags = ["--database", &database, "--storage", &storage];
        let keys = [
            ("AWS_ACCESS_KEY_ID", flwr_bucket::KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", flwr_bucket::SECRET),
        ];
        let keys = keys.map(|(name, value)| (name.to_owned(), OsString::from(value)));
        Federation::plan(Security::TlsAndAuth)
            .superlink_flags(&[&flags[..], &["--superlink-name", "a"]].concat())
            .superlink_variables(keys.into())
    }

    /// The server that is written to.
    pub(crate) const fn server(&self) -> &Server {
        match &self.database {
            Database::One(server) => server,
            Database::Pair(pair) => pair.primary(),
        }
    }

    /// The server with its standby.
    pub(crate) const fn pair(&mut self) -> Option<&mut Pair> {
        match &mut self.database {
            Database::One(_) => None,
            Database::Pair(pair) => Some(pair),
        }
    }

    /// The rows that the database answers with.
    pub(crate) fn ask(&self, sql: &str) -> Vec<String> {
        self.server().ask(sql).unwrap()
    }

    /// From now on requests to the bucket fail so.
    pub(crate) fn fail(&self, fault: Fault) {
        self.line.fail(fault, None);
    }

    /// The names in the bucket that nothing uses, and that nobody will delete. Of those that somebody will
    /// delete, too, if they are `swept` by now.
    pub(crate) fn left(&self, swept: bool) -> Vec<String> {
        let (owners, mut names): (Vec<_>, Vec<_>) = {
            let all = self.bucket.names().into_iter();
            all.partition(|name| name.starts_with(OWNER))
        };
        assert_eq!(owners.len(), 1, "owners of the bucket: {owners:?}");
        let mut known = self.ask("SELECT key FROM blob");
        if !swept {
            known.extend(self.ask("SELECT key FROM garbage"));
        }
        let known: HashSet<_> = known.into_iter().collect();
        names.retain(|name| !known.contains(name));
        names
    }
}
