//! `SHA256SUMS`: written, signed with an SSH key, and verified.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::place;
use crate::support::build;

/// The file, as `sha256sum --check` reads it.
const SUMS: &str = "SHA256SUMS";
/// Its signature.
const SIGNATURE: &str = "SHA256SUMS.sig";
/// What a signature is for: one that the same key made for another purpose does not count.
const NAMESPACE: &str = "flower-daemons";

/// Writes the check sums of these files of a folder.
pub(super) fn write<'a>(folder: &Path, files: impl Iterator<Item = &'a Path>) -> Result<()> {
    let names = files.filter_map(Path::file_name);
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
    names.sort();
    let mut lines = String::new();
    for name in names {
        lines += &format!("{}  {name}\n", sum(&folder.join(&*name))?);
    }
    place::write(folder, SUMS, |file| file.write_all(lines.as_bytes()))?;
    // A signature of earlier sums would look like damage.
    match fs::remove_file(folder.join(SIGNATURE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Signs the check sums with an SSH key.
pub(super) fn sign(folder: &Path, key: &Path) -> Result<()> {
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-Y", "sign", "-n", NAMESPACE, "-f"]);
    sign.arg(key).arg(folder.join(SUMS));
    build::succeed(sign.stdout(Stdio::null()).stderr(Stdio::null()))
        .with_context(|| format!("--sign {}", key.display()))
}

/// Checks the files of a folder, and the signature if the signers are given.
pub(super) fn verify(folder: &Path, signers: Option<&Path>) -> Result<ExitCode> {
    if let Some(signers) = signers {
        verify_signature(folder, signers)?;
    }
    let problems = problems(folder)?;
    for problem in &problems {
        println!("{problem}");
    }
    if problems.is_empty() {
        let signed = signers.map_or("", |_| ", and these are signed");
        println!("All files are as {SUMS} has them{signed}.");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// The files of a folder that are others, or missing, in the second folder, and those that only the
/// second folder has.
pub(super) fn differences(first: &Path, second: &Path) -> Result<Vec<String>> {
    let (first, second) = (listed(first)?, listed(second)?);
    let mut names: Vec<_> = first.keys().chain(second.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| first.get(name) != second.get(name));
    Ok(names)
}

/// The check sums that a folder lists, by name.
fn listed(folder: &Path) -> Result<BTreeMap<String, String>> {
    let file = folder.join(SUMS);
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let mut listed = BTreeMap::new();
    for line in text.lines() {
        let Some((sum, name)) = line.split_once("  ") else {
            bail!("{}: {line:?} is no check sum", file.display());
        };
        listed.insert(name.to_owned(), sum.to_owned());
    }
    Ok(listed)
}

/// What is wrong with the files of a folder.
fn problems(folder: &Path) -> Result<Vec<String>> {
    let listed = listed(folder)?;
    let mut problems = Vec::new();
    for (name, expected) in &listed {
        match sum(&folder.join(name)) {
            Ok(found) if found == *expected => {}
            Ok(_) => problems.push(format!("{name} is damaged: it is not what {SUMS} has")),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if ![SUMS, SIGNATURE].contains(&&*name) && !listed.contains_key(&*name) {
            problems.push(format!("{name} is not in {SUMS}"));
        }
    }
    Ok(problems)
}

/// Has ssh-keygen check the signature by a list of signers.
fn verify_signature(folder: &Path, signers: &Path) -> Result<()> {
    let sums =
        File::open(folder.join(SUMS)).with_context(|| folder.join(SUMS).display().to_string())?;
    let signature = folder.join(SIGNATURE);
    let mut find = Command::new("ssh-keygen");
    find.args(["-Y", "find-principals", "-s"]).arg(&signature);
    let found = find
        .arg("-f")
        .arg(signers)
        .output()
        .context("ssh-keygen does not start")?;
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    let Some(signer) = found.lines().next() else {
        bail!(
            "{}: nobody of {} has signed",
            signature.display(),
            signers.display()
        );
    };
    let mut verify = Command::new("ssh-keygen");
    verify.args(["-Y", "verify", "-n", NAMESPACE, "-I", signer, "-s"]);
    verify.arg(&signature).arg("-f").arg(signers).stdin(sums);
    verify.stdout(Stdio::null()).stderr(Stdio::null());
    if !verify.status()?.success() {
        bail!(
            "{}: it is no signature of these sums by {signer}",
            signature.display()
        );
    }
    Ok(())
}

fn sum(file: &Path) -> Result<String> {
    let content = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(hex::encode(Sha256::digest(content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b-1.0.whl", "a-1.0.tar.gz"] {
            fs::write(dir.path().join(name), "content").unwrap();
        }
        let names = ["b-1.0.whl", "a-1.0.tar.gz"].map(Path::new);
        write(dir.path(), names.into_iter()).unwrap();
        dir
    }

    #[test]
    fn sha256sum_reads_the_sums() {
        let dir = folder();
        let mut check = Command::new("sha256sum");
        check
            .args(["--check", "--strict", SUMS])
            .current_dir(dir.path());
        let output = check.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, "a-1.0.tar.gz: OK\nb-1.0.whl: OK\n");
    }

    #[test]
    fn an_altered_byte_a_missing_file_and_a_foreign_file_are_found() {
        let dir = folder();
        assert_eq!(problems(dir.path()).unwrap(), [""; 0]);
        fs::write(dir.path().join("a-1.0.tar.gz"), "Content").unwrap();
        fs::write(dir.path().join("c.deb"), "").unwrap();
        fs::remove_file(dir.path().join("b-1.0.whl")).unwrap();
        let found = problems(dir.path()).unwrap().join("\n");
        for words in [
            "a-1.0.tar.gz is damaged",
            "b-1.0.whl cannot be read",
            "c.deb is not in",
        ] {
            assert!(found.contains(words), "{found}");
        }
    }

    #[test]
    fn files_that_differ_between_two_folders_are_named() {
        let (first, second) = (folder(), folder());
        assert_eq!(differences(first.path(), second.path()).unwrap(), [""; 0]);
        fs::write(second.path().join("a-1.0.tar.gz"), "Content").unwrap();
        fs::write(second.path().join("c.deb"), "").unwrap();
        let names = ["b-1.0.whl", "a-1.0.tar.gz", "c.deb"].map(Path::new);
        write(second.path(), names.into_iter()).unwrap();
        let found = differences(first.path(), second.path()).unwrap();
        assert_eq!(found, ["a-1.0.tar.gz", "c.deb"]);
    }

    #[test]
    fn a_signature_counts_for_its_sums_and_its_signers_only() {
        let (dir, keys) = (folder(), tempfile::tempdir().unwrap());
        let make = |name: &str| {
            let key = keys.path().join(name);
            let mut make = Command::new("ssh-keygen");
            make.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
            assert!(make.status().unwrap().success());
            let public = fs::read_to_string(key.with_extension("pub")).unwrap();
            let signers = keys.path().join(format!("{name}.signers"));
            fs::write(&signers, format!("{name}@example.org {public}")).unwrap();
            (key, signers)
        };
        let ((key, signers), (_, others)) = (make("release"), make("other"));
        let verified = |signers: &Path| verify(dir.path(), Some(signers));
        assert!(verified(&signers).is_err());
        sign(dir.path(), &key).unwrap();
        assert!(verified(&signers).is_ok());
        assert!(verified(&others).is_err());
        let sums = dir.path().join(SUMS);
        let text = fs::read_to_string(&sums).unwrap();
        fs::write(&sums, text.replace("a-1.0.tar.gz", "d-1.0.tar.gz")).unwrap();
        assert!(verified(&signers).is_err());
    }
}
