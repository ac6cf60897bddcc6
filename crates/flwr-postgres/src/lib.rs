//! For tests: a PostgreSQL server that lives as long as its test.
//!
//! The server is made in memory where there is such a place, and is reached by a socket in its own
//! folder, or by TLS at a loopback address of its own: tests that run at the same time do not meet. A
//! server that is killed begins again. Both the server and its folder go with [`Server`], also if the
//! test is killed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    reason = "only tests call these functions: a failure here fails the test, and nobody pauses the time here"
)]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::process::{Pid, Signal, geteuid, kill_process};

/// Makes a server in a new folder below `$1` with the programs in `$2`, names the folder, and ends
/// the server with the input. A server that is killed begins again. `$3` has settings, one a line. With
/// a certificate in `$CERTIFICATE` and its key in `$KEY`, logins over TCP need TLS and a password. Where the
/// file `follow` names the folder of another server, the data is made anew as a copy that follows the other;
/// `$FOLLOW` does so from the beginning.
const SCRIPT: &str = r#"
set -e
dir=$(mktemp -d "$1/flwr-postgres-XXXXXX")
trap 'kill -TERM $server 2>/dev/null; wait $server 2>/dev/null || :; rm -rf "$dir"' EXIT
if [ -n "$FOLLOW" ]; then
    printf '%s' "$FOLLOW" > "$dir/follow"
else
    "$2/initdb" -D "$dir/data" -U flwr -A trust -E UTF8 --locale=C --no-sync >/dev/null
    printf '%s\n' "max_connections = 300" "shared_buffers = 32MB" "$3" >> "$dir/data/postgresql.conf"
fi
if [ -n "$CERTIFICATE" ]; then
    (umask 077 && printf '%s' "$CERTIFICATE" > "$dir/data/server.crt" && printf '%s' "$KEY" > "$dir/data/server.key")
    echo "ssl = on" >> "$dir/data/postgresql.conf"
    printf 'local all all trust\nhostssl all all 127.0.0.0/8 scram-sha-256\n' > "$dir/data/pg_hba.conf"
fi
(
    trap 'kill -QUIT $postgres; wait $postgres; exit' TERM
    while :; do
        if [ -e "$dir/follow" ]; then
            rm -rf "$dir/data" || continue
            if ! "$2/pg_basebackup" -h "$(cat "$dir/follow")" -U flwr -D "$dir/data" -R -X stream \
                -c fast --no-sync >>"$dir/log" 2>&1; then
                sleep 0.2
                continue
            fi
            rm "$dir/follow"
        fi
        "$2/postgres" -D "$dir/data" -k "$dir" >>"$dir/log" 2>&1 &
        postgres=$!
        wait $postgres || :
    done
) </dev/null >/dev/null 2>&1 &
server=$!
until "$2/pg_isready" -q -h "$dir" -U flwr; do sleep 0.05; done
echo "$dir"
read -r _ || :
"#;

mod standby;

pub use standby::Pair;

/// How long a server may take to begin again.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The server of this process.
static OF_THIS_PROCESS: LazyLock<Server> = LazyLock::new(Server::start);

/// A running server.
#[derive(Debug)]
pub struct Server {
    dir: PathBuf,
    /// Its input is open as long as this value lives.
    process: Child,
}

impl Server {
    /// The server that the tests of this process share.
    #[must_use]
    pub fn of_this_process() -> &'static Self {
        &OF_THIS_PROCESS
    }

    /// Starts another.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts another, with settings such as `fsync = off`.
    #[must_use]
    pub fn start_with(settings: &[&str]) -> Self {
        Self::launch(&memory(), settings, None, None)
    }

    /// Starts another whose data is among temporary files: for measuring beside programs whose files are
    /// there too.
    #[must_use]
    pub fn start_on_disk(settings: &[&str]) -> Self {
        Self::launch(&env::temp_dir(), settings, None, None)
    }

    /// Starts another that listens at a loopback address with this certificate. Logins there need a
    /// password, and nobody has a password yet.
    #[must_use]
    pub fn start_encrypted(address: Ipv4Addr, certificate: &str, key: &str) -> Self {
        let listen = format!("listen_addresses = '{address}'");
        Self::launch(&memory(), &[&listen], Some((certificate, key)), None)
    }

    /// `followed`: the folder of the server that this begins as a standby of.
    fn launch(
        scratch: &Path,
        settings: &[&str],
        tls: Option<(&str, &str)>,
        followed: Option<&Path>,
    ) -> Self {
        // The last of a setting counts.
        let settings = [&["listen_addresses = ''"], settings].concat().join("\n");
        let (certificate, key) = tls.unwrap_or_default();
        // PostgreSQL refuses to run as root.
        let mut shell = match geteuid().is_root() {
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
            .arg(scratch)
            .arg(installed())
            .arg(settings)
            .envs([("CERTIFICATE", certificate), ("KEY", key)])
            .env("FOLLOW", followed.unwrap_or(Path::new("")))
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
        Self { dir, process }
    }

    /// The folder of its socket and data.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The URL of its database.
    #[must_use]
    pub fn url(&self) -> String {
        url_at(&self.dir)
    }

    /// The process whose descendants are all processes of the server.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// `kill -9` of the server. A server that was killed just before is waited for: it starts again, and
    /// until then its file with the process id is missing, unfinished or old.
    pub fn kill(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self
            .pid()
            .is_none_or(|pid| kill_process(pid, Signal::KILL).is_err())
        {
            assert!(
                Instant::now() < deadline,
                "no server runs in {}",
                self.dir.display()
            );
            thread::sleep(LOOK_EVERY);
        }
    }

    /// `kill -9` of the server and of all its sessions, as when its machine fails.
    pub fn crash(&self) {
        let sessions = self.pid().map(children).unwrap_or_default();
        // First the server: it would end the other sessions in its own way.
        self.kill();
        for session in sessions {
            // Many have ended with the server already.
            let _ = kill_process(session, Signal::KILL);
        }
    }

    /// Has the server end in order, and ends its sessions (SIGINT). It begins again.
    pub fn restart(&self) {
        if let Some(pid) = self.pid() {
            let _ = kill_process(pid, Signal::INT);
        }
    }

    /// Asks the database with `psql`. Gives the rows, with `|` between columns.
    ///
    /// # Errors
    /// What the server or `psql` says instead: the server may be away.
    pub fn ask(&self, sql: &str) -> Result<Vec<String>, String> {
        ask_at(&self.dir, sql)
    }

    /// Waits until the server answers.
    pub fn wait(&self) {
        wait_at(&self.dir);
    }

    /// The process id that the server has noted.
    fn pid(&self) -> Option<Pid> {
        let noted = fs::read_to_string(self.dir.join("data/postmaster.pid")).ok()?;
        Pid::from_raw(noted.lines().next()?.parse().ok()?)
    }
}

/// The processes that a process has started.
fn children(of: Pid) -> Vec<Pid> {
    let pid = of.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let pids = children.split_whitespace().filter_map(|id| id.parse().ok());
    pids.filter_map(Pid::from_raw).collect()
}

/// Asks the server whose socket is in this folder.
fn ask_at(dir: &Path, sql: &str) -> Result<Vec<String>, String> {
    let mut psql = Command::new(installed().join("psql"));
    psql.args(["-X", "-A", "-t", "-w", "-U", "flwr", "-d", "postgres", "-h"])
        .arg(dir)
        .args(["-v", "ON_ERROR_STOP=1", "-c", sql])
        .stdin(Stdio::null());
    let output = psql.output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().map(str::to_owned).collect())
}

fn wait_at(dir: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(said) = ask_at(dir, "SELECT 1") {
        assert!(Instant::now() < deadline, "the server is away: {said}");
        thread::sleep(LOOK_EVERY);
    }
}

/// The URL of the database of a server, or of a proxy, whose socket is in this folder.
#[must_use]
pub fn url_at(dir: &Path) -> String {
    format!("postgres://flwr@{}/postgres", encoded(dir))
}

/// A folder as the host of a URL.
fn encoded(dir: &Path) -> String {
    let dir = dir.display().to_string();
    utf8_percent_encode(&dir, NON_ALPHANUMERIC).to_string()
}

/// The folder of servers whose data is in memory, where there is such a place.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => memory.to_owned(),
        false => env::temp_dir(),
    }
}

/// Where the programs of the newest server are.
fn installed() -> PathBuf {
    programs().expect("PostgreSQL is not installed: `apt-get install postgresql`")
}

/// Where the programs of the newest server are, if PostgreSQL is installed.
#[must_use]
pub fn programs() -> Option<PathBuf> {
    let dirs = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let dirs = dirs.filter_map(|dir| {
        let dir = dir.ok()?;
        let version: u32 = dir.file_name().to_str()?.parse().ok()?;
        Some((version, dir.path().join("bin")))
    });
    let newest = dirs.max().map(|(_, path)| path);
    let path = env::var_os("PATH").unwrap_or_default();
    let mut on_path = env::split_paths(&path).filter(|dir| dir.join("initdb").exists());
    newest.or_else(|| on_path.next())
}
