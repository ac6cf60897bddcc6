//! What outlives the node's process: replies that are finished and not pushed, and the state that
//! ClientApps keep of a run. Files below Flower's home, each whole or not there.
//!
//! ```text
//! DIR/outbox/<instruction>     a reply with the Context that goes with it
//! DIR/context/<run id>         the Context that the run's last answered message left
//! ```
//! A reply is written before it is pushed, and goes when the SuperLink has it or wants it no
//! more. Its Context counts from then on: a message and what it did to the state are one. Both go
//! when their run is over. A disk that fails costs this safety and nothing else: the node goes on
//! from memory.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use flwr_core::context::Context;
use flwr_core::id::RunId;
use flwr_core::message::{Message, MessageId};
use flwr_core::object::{ObjectId, ObjectTree};
use flwr_security::private_files;
use tokio::task::spawn_blocking;
use tracing::warn;

mod check;
mod format;

pub(crate) use check::check;

use format::Unreadable;

/// Keeps replies and Contexts, or nothing where the node will be another one next time.
#[derive(Clone, Debug)]
pub(crate) struct Store(Option<PathBuf>);

/// A reply, complete.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) message: Message,
    pub(crate) tree: ObjectTree,
    pub(crate) objects: HashMap<ObjectId, Bytes>,
    /// How long the ClientApp worked. `None`: an earlier process of this node made the reply.
    pub(crate) worked: Option<Duration>,
}

/// A reply as it was kept.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) reply: Reply,
    pub(crate) context: Option<Context>,
}

impl Store {
    /// One that keeps nothing.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Keeps in this directory, which is made (0700) when it is needed.
    pub(crate) const fn at(dir: PathBuf) -> Self {
        Self(Some(dir))
    }

    /// Keeps a finished reply, and gives it back.
    pub(crate) async fn keep_reply(
        &self,
        instruction: MessageId,
        reply: Reply,
        context: Option<Context>,
    ) -> Stored {
        let stored = Stored { reply, context };
        let Some(path) = self.reply_file(instruction) else {
            return stored;
        };
        // Cloned cheaply: objects are shared bytes.
        let (head, objects) = (format::head(&stored), stored.reply.objects.clone());
        write_or_warn(path, move |file| format::write(file, &head, &objects)).await;
        stored
    }

    /// The reply that was kept for an instruction.
    pub(crate) async fn reply(&self, instruction: MessageId) -> Option<Stored> {
        let path = self.reply_file(instruction)?;
        let read = spawn_blocking(move || {
            let outcome = fs::read(&path).map_err(Unreadable::from);
            (outcome.and_then(|bytes| format::read(bytes.into())), path)
        });
        match read.await.ok()? {
            (Ok(stored), _) => Some(stored),
            (Err(Unreadable::Failed(error)), _) if error.kind() == io::ErrorKind::NotFound => None,
            (Err(problem), path) => {
                let path = path.display();
                warn!(%path, %problem, "a kept reply cannot be used: the message is worked on again");
                None
            }
        }
    }

    /// The instructions whose replies are kept.
    pub(crate) async fn replies(&self) -> Vec<MessageId> {
        self.names(OUTBOX).await
    }

    /// Bytes of the replies that are kept.
    pub(crate) async fn outbox_bytes(&self) -> u64 {
        let Some(dir) = self.0.clone() else {
            return 0;
        };
        let counted = spawn_blocking(move || {
            let files = fs::read_dir(dir.join(OUTBOX)).into_iter().flatten();
            let sizes = files.flatten().filter_map(|file| file.metadata().ok());
            sizes.map(|about| about.len()).sum()
        });
        counted.await.unwrap_or_default()
    }

    /// The runs that files are kept of.
    pub(crate) async fn runs(&self) -> BTreeSet<RunId> {
        let contexts: Vec<u64> = self.names(CONTEXT).await;
        let mut runs: BTreeSet<_> = contexts.into_iter().map(RunId).collect();
        for instruction in self.replies().await {
            runs.extend(self.run_of(instruction).await);
        }
        runs
    }

    /// The run of a kept reply.
    async fn run_of(&self, instruction: MessageId) -> Option<RunId> {
        let path = self.reply_file(instruction)?;
        let head = spawn_blocking(move || format::message(&mut File::open(path)?));
        // Damage is told where the reply is read.
        Some(head.await.ok()?.ok()?.metadata.run)
    }

    /// The names of the files on a shelf that are none of a crash.
    async fn names<T: FromStr + Send + 'static>(&self, shelf: &'static str) -> Vec<T> {
        let Some(dir) = self.0.clone() else {
            return Vec::new();
        };
        let names = spawn_blocking(move || {
            let files = fs::read_dir(dir.join(shelf)).into_iter().flatten();
            let names = files.flatten().filter_map(|file| {
                let name = file.file_name();
                name.to_str()?.parse().ok()
            });
            names.collect()
        });
        names.await.unwrap_or_default()
    }

    /// Lets a reply go that arrived or is not wanted any more.
    pub(crate) async fn forget_reply(&self, instruction: MessageId) {
        remove(self.reply_file(instruction)).await;
    }

    /// Keeps what the last message left of a run's state.
    pub(crate) async fn keep_context(&self, run: RunId, context: &Context) {
        if let Some(path) = self.context_file(run) {
            let bytes = context.to_bytes();
            write_or_warn(path, move |file| file.write_all(&bytes)).await;
        }
    }

    /// The state of a run, if some was kept.
    pub(crate) async fn context(&self, run: RunId) -> Option<Context> {
        let path = self.context_file(run)?;
        let bytes = spawn_blocking(move || fs::read(path)).await.ok()?.ok()?;
        Context::from_bytes(bytes.into()).ok()
    }

    /// The run is over: nobody wants its replies, and nothing reads its Context.
    pub(crate) async fn forget_run(&self, run: RunId) {
        for instruction in self.replies().await {
            if self.run_of(instruction).await == Some(run) {
                self.forget_reply(instruction).await;
            }
        }
        remove(self.context_file(run)).await;
    }

    /// Removes what nobody asked for in so many days, and what a crash left half-written: the runs of
    /// whole files are asked about.
    pub(crate) async fn sweep(&self) {
        let Some(dir) = self.0.clone() else {
            return;
        };
        let swept = spawn_blocking(move || {
            for shelf in [OUTBOX, CONTEXT] {
                let files = fs::read_dir(dir.join(shelf)).into_iter().flatten();
                for file in files.flatten().filter(is_swept) {
                    // Best effort: it is looked at again at the next start.
                    let _ = fs::remove_file(file.path());
                }
            }
        });
        // It ends early only if the runtime does.
        let _ = swept.await;
    }

    fn reply_file(&self, instruction: MessageId) -> Option<PathBuf> {
        Some(self.0.as_ref()?.join(OUTBOX).join(instruction.to_string()))
    }

    fn context_file(&self, run: RunId) -> Option<PathBuf> {
        Some(self.0.as_ref()?.join(CONTEXT).join(run.to_string()))
    }
}

/// Whether these bytes are a kept reply.
pub(crate) fn is_reply(bytes: Bytes) -> bool {
    format::read(bytes).is_ok()
}

const OUTBOX: &str = "outbox";
const CONTEXT: &str = "context";
/// Days after which a file is nobody's: the SuperLink was not reached to ask.
const OLD_DAYS: u64 = 30;

fn is_swept(file: &fs::DirEntry) -> bool {
    // One process at a time writes here, and this one has not begun.
    let is_temporary = file
        .path()
        .extension()
        .is_some_and(|end| end == private_files::TEMPORARY);
    let modified = file.metadata().and_then(|about| about.modified());
    let age = modified.ok().and_then(|time| time.elapsed().ok());
    is_temporary || age.is_some_and(|age| age.as_secs() > OLD_DAYS * 24 * 3600)
}

async fn write_or_warn(
    path: PathBuf,
    write: impl FnOnce(&mut File) -> io::Result<()> + Send + 'static,
) {
    let shown = path.display().to_string();
    let written = spawn_blocking(move || write_whole(&path, write)).await;
    if let Ok(Err(error)) = written {
        warn!(path = shown, %error, "not kept on disk: it is lost if this node ends now");
    }
}

/// Writes a file that is whole, and on disk, from the moment it has its name.
fn write_whole(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    private_files::create_dir(path.parent().unwrap_or(path))?;
    private_files::replace(path, write)
}

async fn remove(path: Option<PathBuf>) {
    let Some(path) = path else {
        return;
    };
    if let Err(error) = tokio::fs::remove_file(&path).await
        && error.kind() != io::ErrorKind::NotFound
    {
        warn!(path = %path.display(), %error, "could not be removed");
    }
}

#[cfg(test)]
mod tests;
