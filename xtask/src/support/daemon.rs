//! A daemon that the demo or the benchmark starts, watches and ends.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How often a process or port is looked at while waiting for it.
const LOOK_EVERY: Duration = Duration::from_millis(50);

const SIGTERM: i32 = Signal::TERM.as_raw();

/// The flags by which a SuperLink has the certificates that `flwr cert new` makes.
pub(crate) const TLS: [&str; 6] = [
    "--ssl-ca-certfile",
    "certificates/ca.crt",
    "--ssl-certfile",
    "certificates/server.pem",
    "--ssl-keyfile",
    "certificates/server.key",
];

/// A running daemon whose output goes to a file. Dropping it kills it.
pub(crate) struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
    ends_by_signal: bool,
}

impl Daemon {
    /// Starts `command`, with its output in `folder`.
    pub(crate) fn start(name: &str, command: &mut Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
            ends_by_signal: false,
        })
    }

    /// The daemon ends by SIGTERM once it has ended in order, as the HTTP server of pip's flwr 1.35 and
    /// later does.
    pub(crate) fn ends_by_signal(mut self) -> Self {
        self.ends_by_signal = true;
        self
    }

    /// Waits until the daemon accepts connections at `address`.
    pub(crate) fn wait_for(&mut self, address: SocketAddr, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        while TcpStream::connect_timeout(&address, LOOK_EVERY).is_err() {
            self.must_be_running()?;
            if Instant::now() > deadline {
                bail!(
                    "{} does not listen on {address}:\n{}",
                    self.name,
                    self.last_lines()
                );
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error with the daemon's last words if it has ended.
    pub(crate) fn must_be_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}):\n{}", self.name, self.last_lines()),
        }
    }

    /// Asks the daemon to end, and insists after `grace`. An error unless it ended well by itself.
    pub(crate) fn stop(mut self, grace: Duration) -> Result<()> {
        self.must_be_running()?;
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).with_context(|| format!("cannot stop {}", self.name))?;
        match self.wait(grace)? {
            Some(status) if status.success() => Ok(()),
            Some(status) if self.ends_by_signal && status.signal() == Some(SIGTERM) => Ok(()),
            Some(status) => bail!(
                "{} stopped badly ({status}):\n{}",
                self.name,
                self.last_lines()
            ),
            None => bail!("{} had to be killed after {} s", self.name, grace.as_secs()),
        }
    }

    fn wait(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(None)
    }

    /// What the daemon said last.
    pub(crate) fn last_lines(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports of this machine that nobody listens on. All are found before one is given back, so they differ.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// This port on this machine.
pub(crate) fn here(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
