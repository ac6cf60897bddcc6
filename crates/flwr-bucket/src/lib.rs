//! For tests: an S3 server (SeaweedFS) that lives as long as its test, and a proxy that fails on the
//! way to the server.
//!
//! The server is made in memory where there is such a place. Both the server and its folder go with
//! [`Server`], also if the test is killed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    reason = "only tests call these functions: a failure here fails the test, and nobody pauses the time here"
)]

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

mod names;
#[cfg(feature = "proxy")]
mod proxy;

#[cfg(feature = "proxy")]
pub use proxy::{Fault, Proxy};

/// The variable that names the program.
pub const VARIABLE: &str = "FLWR_WEED";
/// Who may do everything.
pub const KEY_ID: &str = "flwr";
/// And by which secret.
pub const SECRET: &str = "a secret of tests";
/// The bucket that is there.
pub const BUCKET: &str = "models";

/// Runs `weed` (`$1`) with the arguments after it, and ends it with the input.
const SCRIPT: &str = r#"
"$@" >/dev/null 2>&1 </dev/null &
server=$!
trap 'kill -KILL $server 2>/dev/null || :' EXIT
read -r _ || :
"#;
/// Ports: master, volume, filer and S3, each with gRPC beside it.
const PORTS: usize = 8;
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server of this process.
static OF_THIS_PROCESS: LazyLock<Server> = LazyLock::new(Server::start);

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// Where the files behind the buckets are told.
    filer: SocketAddr,
    /// Its input is open as long as this value lives.
    process: Child,
    _dir: TempDir,
}

impl Server {
    /// The server that the tests of this process share.
    #[must_use]
    pub fn of_this_process() -> &'static Self {
        &OF_THIS_PROCESS
    }

    /// Starts another, with an empty bucket.
    #[must_use]
    pub fn start() -> Self {
        let memory = Path::new("/dev/shm");
        let dir = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        Self::launch(&program(), dir)
    }

    /// Starts another with this program, whose data is among temporary files: for measuring beside programs
    /// whose files are there too.
    #[must_use]
    pub fn start_on_disk(program: &Path) -> Self {
        Self::launch(program, tempfile::tempdir().unwrap())
    }

    fn launch(program: &Path, dir: TempDir) -> Self {
        let identities = format!(
            r#"{{"identities": [{{"name": "tests", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
                "credentials": [{{"accessKey": "{KEY_ID}", "secretKey": "{SECRET}"}}]}}]}}"#
        );
        let config = dir.path().join("s3.json");
        fs::write(&config, identities).unwrap();
        let ports = free_ports();
        let mut arguments = vec![
            "server".to_owned(),
            format!("-dir={}", dir.path().display()),
            "-ip=127.0.0.1".to_owned(),
            "-ip.bind=127.0.0.1".to_owned(),
            "-s3".to_owned(),
            // A bucket that nobody made is an error, as with AWS.
            "-s3.autoCreateBucket=false".to_owned(),
            // Ports that all servers of a machine would share.
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            "-master.telemetry=false".to_owned(),
            format!("-s3.config={}", config.display()),
            "-master.volumeSizeLimitMB=256".to_owned(),
            "-volume.max=40".to_owned(),
        ];
        let names = ["master", "volume", "filer", "s3"];
        for (name, ports) in names.iter().zip(ports.chunks(2)) {
            arguments.push(format!("-{name}.port={}", ports[0]));
            arguments.push(format!("-{name}.port.grpc={}", ports[1]));
        }
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SCRIPT, "sh"])
            .arg(program)
            .args(arguments)
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = shell.spawn().unwrap();
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let filer = at(ports[4]);
        let server = Self {
            address: at(ports[6]),
            filer,
            process,
            _dir: dir,
        };
        // A file is taken once the parts know each other, and a folder there is a bucket.
        wait_for(|| sends(filer, "PUT", "/probe", "a"));
        wait_for(|| sends(filer, "POST", &format!("/buckets/{BUCKET}/"), ""));
        wait_for(|| TcpStream::connect(server.address).is_ok());
        server
    }

    /// The process whose descendants are all processes of the server.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Where S3 is spoken.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The names in the bucket, sorted. Parts of uploads that have not ended are among them.
    ///
    /// # Panics
    /// If the server does not tell.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        names::below(self.filer, &format!("/buckets/{BUCKET}"))
    }
}

fn free_ports() -> Vec<u16> {
    let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners: Vec<_> = (0..PORTS).map(|_| bind()).collect();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    listeners.iter().map(port).collect()
}

fn wait_for(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "the S3 server does not answer");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Sends a file to the filer. Whether it was taken.
fn sends(to: SocketAddr, method: &str, path: &str, content: &str) -> bool {
    let answer = ask(to, method, path, content);
    answer.is_ok_and(|answer| {
        answer
            .split(' ')
            .nth(1)
            .is_some_and(|status| status.starts_with("20"))
    })
}

/// Asks the filer. The answer has its head, and a body that is not cut into chunks (HTTP/1.0).
fn ask(to: SocketAddr, method: &str, path: &str, content: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = content.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {to}\r\nAccept: application/json\r\nContent-Length: {length}\r\n\r\n{content}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// `FLWR_WEED`, or what `cargo xtask test` prepared.
fn program() -> PathBuf {
    let given = env::var_os(VARIABLE).map(PathBuf::from);
    let program = given.unwrap_or_else(|| {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
            PathBuf::from,
        );
        target.join("python/seaweedfs/bin/weed")
    });
    assert!(
        program.is_file(),
        "{} is not there: `cargo xtask test` prepares it, and {VARIABLE} names another",
        program.display()
    );
    program
}
