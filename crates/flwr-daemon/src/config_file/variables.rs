//! Flags in environment variables.

use std::ffi::OsString;

use clap::ArgAction;

use super::{Configurable, Error};

/// The arguments that the variables stand for. Others of that beginning are left alone:
/// Kubernetes makes some for each of its services.
pub(super) fn arguments<A: Configurable>(
    typed: &[OsString],
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<OsString>, Error> {
    let command = A::command();
    let mut arguments = Vec::new();
    for flag in command.get_arguments() {
        let Some(long) = flag.get_long().filter(|long| is_plain(long, flag)) else {
            continue;
        };
        let name = format!("{}{}", A::VARIABLES, long.replace('-', "_").to_uppercase());
        let Some(value) = environment(&name).filter(|value| !value.is_empty()) else {
            continue;
        };
        let argument = if matches!(flag.get_action(), ArgAction::SetTrue) {
            switch(&value, &name)?.then(|| format!("--{long}").into())
        } else {
            let mut argument = OsString::from(format!("--{long}="));
            argument.push(value);
            check::<A>(typed, &argument, name)?;
            Some(argument)
        };
        arguments.extend(argument);
    }
    Ok(arguments)
}

/// Whether a flag has at most one value, and does more than to print a text and end.
fn is_plain(long: &str, flag: &clap::Arg) -> bool {
    let one = flag
        .get_num_args()
        .is_none_or(|number| number.max_values() <= 1);
    one && !matches!(long, "help" | "version")
}

fn switch(value: &OsString, name: &str) -> Result<bool, Error> {
    match value.to_string_lossy().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        other => Err(Error::Variable {
            name: name.to_owned(),
            problem: format!("{other:?} is neither true nor false"),
        }),
    }
}

/// A value that is wrong by itself is told of the variable, not of the command line.
fn check<A: Configurable>(
    typed: &[OsString],
    argument: &OsString,
    name: String,
) -> Result<(), Error> {
    let Err(error) = A::try_parse_from(typed.iter().take(1).chain([argument])) else {
        return Ok(());
    };
    if !super::is_about_a_value(&error) {
        return Ok(());
    }
    let problem = super::first_line(&error);
    Err(Error::Variable { name, problem })
}
