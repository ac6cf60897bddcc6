//! The local federation of `flwr up`: a SuperLink and SuperNodes on this machine, with TLS and
//! SuperNode authentication, under `local` in Flower's home directory.
//!
//! - `local/lock` — the supervisor holds this lock for its lifetime
//! - `local/federation.json` — the facts of the federation, from its start to its stop
//! - `local/certificates`, `local/keys` — made by `flwr up`
//! - `local/superlink` — the SuperLink's state; runs stay listed after `flwr down`
//! - `local/python` — packages for apps, if there are none in the active environment
//! - `local/federation.log` — the output with `--detach`

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flwr_core::monotonic;
use flwr_core::project::Federations;
use flwr_security::private_files::create_dir;
use toml::{Table, Value};

use crate::error::{Error, Result};
use crate::local_federation::LocalFederation;
use crate::resolved::{Logins, ResolvedFederation};

mod background;
mod install;
mod material;
mod member;
mod plan;
mod ports;
pub(crate) mod programs;
pub(crate) mod python;
mod supervisor;

pub(crate) use background::start;
pub(crate) use python::Packages;
pub(crate) use supervisor::supervise;

/// The name of the local federation on command lines.
pub(crate) const NAME: &str = "local";
/// The time that `flwr up` waits for the lock. Commands that test the lock hold it for a moment.
const LOOKS: Duration = Duration::from_secs(1);

/// The folder of the local federation.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    directory: PathBuf,
}

impl Local {
    /// The local federation of a home directory.
    pub(crate) fn at(home: &Path) -> Self {
        let directory = home.join("local");
        // Children of another working directory get these paths.
        let directory = std::path::absolute(&directory).unwrap_or(directory);
        Self { directory }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The log file of a detached federation.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("federation.log")
    }

    fn file(&self) -> PathBuf {
        self.directory.join("federation.json")
    }

    /// The facts of the federation; `None` unless it is up.
    pub(crate) fn description(&self) -> Result<Option<LocalFederation>> {
        if !self.is_tended()? {
            return Ok(None);
        }
        let path = self.file();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // It starts or ends just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Read { path, source }),
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|source| Error::Read {
                path,
                source: source.into(),
            })
    }

    /// Whether a supervisor is running.
    pub(crate) fn is_tended(&self) -> Result<bool> {
        let path = self.directory.join("lock");
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(Error::Read { path, source }),
            Ok(file) => Ok(matches!(
                file.try_lock_shared(),
                Err(TryLockError::WouldBlock)
            )),
        }
    }

    /// Makes this process the only supervisor. Removes the facts that a killed supervisor left
    /// behind.
    fn tend(&self) -> Result<File> {
        let lock = self.lock()?;
        self.forget();
        Ok(lock)
    }

    /// Removes the facts. Commands then advise to start the federation.
    fn forget(&self) {
        // Without the lock, commands ignore the file.
        let _ = fs::remove_file(self.file());
    }

    fn lock(&self) -> Result<File> {
        let path = self.directory.join("lock");
        let write = |source| Error::Write {
            path: path.clone(),
            source,
        };
        private_dir(&self.directory)?;
        let file = File::create(&path).map_err(write)?;
        let deadline = monotonic::now() + LOOKS;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(source)) => return Err(write(source)),
                Err(TryLockError::WouldBlock) if monotonic::now() > deadline => {
                    return Err(Error::LocalUp);
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOKS / 20),
            }
        }
    }

    fn describe(&self, description: &LocalFederation) -> Result<()> {
        let path = self.file();
        let text = serde_json::to_string_pretty(description).map_err(io::Error::from);
        text.and_then(|text| {
            flwr_security::private_files::replace_with_mode(&path, 0o600, text.as_bytes())
        })
        .map_err(|source| Error::Write { path, source })
    }

    /// Removes all but the packages for apps, as their installation takes long.
    pub(crate) fn clean(&self) -> Result<()> {
        for name in ["certificates", "keys", "superlink", "federation.log"] {
            let path = self.directory.join(name);
            let removed = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            match removed {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::Write { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The configuration entry of a running local federation.
fn federations(local: &LocalFederation) -> Federations {
    let text = |text: &str| Value::String(text.to_owned());
    let table = Table::from_iter([
        ("address".to_owned(), text(&local.address)),
        (
            "root-certificates".to_owned(),
            text(&local.root_certificates.to_string_lossy()),
        ),
    ]);
    let declared = Table::from_iter([(NAME.to_owned(), Value::Table(table))]);
    Federations::new("flwr up", declared)
}

/// The local federation, resolved for commands.
pub(crate) fn chosen(
    description: &LocalFederation,
    overrides: &Table,
    why: String,
) -> Result<ResolvedFederation> {
    let federation = federations(description).get(NAME, overrides);
    Ok(ResolvedFederation {
        federation: federation.map_err(Error::Federation)?,
        // All paths are absolute.
        base: PathBuf::new(),
        logins: Logins::Home(PathBuf::new()),
        source: "`flwr up`".to_owned(),
        why,
    })
}

/// Creates a private directory (0700).
fn private_dir(path: &Path) -> Result<()> {
    create_dir(path).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
