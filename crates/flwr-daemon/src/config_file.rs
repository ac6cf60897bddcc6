//! `--config FILE`: the flags of a command in a JSON or TOML file, by their long names. What is
//! typed wins over the file.
//!
//! Besides the flags a file may describe a connection with mutual TLS by five keys of their own:
//! `use_secure_connection`, `ssl_private_key`, `ssl_cert`, `ssl_root_cert` and `options`. Its root
//! may sign certificates as old versions of openssl write them.
//!
//! Each flag may stand in an environment variable too, by its name in capitals after the
//! command's own: `FLOWER_SUPERLINK_FLEET_API_ADDRESS`. It wins over the file.
//!
//! Both are turned into arguments, put before the typed ones, and read by clap with them: a flag
//! means the same in all places, and has the same errors.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Parser, error::ErrorKind};
use flwr_core::config;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::table::{self, TableError};

mod variables;

const SECURE: &str = "use_secure_connection";
const PRIVATE_KEY: &str = "ssl_private_key";
const CERTIFICATE: &str = "ssl_cert";
const ROOT: &str = "ssl_root_cert";
const OPTIONS: &str = "options";
/// The five keys that are no flags.
const CONNECTION: [&str; 5] = [SECURE, PRIVATE_KEY, CERTIFICATE, ROOT, OPTIONS];
/// The option, named as gRPC's, that tells whose certificate a server must show.
const NAME_OVERRIDE: &str = "grpc.ssl_target_name_override";

/// A command line that may name a file with more of it.
pub trait Configurable: Parser {
    /// What the keys about the connection mean to this command.
    const SIDE: Side;

    /// What variables begin with that stand for a flag.
    const VARIABLES: &'static str;

    /// The file, if one is named.
    fn config_file(&self) -> Option<&Path>;
}

/// The flags, without dashes, by which a command is told about its connection, and the files that
/// are meant where the configuration names none.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// Its own private key.
    pub private_key: (&'static str, &'static str),
    /// Its own certificate.
    pub certificate: (&'static str, &'static str),
    /// The root that the other side's certificate must chain to.
    pub root: (&'static [&'static str], &'static str),
    /// The name that the other side's certificate must be for, where that is looked at.
    pub server_name: Option<&'static str>,
}

/// Why a command line cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// It is wrong, or asks for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The file cannot be read, or holds no table.
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
        /// Its name.
        name: String,
        /// What is wrong with its value.
        problem: String,
    },
    /// A key in it is unknown, or has a value that it cannot have.
    #[error("--config {path}: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// Which, and what is wrong with it.
        problem: String,
    },
}

/// Reads the command line of this process, with its variables and the file that they name.
///
/// # Errors
/// If one of them is wrong; or help was asked for, which is a [`clap::Error`] too.
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
    let variables = variables::arguments::<A>(typed, environment)?;
    let (program, flags) = typed.split_at(1.min(typed.len()));
    let args = A::try_parse_from(program.iter().chain(&variables).chain(flags))?;
    let Some(path) = args.config_file() else {
        return Ok(args);
    };
    let refused = |problem| Error::Content {
        path: path.to_owned(),
        problem,
    };
    let mut content = table::read(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    let mut file = connection(&A::SIDE, &mut content).map_err(refused)?;
    if flags.iter().any(|flag| flag == "--insecure") {
        // It cannot be taken back, so that what is said of TLS in the file must give way.
        file.clear();
    }
    file.extend(arguments(&A::command(), content).map_err(refused)?);
    // A value that is wrong by itself is told of the file, not of the command line.
    let file: Vec<_> = file.into_iter().map(OsString::from).collect();
    if let Err(error) = A::try_parse_from(program.iter().chain(&file))
        && is_about_a_value(&error)
    {
        return Err(refused(first_line(&error)));
    }
    let all = program.iter().chain(&file).chain(&variables).chain(flags);
    Ok(A::try_parse_from(all)?)
}

fn is_about_a_value(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation
    )
}

/// What clap has to say, without its advice.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

/// The arguments that the flags in a file stand for.
fn arguments(command: &clap::Command, file: Map<String, Value>) -> Result<Vec<String>, String> {
    let mut arguments = Vec::new();
    for (key, value) in file {
        let name = key.replace('_', "-");
        let flag = command
            .get_arguments()
            .find(|known| known.get_long() == Some(&name) && name != "config");
        let Some(flag) = flag else {
            let flags = command.get_arguments().filter_map(clap::Arg::get_long);
            let known = flags.chain(CONNECTION).filter(|known| *known != "config");
            return Err(match config::nearest(&key, known) {
                Some(nearest) => format!("`{key}` is not known; did you mean `{nearest}`?"),
                None => format!("`{key}` is neither a flag of this command nor known otherwise"),
            });
        };
        let takes_none = matches!(flag.get_action(), ArgAction::SetTrue);
        arguments.extend(argument(&key, &name, takes_none, value)?);
    }
    Ok(arguments)
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

/// What the keys about the connection stand for; they are taken out of the file.
fn connection(side: &Side, file: &mut Map<String, Value>) -> Result<Vec<String>, String> {
    let secure = match file.remove(SECURE) {
        Some(Value::Bool(secure)) => secure,
        Some(_) => return Err(format!("`{SECURE}` is true or false")),
        None => match CONNECTION.iter().find(|key| file.contains_key(**key)) {
            Some(key) => {
                return Err(format!(
                    "`{key}` is of use with `{SECURE}` only: say whether that is true or false"
                ));
            }
            None => return Ok(Vec::new()),
        },
    };
    let mut path = |key: &str, default: &str| match file.remove(key) {
        None => Ok(default.to_owned()),
        Some(Value::String(path)) => Ok(path),
        Some(_) => Err(format!("`{key}` is a path")),
    };
    let (key_flag, key) = side.private_key;
    let (certificate_flag, certificate) = side.certificate;
    let (root_flags, root) = side.root;
    let key = path(PRIVATE_KEY, key)?;
    let certificate = path(CERTIFICATE, certificate)?;
    let root = path(ROOT, root)?;
    let options = options(side, file.remove(OPTIONS))?;
    if !secure {
        return Ok(vec!["--insecure".to_owned()]);
    }
    let mut flags = vec![
        format!("--{key_flag}={key}"),
        format!("--{certificate_flag}={certificate}"),
        "--ssl-allow-legacy-certificates".to_owned(),
    ];
    flags.extend(root_flags.iter().map(|flag| format!("--{flag}={root}")));
    flags.extend(options);
    Ok(flags)
}

fn options(side: &Side, options: Option<Value>) -> Result<Option<String>, String> {
    let pairs = match options {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(pairs)) => pairs,
        Some(_) => return Err(format!("`{OPTIONS}` is a list of pairs")),
    };
    let mut flag = None;
    for pair in pairs {
        let Some([Value::String(name), value]) = pair.as_array().map(Vec::as_slice) else {
            return Err(format!(
                "`{OPTIONS}` holds pairs, such as [\"{NAME_OVERRIDE}\", \"localhost\"]"
            ));
        };
        match (name.as_str(), value, side.server_name) {
            (NAME_OVERRIDE, Value::String(value), Some(name)) => {
                flag = Some(format!("--{name}={value}"));
            }
            (NAME_OVERRIDE, Value::String(_), None) => {
                return Err(format!(
                    "`{OPTIONS}`: {NAME_OVERRIDE} is for whoever connects, and means nothing here"
                ));
            }
            (NAME_OVERRIDE, _, _) => {
                return Err(format!(
                    "`{OPTIONS}`: the value of {NAME_OVERRIDE} is a text"
                ));
            }
            _ => {
                return Err(format!(
                    "`{OPTIONS}`: `{name}` is not known; {NAME_OVERRIDE} is"
                ));
            }
        }
    }
    Ok(flag)
}

#[cfg(test)]
mod tests;
