//! `--config FILE`: the flags of a command in a JSON or TOML file, by their long names. The command
//! line wins over the file.
//!
//! A file may also describe a connection with mutual TLS by five keys of their own:
//! `use_secure_connection`, `ssl_private_key`, `ssl_cert`, `ssl_root_cert` and `options`. The root
//! of such a connection may sign certificates in the form of old versions of openssl.
//!
//! Each flag may also stand in an environment variable: the command's prefix and the flag's name in
//! capitals, as in `FLOWER_SUPERLINK_FLEET_API_ADDRESS`. A variable wins over the file.
//!
//! Both are turned into arguments before the typed ones, and clap reads all of them. So a flag
//! means the same in all places, and has the same errors. Flags that need or exclude each other are
//! checked across all three.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgAction, ArgMatches, Parser, error::ErrorKind};
use flwr_core::config;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::table::{self, TableError};

mod connection;
mod variables;

use connection::CONNECTION;
use variables::Variables;

/// A command line with the flag `--config`.
pub trait Configurable: Parser {
    /// The flags of this command that the keys about the connection stand for.
    const SIDE: Side;

    /// The prefix of the variables that stand for flags.
    const VARIABLES: &'static str;
}

/// The flags, without dashes, that set a command's connection, each with the default file of a
/// configuration that names none.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// The command's own private key.
    pub private_key: (&'static str, &'static str),
    /// The command's own certificate.
    pub certificate: (&'static str, &'static str),
    /// The root of the other side's certificate.
    pub root: (&'static [&'static str], &'static str),
    /// The name in the other side's certificate, if this command checks names.
    pub server_name: Option<&'static str>,
    /// Where a certificate for `localhost` counts too: `loopback` or `anywhere`.
    pub localhost_too: Option<&'static str>,
}

/// Why a command line cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The file cannot be read, or has no table.
    #[error("--config {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TableError,
    },
    /// A variable has a value that its flag cannot have.
    #[error("{name}: {problem}")]
    Variable {
        /// The variable's name.
        name: String,
        /// What is wrong with its value.
        problem: String,
    },
    /// A key in the file is unknown, or has a value that it cannot have.
    #[error("--config {path}: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// The key, and what is wrong with it.
        problem: String,
    },
    /// The file and the flags beside it exclude each other, or need another flag.
    #[error("--config {path}, together with the flags and variables beside it: {problem}")]
    Together {
        /// The file.
        path: PathBuf,
        /// Which flags.
        problem: String,
    },
}

/// Reads the command line of this process, with its variables and the file that they name.
///
/// # Errors
/// If one of them is wrong. A request for help is a [`clap::Error`] too.
pub fn parse<A: Configurable>() -> Result<A, Error> {
    let typed: Vec<_> = std::env::args_os().collect();
    parse_from(&typed, |name| std::env::var_os(name))
}

/// Reads a command line, the program's name first, with the variables of an environment and the
/// file that they name.
///
/// # Errors
/// As [`parse`].
pub fn parse_from<A: Configurable>(
    typed: &[OsString],
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<A, Error> {
    let variables = Variables::read::<A>(typed, environment)?;
    let (program, flags) = typed.split_at(1.min(typed.len()));
    let beside: Vec<_> = variables.arguments.iter().chain(flags).collect();
    let alone = program.iter().chain(beside.iter().copied());
    // Which flags need or exclude each other is checked when the file is there too.
    let named = A::command()
        .ignore_errors(true)
        .try_get_matches_from(alone.clone())?;
    let Some(path) = value::<PathBuf>(&named, "config") else {
        return Ok(A::try_parse_from(alone)?);
    };
    let plaintext = value(&named, "insecure").unwrap_or(false);
    let file = arguments_of::<A>(&path, plaintext, &variables.off)?;
    // A value that is wrong by itself is told of the file, not of the command line.
    if let Err(error) = A::try_parse_from(program.iter().chain(&file))
        && is_about_a_value(&error)
    {
        let problem = one_line(&error);
        return Err(Error::Content { path, problem });
    }
    let all = program.iter().chain(&file).chain(beside.iter().copied());
    A::try_parse_from(all).map_err(|error| {
        let same = |without: clap::Error| without.kind() == error.kind();
        if A::try_parse_from(alone).err().is_some_and(same) {
            return Error::Usage(error);
        }
        let problem = one_line(&error);
        Error::Together { path, problem }
    })
}

/// The value of a flag, if the command has this flag and the flag was given.
fn value<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, flag: &str) -> Option<T> {
    matches.try_get_one::<T>(flag).ok().flatten().cloned()
}

/// Turns a file into arguments. With `--insecure` beside the file, the keys about the connection do
/// not count. `off` are the switches that a variable turns off.
fn arguments_of<A: Configurable>(
    path: &Path,
    plaintext: bool,
    off: &[String],
) -> Result<Vec<OsString>, Error> {
    let refused = |problem| Error::Content {
        path: path.to_owned(),
        problem,
    };
    let mut content = table::read(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    let mut file = connection::flags(&A::SIDE, &mut content).map_err(refused)?;
    if plaintext {
        file.clear();
    }
    file.extend(arguments(&A::command(), content).map_err(refused)?);
    file.retain(|argument| !off.contains(argument));
    Ok(file.into_iter().map(OsString::from).collect())
}

fn is_about_a_value(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation
    )
}

/// clap's error in one line, without its advice.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty());
    let words: Vec<_> = lines.map(str::trim).collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

/// Turns the flags of a file into arguments.
fn arguments(command: &clap::Command, file: Map<String, Value>) -> Result<Vec<String>, String> {
    let mut arguments = Vec::new();
    for (key, value) in file {
        let name = key.replace('_', "-");
        let flag = command
            .get_arguments()
            .find(|known| names(known).any(|known| known == name) && name != "config");
        let Some((flag, long)) = flag.and_then(|flag| Some((flag, flag.get_long()?))) else {
            let flags = command.get_arguments().flat_map(names);
            let known = flags.chain(CONNECTION).filter(|known| *known != "config");
            return Err(match config::nearest(&key, known) {
                Some(nearest) => format!("`{key}` is not known; did you mean `{nearest}`?"),
                None => format!("`{key}` is neither a flag of this command nor known otherwise"),
            });
        };
        let takes_none = matches!(flag.get_action(), ArgAction::SetTrue);
        arguments.extend(argument(&key, long, takes_none, value)?);
    }
    Ok(arguments)
}

/// The long names of a flag: its own first, then its aliases.
fn names(flag: &clap::Arg) -> impl Iterator<Item = &str> {
    let aliases = flag.get_all_aliases().unwrap_or_default();
    flag.get_long().into_iter().chain(aliases)
}

fn argument(key: &str, name: &str, takes_none: bool, value: Value) -> Result<Vec<String>, String> {
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let flag = format!("--{name}");
    match (takes_none, value) {
        (true, Value::Bool(true)) => Ok(vec![flag]),
        (true, Value::Bool(false)) => Ok(Vec::new()),
        (_, Value::Null) => Ok(Vec::new()),
        (true, _) => Err(format!("`{key}` is true or false")),
        (false, Value::Array(values)) => {
            let values: Option<Vec<_>> = values.into_iter().map(text).collect();
            let values = values.ok_or_else(|| format!("`{key}` is a list of texts"))?;
            Ok([flag].into_iter().chain(values).collect())
        }
        (false, value) => {
            let value = text(value).ok_or_else(|| format!("`{key}` is a text or a number"))?;
            Ok(vec![format!("{flag}={value}")])
        }
    }
}

#[cfg(test)]
mod tests;
