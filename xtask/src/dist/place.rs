//! The folder that people take the artefacts from: only one dist at a time writes there, and no file
//! there is ever half written.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};

/// The end of the name of a file that is being written. Its name begins with a dot.
const UNFINISHED: &str = ".new";

/// Makes the folder, takes its lock, and removes what a killed dist has left there. The lock ends with
/// the value, or with the process. A folder that nobody can write is refused before anything is built.
pub(super) fn claim(folder: &Path) -> Result<File> {
    let refused = || {
        let folder = folder.display();
        format!("{folder} cannot be written: give another folder by --to DIR")
    };
    fs::create_dir_all(folder).with_context(refused)?;
    // The lock is on the folder itself. A file of its own would be taken for an artefact.
    let lock = File::open(folder).with_context(refused)?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!(
            "another `cargo xtask dist` writes to {}: wait for its end, or give --to DIR",
            folder.display()
        );
    }
    sweep(folder).with_context(refused)?;
    tempfile::tempfile_in(folder).with_context(refused)?;
    Ok(lock)
}

fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(UNFINISHED) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Puts a finished file into the folder, under its own name, readable for everybody.
pub(super) fn place(file: &Path, to: &Path) -> Result<PathBuf> {
    let name = file.file_name().context("an artefact without a name")?;
    let name = name.to_string_lossy();
    let mut source = File::open(file).with_context(|| file.display().to_string())?;
    write(to, &name, |target| io::copy(&mut source, target).map(drop))
}

/// Writes a file of this name in one step. Whatever fails leaves the file of before.
pub(super) fn write(
    folder: &Path,
    name: &str,
    content: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<PathBuf> {
    let unfinished = folder.join(format!(".{name}{UNFINISHED}"));
    let target = folder.join(name);
    let written = fs::create_dir_all(folder)
        .and_then(|()| File::create(&unfinished))
        .and_then(|mut file| {
            content(&mut file)?;
            file.set_permissions(Permissions::from_mode(0o644))?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&unfinished, &target));
    written
        .inspect_err(|_| drop(fs::remove_file(&unfinished)))
        .with_context(|| {
            format!(
                "{} cannot be written: free space, or give --to DIR",
                target.display()
            )
        })?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::io::Write;
    use std::process::{Child, Command};
    use std::time::{Duration, Instant};

    use super::*;

    const NAME: &str = "a-1.0.whl";
    /// The file that the process of a test places, and the folder.
    const FILE: &str = "FLOWER_TEST_PLACES";
    const TO: &str = "FLOWER_TEST_PLACES_TO";
    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    #[ignore = "it is the process that other tests kill, or give a full disk"]
    fn a_process_that_places_a_file() {
        if let (Some(file), Some(to)) = (env::var_os(FILE), env::var_os(TO)) {
            let to = Path::new(&to);
            let _claimed = claim(to).unwrap();
            place(Path::new(&file), to).unwrap();
        }
    }

    /// Has a process place a file. A script of a shell may come before.
    fn placing(script: &str, file: &Path, to: &Path) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-euc", &format!("{script}\nexec \"$@\""), "sh"]);
        shell.arg(env::current_exe().unwrap());
        shell.args([
            "--ignored",
            "--exact",
            "dist::place::tests::a_process_that_places_a_file",
        ]);
        shell.env(FILE, file).env(TO, to);
        shell
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_killed_dist_leaves_the_artefact_of_before_and_the_next_removes_the_half() {
        let (made, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (to, target) = (to.path(), to.path().join(NAME));
        fs::write(&target, "of before").unwrap();
        // The process waits for the other half of what the pipe gives.
        let pipe = made.path().join(NAME);
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let mut child = placing("", &pipe, to).spawn().unwrap();
        let mut half = File::options().write(true).open(&pipe).unwrap();
        half.write_all(b"half").unwrap();
        let unfinished = to.join(format!(".{NAME}{UNFINISHED}"));
        wait_for(&mut child, || {
            fs::read(&unfinished).is_ok_and(|found| found == b"half")
        });
        let error = format!("{:#}", claim(to).unwrap_err());
        assert!(
            error.contains("another `cargo xtask dist` writes to"),
            "{error}"
        );
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"of before");
        assert_eq!(names(to), [format!(".{NAME}{UNFINISHED}"), NAME.to_owned()]);
        drop(claim(to).unwrap());
        assert_eq!(names(to), [NAME]);
        assert_eq!(fs::read(&target).unwrap(), b"of before");
    }

    fn wait_for(child: &mut Child, condition: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !condition() {
            assert!(child.try_wait().unwrap().is_none(), "the process has ended");
            assert!(Instant::now() < end, "it takes too long");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_full_disk_leaves_the_artefact_of_before_and_no_half() {
        let (made, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let large = made.path().join(NAME);
        fs::write(&large, vec![1; 1 << 20]).unwrap();
        let script = format!(
            "mount -t tmpfs -o size=64k tmpfs \"${TO}\"\nprintf before > \"${TO}/{NAME}\"\n\"$@\" || true\n\
             cat \"${TO}/{NAME}\"; ls -A \"${TO}\"; exit"
        );
        let inner = placing(&script, &large, to.path());
        let mut unshared = Command::new("unshare");
        unshared
            .arg("--mount")
            .arg(inner.get_program())
            .args(inner.get_args());
        let output = unshared
            .env(FILE, &large)
            .env(TO, to.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        if failed.contains("unshare failed") || failed.contains("mount:") {
            println!("SKIPPED: this machine does not allow to mount: {failed}");
            return;
        }
        let all = format!("{said}{failed}");
        assert!(all.contains("No space left on device"), "{all}");
        assert!(all.contains("free space, or give --to DIR"), "{all}");
        assert!(said.ends_with(&format!("before{NAME}\n")), "{all}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_refused_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for folder in [file.path().join("dist"), Path::new("/proc/dist").to_owned()] {
            let error = format!("{:#}", claim(&folder).unwrap_err());
            assert!(error.contains(&folder.display().to_string()), "{error}");
            assert!(error.contains("give another folder by --to DIR"), "{error}");
        }
        // A folder that is there, but nobody can make a file in it.
        let error = format!("{:#}", claim(Path::new("/proc/self/fd")).unwrap_err());
        assert!(error.contains("give another folder by --to DIR"), "{error}");
    }
}
