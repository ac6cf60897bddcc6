//! `flower-supernode --check-state`: verifies what a node keeps. `--repair` removes damaged files.

use std::fs;
use std::io;
use std::path::Path;

use flwr_core::context::Context;
use flwr_core::message::MessageId;
use flwr_daemon::checkup::Report;
use flwr_security::private_files::TEMPORARY;

use super::format::{self, Unreadable};
use super::{CONTEXT, OUTBOX};

/// Verifies the files below `dir`, the store of a node. Without `repair` nothing is changed.
/// Blocks.
pub(crate) fn check(dir: Option<&Path>, repair: bool) -> Report {
    let mut report = Report::default();
    let Some(dir) = dir else {
        report.fact("the node keeps nothing: it has no key of its own, or Flower has no directory");
        return report;
    };
    let mut shelf = |name, what, consequence, check| {
        let shelf = Shelf {
            dir: &dir.join(name),
            what,
            consequence,
            check,
        };
        shelf.verify(repair, &mut report);
    };
    shelf(
        OUTBOX,
        "finished replies",
        "its message is worked on again",
        check_reply,
    );
    shelf(
        CONTEXT,
        "Contexts of runs",
        "its run begins with an empty Context at this node",
        check_context,
    );
    report
}

/// Files of one kind.
struct Shelf<'a> {
    dir: &'a Path,
    what: &'a str,
    /// What the loss of a file means.
    consequence: &'a str,
    check: fn(&str, Vec<u8>) -> Result<(), Unreadable>,
}

impl Shelf<'_> {
    fn verify(&self, repair: bool, report: &mut Report) {
        let shown = self.dir.display();
        let files = match fs::read_dir(self.dir) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return report.fact(format!("no {} in {shown}", self.what));
            }
            Err(error) => {
                return report.problem(false, format!("{shown} cannot be read: {error}"));
            }
        };
        let (mut whole, mut bytes) = (0, 0);
        for file in files {
            let path = match file {
                Ok(file) => file.path(),
                Err(error) => {
                    report.problem(false, format!("{shown} cannot be read: {error}"));
                    continue;
                }
            };
            if path.extension().is_some_and(|end| end == TEMPORARY) {
                // A node that runs may be writing this file.
                continue;
            }
            match self.read(&path) {
                Ok(size) => (whole, bytes) = (whole + 1, bytes + size),
                Err(Unreadable::Failed(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(problem) => {
                    let is_damaged = matches!(problem, Unreadable::Foreign | Unreadable::Damaged);
                    let mended = repair && is_damaged && fs::remove_file(&path).is_ok();
                    let consequence = self.consequence;
                    let text = format!("{}: {problem}; {consequence}", path.display());
                    report.problem(mended, text);
                }
            }
        }
        let what = self.what;
        report.fact(format!(
            "{whole} {what} of {bytes} bytes in {shown} are whole"
        ));
    }

    /// The size of a file that is whole.
    fn read(&self, path: &Path) -> Result<usize, Unreadable> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or(Unreadable::Foreign)?;
        let bytes = fs::read(path)?;
        let size = bytes.len();
        (self.check)(name, bytes)?;
        Ok(size)
    }
}

fn check_reply(name: &str, bytes: Vec<u8>) -> Result<(), Unreadable> {
    let instruction: MessageId = name.parse().map_err(|_| Unreadable::Foreign)?;
    let stored = format::read(bytes.into())?;
    if stored.reply.message.metadata.reply_to == Some(instruction) {
        Ok(())
    } else {
        Err(Unreadable::Damaged)
    }
}

fn check_context(name: &str, bytes: Vec<u8>) -> Result<(), Unreadable> {
    let _: u64 = name.parse().map_err(|_| Unreadable::Foreign)?;
    Context::from_bytes(bytes.into()).map_err(|_| Unreadable::Damaged)?;
    Ok(())
}

#[cfg(test)]
mod tests;
