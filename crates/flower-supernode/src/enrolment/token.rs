//! Where a join token comes from, and how it leaves the process list: others on the machine can read
//! the command line of a process.

use std::convert::Infallible;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::mem;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use flwr_daemon::config_file::Configurable;
use flwr_security::joining::{InvalidJoinToken, JoinToken};
use flwr_security::private_files;
use zeroize::Zeroizing;

use super::Error;
use crate::args::Args;

/// The longest text that is read: a token has 460 characters at most.
const MOST: usize = 4096;
/// Stands for standard input.
const STDIN: &str = "-";

/// Where a join token comes from.
#[derive(Clone)]
pub enum JoinFrom {
    /// The flag itself.
    Token(Zeroizing<String>),
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl FromStr for JoinFrom {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_token = JoinToken::is_meant(text) || JoinToken::is_in(text);
        Ok(match text.trim() {
            STDIN => Self::Stdin,
            // Together with what stands around a token, which says what is wrong.
            _ if is_token => Self::Token(Zeroizing::new(text.to_owned())),
            _ => Self::File(text.into()),
        })
    }
}

/// The token is not printed.
impl fmt::Debug for JoinFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token"),
            Self::Stdin => f.write_str("Stdin"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl JoinFrom {
    /// Whether the token comes, or will come, on standard input.
    pub(super) const fn takes_stdin(&self) -> bool {
        !matches!(self, Self::File(_))
    }

    /// The warning about a file with the token that others than its owner can read: the file of --join,
    /// or that of --config. A token that was typed comes on standard input by now.
    pub(super) fn exposed(&self, config: Option<&Path>) -> Option<String> {
        let (flag, path) = match self {
            Self::Token(_) => ("--config", config?),
            Self::File(path) => ("--join", path.as_path()),
            Self::Stdin => return None,
        };
        let warning = private_files::exposed(path)?;
        Some(format!("{flag} has a join token: {warning}"))
    }

    /// The token.
    pub(super) fn read(&self) -> Result<JoinToken, Error> {
        let (text, origin) = match self {
            Self::Token(text) => return typed_token(text),
            Self::Stdin => (
                text_of(io::stdin().lock()).map_err(Error::Stdin)?,
                STDIN.to_owned(),
            ),
            Self::File(path) if path.as_os_str().is_empty() => return Err(Error::EmptyJoin),
            Self::File(path) => {
                let text = File::open(path).and_then(text_of);
                let text = text.map_err(|source| Error::TokenFile {
                    path: path.clone(),
                    source,
                })?;
                (text, path.display().to_string())
            }
        };
        let token = text.parse();
        token.map_err(|source| Error::Token { origin, source })
    }
}

/// The token that was typed.
fn typed_token(text: &str) -> Result<JoinToken, Error> {
    text.parse().map_err(|source| Error::Token {
        origin: "TOKEN".to_owned(),
        source,
    })
}

/// The beginning of a text. A text that is too long is no token.
fn text_of(from: impl Read) -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST));
    from.take(MOST as u64).read_to_end(&mut bytes)?;
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Executes this program again, if a token stands on its command line or in its environment: with the
/// token on a pipe, so that neither shows the token. Returns only if there is no token, or on failure.
///
/// # Errors
/// If the token cannot be passed on.
pub fn leave_process_list(args: &Args) -> Result<(), Error> {
    let variable = format!("{}JOIN", Args::VARIABLES);
    let typed: Vec<OsString> = env::args_os().collect();
    let is_typed = typed.iter().any(|word| shows_token(word));
    let is_set = env::var_os(&variable).is_some_and(|value| shows_token(&value));
    if !is_typed && !is_set {
        return Ok(());
    }
    let mut again = Command::new(env::current_exe().map_err(Error::ProcessList)?);
    let (name, flags) = typed.split_at(1.min(typed.len()));
    again.args(flags.iter().map(|word| without_token(word)));
    again.env_remove(variable);
    if let Some(name) = name.first() {
        again.arg0(name);
    }
    if let Some(JoinFrom::Token(token)) = &args.join {
        if args.until_stdin_closes {
            return Err(Error::StdinTwice);
        }
        // Of a token on standard input nobody could say later that it was typed.
        typed_token(token)?;
        again.stdin(pipe(token)?);
        if !is_typed {
            again.arg(format!("--join={STDIN}"));
        }
    }
    Err(Error::ProcessList(again.exec()))
}

/// A pipe from which the token is read.
fn pipe(token: &str) -> Result<PipeReader, Error> {
    // What is longer than a pipe's buffer would wait for its reader.
    if token.len() > MOST {
        return Err(Error::Token {
            origin: "TOKEN".to_owned(),
            source: InvalidJoinToken::Damaged,
        });
    }
    let (reader, mut writer) = io::pipe().map_err(Error::ProcessList)?;
    let written = writer.write_all(token.as_bytes());
    written.map_err(Error::ProcessList)?;
    Ok(reader)
}

/// Where the value with a token begins in a word: at the front, or behind the flag's `=`.
fn token_at(word: &OsStr) -> Option<usize> {
    let bytes = word.as_bytes();
    let place = match bytes.iter().position(|byte| *byte == b'=') {
        Some(equals) if bytes.starts_with(b"--") => equals + 1,
        _ => 0,
    };
    let value = String::from_utf8_lossy(&bytes[place..]);
    matches!(value.parse(), Ok(JoinFrom::Token(_))).then_some(place)
}

fn shows_token(word: &OsStr) -> bool {
    token_at(word).is_some()
}

/// `--join=TOKEN` as `--join=-`, and `TOKEN` as `-`.
fn without_token(word: &OsStr) -> OsString {
    let Some(place) = token_at(word) else {
        return word.to_owned();
    };
    let mut bytes = word.as_bytes()[..place].to_vec();
    bytes.extend_from_slice(STDIN.as_bytes());
    OsString::from_vec(bytes)
}

/// Refuses a token that is no value of `--join`, before anything prints the command line's words.
///
/// # Errors
/// If there is such a token, or one of several words.
pub fn require_token_at_flag(typed: &[OsString]) -> Result<(), Error> {
    // Flags may be shortened.
    let is_join = |name: &str| name.len() > 2 && "--join".starts_with(name);
    let (mut is_value, mut is_behind_token, mut are_flags_over) = (false, false, false);
    for word in typed.iter().skip(1) {
        let word = word.to_string_lossy();
        let was_behind_token = mem::take(&mut is_behind_token);
        if mem::take(&mut is_value) {
            is_behind_token = JoinToken::is_in(&word);
            continue;
        }
        match word.split_once('=') {
            _ if are_flags_over && JoinToken::is_in(&word) => return Err(Error::TokenElsewhere),
            Some((name, value)) if is_join(name) => is_behind_token = JoinToken::is_in(value),
            None if is_join(&word) => is_value = true,
            _ if JoinToken::is_in(&word) => return Err(Error::TokenElsewhere),
            // The rest of a token that was broken: there is no other such word.
            _ if was_behind_token && !word.starts_with('-') => return Err(Error::TokenElsewhere),
            _ => are_flags_over |= word == "--",
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn from(text: &str) -> JoinFrom {
        text.parse().unwrap()
    }

    #[test]
    fn a_text_is_a_token_by_its_beginning_and_else_a_file() {
        assert!(matches!(from("fjt1_abc"), JoinFrom::Token(_)));
        for text in [
            " fjt1_abc",
            "'fjt1_abc'",
            "flower-supernode --join fjt1_abc",
        ] {
            assert!(matches!(from(text), JoinFrom::Token(_)), "{text}");
            assert_eq!(format!("{:?}", from(text)), "Token");
            let told = flwr_core::cause::chain(&from(text).read().unwrap_err());
            assert!(!told.contains("abc"), "{told}");
        }
        let told = from("").read().unwrap_err().to_string();
        assert!(told.contains("--join is empty"), "{told}");
        assert!(matches!(from("-"), JoinFrom::Stdin));
        assert!(matches!(from("./fjt1_abc"), JoinFrom::File(_)));
        assert_eq!(format!("{:?}", from("fjt1_secret")), "Token");
    }

    #[test]
    fn words_lose_their_token_and_nothing_else() {
        for (word, without) in [
            ("fjt1_abc", "-"),
            ("--join=fjt1_abc", "--join=-"),
            ("--jo=fjt1_abc", "--jo=-"),
            ("--join= fjt1_abc", "--join=-"),
            ("\"fjt1_abc\"", "-"),
            ("flower-supernode --join fjt1_abc", "-"),
            ("--superlink=a:1", "--superlink=a:1"),
            ("--join=./fjt1_abc", "--join=./fjt1_abc"),
            ("--join=", "--join="),
            ("", ""),
        ] {
            assert_eq!(without_token(OsStr::new(word)), without, "{word}");
        }
    }

    #[test]
    fn a_token_that_is_no_value_of_its_flag_is_refused_and_not_shown() {
        let place = |flags: &[&str]| {
            let typed: Vec<_> = ["flower-supernode"]
                .iter()
                .chain(flags)
                .map(Into::into)
                .collect();
            require_token_at_flag(&typed)
        };
        for flags in [
            &["--join", "fjt1_abc", "--rejoin"][..],
            &["--join=fjt1_abc"],
            &["--jo", " fjt1_abc"],
            &["--join", "flower-supernode --join fjt1_abc"],
            &["--join", "-", "--superlink", "a:1"],
            &["--root-certificates", "/run/fjt1_ward7/ca.crt"],
            &["key", "renew", "--join", "fjt1_abc"],
            &[],
        ] {
            place(flags).unwrap();
        }
        for flags in [
            &["fjt1_abc"][..],
            &["key", "renew", "fjt1_abc"],
            &["key", "fjt1_abc"],
            &["--rejoin=fjt1_abc"],
            &["--superlink", "fjt1_abc"],
            &["--join", "fjt1_abc", "fjt1_def"],
            &["--join", "fjt1_abc", "def"],
            &["--", "--join=fjt1_abc"],
            &["--", "fjt1_abc"],
        ] {
            let told = place(flags).unwrap_err().to_string();
            assert!(
                told.starts_with("a join token is given by --join"),
                "{told}"
            );
            assert!(!told.contains("abc") && !told.contains("def"), "{told}");
        }
    }

    #[test]
    fn a_token_is_read_from_a_file_and_errors_do_not_show_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let address = "superlink.example:9092".parse().unwrap();
        let pin = flwr_security::joining::Pin([7; 32]);
        let token = JoinToken::issue(pin, address).unwrap();
        let text = token.reveal();
        std::fs::write(&path, format!("{}\n", *text)).unwrap();
        assert_eq!(JoinFrom::File(path.clone()).read().unwrap(), token);

        let cut = &text[..text.len() - 1];
        std::fs::write(&path, cut).unwrap();
        let error = JoinFrom::File(path.clone()).read().unwrap_err();
        let told = flwr_core::cause::chain(&error);
        assert!(told.contains("cut or altered"), "{told}");
        assert!(told.contains(&path.display().to_string()), "{told}");
        let error = cut.parse::<JoinFrom>().unwrap().read().unwrap_err();
        let told = flwr_core::cause::chain(&error);
        assert!(
            told.contains("--join TOKEN") && !told.contains("fjt1_"),
            "{told}"
        );

        let from = [JoinFrom::File(path.clone()), from("fjt1_abc")];
        for (mode, is_told) in [(0o644, true), (0o600, false)] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            for (from, flag) in from.iter().zip(["--join has", "--config has"]) {
                let told = from.exposed(Some(&path));
                assert_eq!(told.is_some(), is_told, "{told:?}");
                assert!(told.is_none_or(|told| told.starts_with(flag)));
            }
        }
        assert_eq!(from[1].exposed(None), None);

        std::fs::write(&path, "-----BEGIN CERTIFICATE-----").unwrap();
        let error = JoinFrom::File(path).read().unwrap_err();
        let told = flwr_core::cause::chain(&error);
        assert!(told.contains("flwr supernode join-token new"), "{told}");
        let error = JoinFrom::File("/no/such/file".into()).read().unwrap_err();
        assert!(error.to_string().contains("/no/such/file"), "{error}");
    }
}
