//! Reads passphrases from a file or from the terminal.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::Path;

use flwr_security::pki::Passphrase;

use crate::error::{Error, Result};

/// The passphrase of a key that is there.
pub(super) fn known(file: Option<&Path>, key: &Path) -> std::result::Result<Passphrase, String> {
    match file {
        Some(file) => from_file(file).map_err(|error| error.chain()),
        None => ask(&format!("Passphrase of {}: ", key.display())),
    }
}

/// The passphrase for a new key, typed twice; `None` if there is to be none.
pub(super) fn new(file: Option<&Path>, ask_for_it: bool) -> Result<Option<Passphrase>> {
    if let Some(file) = file {
        return from_file(file).map(Some);
    }
    if !ask_for_it {
        return Ok(None);
    }
    let typed = ask("Passphrase of the new key: ").map_err(Error::Passphrase)?;
    let again = ask("The same again: ").map_err(Error::Passphrase)?;
    if typed != again {
        return Err(Error::Passphrase("the two are not the same".to_owned()));
    }
    if typed.is_empty() {
        return Err(Error::Passphrase("it is empty".to_owned()));
    }
    Ok(Some(typed))
}

fn from_file(file: &Path) -> Result<Passphrase> {
    let text = fs::read_to_string(file).map_err(|source| Error::Read {
        path: file.to_owned(),
        source,
    })?;
    let text = Passphrase::new(text);
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        let problem = format!("the first line of {} is empty", file.display());
        return Err(Error::Passphrase(problem));
    }
    Ok(Passphrase::new(line.to_owned()))
}

fn ask(prompt: &str) -> std::result::Result<Passphrase, String> {
    if !io::stdin().is_terminal() {
        return Err("there is no terminal to ask at: give --passphrase-file".to_owned());
    }
    let typed = rpassword::prompt_password(prompt);
    typed
        .map(Passphrase::new)
        .map_err(|error| format!("it could not be read: {error}"))
}
