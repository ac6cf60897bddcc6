//! Flags in environment variables.

use std::ffi::{OsStr, OsString};

use clap::ArgAction;

use super::{Configurable, Error};

/// The flags in variables. Other variables with the same prefix are ignored: Kubernetes makes some
/// for each of its services.
#[derive(Default)]
pub(super) struct Variables {
    /// Flags with their values.
    pub(super) arguments: Vec<OsString>,
    /// Switches that are turned off, even if the file turns them on.
    pub(super) off: Vec<String>,
}

impl Variables {
    pub(super) fn read<A: Configurable>(
        typed: &[OsString],
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Error> {
        let command = A::command();
        let mut variables = Self::default();
        for flag in command.get_arguments() {
            let Some(long) = flag.get_long().filter(|long| is_plain(long, flag)) else {
                continue;
            };
            let variable = |name: &str| {
                let name = format!("{}{}", A::VARIABLES, name.replace('-', "_").to_uppercase());
                let value = environment(&name).filter(|value| !value.is_empty())?;
                (!is_of_kubernetes(&name, &value)).then_some((name, value))
            };
            let Some((name, value)) = super::names(flag).find_map(variable) else {
                continue;
            };
            let switch = format!("--{long}");
            if !matches!(flag.get_action(), ArgAction::SetTrue) {
                let mut argument = OsString::from(switch + "=");
                argument.push(value);
                check::<A>(typed, &argument, name)?;
                variables.arguments.push(argument);
            } else if is_on(&value, &name)? {
                variables.arguments.push(switch.into());
            } else {
                variables.off.push(switch);
            }
        }
        Ok(variables)
    }
}

/// Whether a variable is the one that Kubernetes makes for a service with the daemon's name, such as
/// `FLOWER_SUPERLINK_PORT=tcp://10.0.0.1:9092`. It has the name of the flag `--port`.
fn is_of_kubernetes(name: &str, value: &OsStr) -> bool {
    let schemes = ["tcp://", "udp://", "sctp://"];
    let value = value.to_string_lossy();
    name.ends_with("_PORT") && schemes.iter().any(|scheme| value.starts_with(scheme))
}

/// Whether one text gives all values of a flag that is no flag which prints a text and ends.
fn is_plain(long: &str, flag: &clap::Arg) -> bool {
    let one = flag
        .get_num_args()
        .is_none_or(|number| number.max_values() <= 1);
    (one || flag.get_value_delimiter().is_some()) && !matches!(long, "help" | "version")
}

fn is_on(value: &OsString, name: &str) -> Result<bool, Error> {
    match value.to_string_lossy().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        other => Err(Error::Variable {
            name: name.to_owned(),
            problem: format!("{other:?} is neither true nor false"),
        }),
    }
}

/// Names the variable in the error of a wrong value.
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
    let problem = super::one_line(&error);
    Err(Error::Variable { name, problem })
}
