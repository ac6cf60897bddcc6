//! A PostgreSQL server for the tests of this process: made in memory where there is such a place,
//! reached by a socket in its own folder, and gone with the process.

use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_postgres::NoTls;

use crate::link::state::LinkState;
use crate::store::battery::world::NOON;
use crate::store::{PostgresState, PostgresUrl};

/// Makes a server in a new folder below `$1` with the programs in `$2`, names the folder, and ends
/// the server with the input. A server that is killed begins again.
const SCRIPT: &str = r#"
set -e
dir=$(mktemp -d "$1/flwr-postgres-XXXXXX")
trap 'kill -TERM $server 2>/dev/null; wait $server 2>/dev/null || :; rm -rf "$dir"' EXIT
"$2/initdb" -D "$dir/data" -U flwr -A trust -E UTF8 --locale=C --no-sync >/dev/null
(
    trap 'kill -QUIT $postgres; wait $postgres; exit' TERM
    while :; do
        "$2/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c max_connections=300 \
            -c shared_buffers=32MB >>"$dir/log" 2>&1 &
        postgres=$!
        wait $postgres || :
    done
) </dev/null >/dev/null 2>&1 &
server=$!
until "$2/pg_isready" -q -h "$dir" -U flwr; do sleep 0.05; done
echo "$dir"
read -r _ || :
"#;

/// The server of this process.
static SERVER: LazyLock<Server> = LazyLock::new(Server::start);
/// The number of the next schema.
static NEXT: AtomicUsize = AtomicUsize::new(0);

pub(in crate::store) struct Server {
    dir: PathBuf,
    /// Its input is open as long as this process lives.
    _process: Child,
}

impl Server {
    pub(in crate::store) fn of_this_process() -> &'static Self {
        &SERVER
    }

    pub(in crate::store) fn start() -> Self {
        let memory = Path::new("/dev/shm");
        let scratch = match memory.is_dir() {
            true => memory.to_owned(),
            false => std::env::temp_dir(),
        };
        // PostgreSQL refuses to run as root.
        let mut shell = match rustix::process::geteuid().is_root() {
            false => Command::new("sh"),
            true => {
                let mut other = Command::new("setpriv");
                other.args([
                    "--reuid=postgres",
                    "--regid=postgres",
                    "--clear-groups",
                    "sh",
                ]);
                other
            }
        };
        let mut process = shell
            .args(["-c", SCRIPT, "sh"])
            .args([&scratch, &programs()])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut named = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut named).unwrap();
        let dir = PathBuf::from(named.trim());
        assert!(dir.is_dir(), "no PostgreSQL server: install `postgresql`");
        Self {
            dir,
            _process: process,
        }
    }

    /// The folder of its socket and data.
    pub(in crate::store) fn dir(&self) -> &Path {
        &self.dir
    }

    /// `kill -9` of the server; another begins in the same folder.
    pub(in crate::store) fn kill(&self) {
        let pid = std::fs::read_to_string(self.dir.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    /// Does something whenever the state in this schema has committed so many transactions more.
    /// Never ends.
    pub(in crate::store) async fn each_time_it_has_committed(
        &self,
        every: i64,
        address: &PostgresUrl,
        acts: &Cell<usize>,
        act: impl AsyncFn(),
    ) {
        let mut next = every;
        loop {
            // The server may be away.
            if let Ok((client, connection)) = address.config().connect(NoTls).await {
                let _connection = flwr_daemon::task::start(connection);
                while let Ok(found) = client.query_one("SELECT batch FROM writer", &[]).await {
                    let batch: i64 = found.get(0);
                    if batch >= next {
                        next = batch + every;
                        act().await;
                        acts.set(acts.get() + 1);
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends the session that writes the schema.
    pub(in crate::store) async fn cut(&self, of: &PostgresUrl) {
        let config = of.config();
        let schema = config
            .get_options()
            .unwrap()
            .split('=')
            .next_back()
            .unwrap();
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_locks
             WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
               AND (classid::int8 << 32 | objid::int8)
                 = hashtextextended('flower-superlink {schema}', 0)"
        );
        let client = self.client("public").await;
        client.batch_execute(&sql).await.unwrap();
    }

    /// The address of a schema, by the socket in this folder.
    pub(in crate::store) fn address_at(dir: &Path, schema: &str) -> PostgresUrl {
        let dir = dir.display().to_string();
        let dir = utf8_percent_encode(&dir, NON_ALPHANUMERIC);
        let url = format!("postgres://flwr@{dir}/postgres?options=-c%20search_path%3D{schema}");
        PostgresUrl::parse(&url, None).unwrap()
    }

    /// A connection beside that of a state.
    pub(in crate::store) async fn client(&self, schema: &str) -> tokio_postgres::Client {
        let config = Self::address_at(&self.dir, schema).config();
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A schema of its own, which is empty.
    pub(in crate::store) async fn schema(&self) -> String {
        let schema = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let client = self.client("public").await;
        client
            .batch_execute(&format!("CREATE SCHEMA {schema}"))
            .await
            .unwrap();
        schema
    }
}

/// Where the programs of the newest server are.
fn programs() -> PathBuf {
    let dirs = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let dirs = dirs.filter_map(|dir| {
        let dir = dir.ok()?;
        let version: u32 = dir.file_name().to_str()?.parse().ok()?;
        Some((version, dir.path().join("bin")))
    });
    let newest = dirs.max().map(|(_, path)| path);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut on_path = std::env::split_paths(&path).filter(|dir| dir.join("initdb").exists());
    newest
        .or_else(|| on_path.next())
        .expect("PostgreSQL is not installed: `apt-get install postgresql`")
}

/// A state in a schema of its own.
pub(in crate::store) async fn fresh() -> Arc<dyn LinkState> {
    let server = Server::of_this_process();
    let address = Server::address_at(server.dir(), &server.schema().await);
    Arc::new(PostgresState::open(&address, NOON).await.unwrap())
}
