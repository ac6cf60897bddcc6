//! Suggestions for command lines that clap refuses.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};

use super::Cli;

/// Adds the command or flag that the user probably meant. clap itself finds no likeness between
/// `rnu` and `run`, and proposes to pass an unknown flag as a value.
pub(super) fn suggested<'a>(
    mut error: clap::Error,
    words: impl Iterator<Item = &'a str>,
) -> clap::Error {
    if let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) {
        if error.get(ContextKind::SuggestedSubcommand).is_none() {
            let cli = Cli::command();
            let names = cli.get_subcommands().map(Command::get_name);
            let nearest = flwr_core::config::nearest(typed, names).map(str::to_owned);
            if let Some(nearest) = nearest {
                let nearest = ContextValue::Strings(vec![nearest]);
                error.insert(ContextKind::SuggestedSubcommand, nearest);
            }
        }
        return error;
    }
    let words: Vec<_> = words.collect();
    if error.kind() == ErrorKind::ValueValidation
        && let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidValue)
        && let Some(line) = id_first(typed, &words)
    {
        let tip = format!("the id comes first: `{line}`").into();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
        return error;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let typed = typed.clone();
    if error.kind() != ErrorKind::UnknownArgument || !typed.starts_with('-') {
        return error;
    }
    // "use '-- --flag'": no value of ours begins with a dash.
    error.remove(ContextKind::Suggested);
    if error.get(ContextKind::SuggestedArg).is_none()
        && let Some(nearest) = nearest_flag(&typed, words.into_iter())
    {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(nearest));
    }
    error
}

/// The line with its id before the word that stands in the place of the id.
fn id_first(typed: &str, words: &[&str]) -> Option<String> {
    let place = words.iter().position(|word| *word == typed)?;
    words.get(place + 1)?.parse::<u64>().ok()?;
    let mut words = words.to_vec();
    words.swap(place, place + 1);
    Some(format!("flwr {}", words.join(" ")))
}

/// The flag of the command in `words` that looks most like `typed`.
fn nearest_flag<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut root = Cli::command();
    root.build();
    let mut command = &root;
    for word in words {
        if let Some(found) = command.find_subcommand(word) {
            command = found;
        }
    }
    let flags: Vec<_> = command
        .get_arguments()
        .filter(|flag| !flag.is_hide_set())
        .filter_map(|flag| flag.get_long_and_visible_aliases())
        .flatten()
        .collect();
    let nearest = flwr_core::config::nearest(typed.trim_start_matches('-'), flags.into_iter())?;
    Some(format!("--{nearest}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn told(line: &str) -> String {
        let words: Vec<_> = line.split(' ').collect();
        let error = Cli::try_parse_from(&words).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        suggested(error, words.into_iter()).to_string()
    }

    #[test]
    fn the_nearest_command_is_named() {
        assert!(told("flwr rnu").contains("a similar subcommand exists: 'run'"));
    }

    #[test]
    fn the_nearest_flag_is_named_and_no_flag_is_proposed_as_a_value() {
        for (line, nearest) in [
            ("flwr run --strem", Some("--stream")),
            ("flwr new x --publishr y", Some("--publisher")),
            ("flwr up --supernode 3", Some("--supernodes")),
            ("flwr supernode list --fromat json", Some("--format")),
            ("flwr cert new --dyas 3", Some("--days")),
            ("flwr run --nope", None),
            ("flwr log 7 -x", None),
            ("flwr build .. --frobnicate", None),
        ] {
            let told = told(line);
            assert!(!told.contains("as a value"), "{line}: {told}");
            match nearest {
                Some(flag) => assert!(
                    told.contains(&format!("a similar argument exists: '{flag}'")),
                    "{line}: {told}"
                ),
                None => assert!(!told.contains("tip:"), "{line}: {told}"),
            }
        }
    }

    #[test]
    fn an_id_after_the_federation_is_told_with_the_right_line() {
        for (line, right) in [
            ("flwr log hospital 7", "flwr log 7 hospital"),
            ("flwr stop hospital 7 --yes", "flwr stop 7 hospital --yes"),
            ("flwr run delete lab 7", "flwr run delete 7 lab"),
            (
                "flwr supernode unregister lab 7",
                "flwr supernode unregister 7 lab",
            ),
        ] {
            let words: Vec<_> = line.split(' ').collect();
            let error = Cli::try_parse_from(&words).unwrap_err();
            let told = suggested(error, words.into_iter().skip(1)).to_string();
            let tip = format!("the id comes first: `{right}`");
            assert!(told.contains(&tip), "{line}: {told}");
        }
    }

    #[test]
    fn a_value_that_is_no_number_is_told_with_what_is_expected() {
        for (line, words) in [
            (
                "flwr log abc",
                &["'abc'", "<RUN_ID>", "the id of a run", "`latest`"][..],
            ),
            ("flwr log -1", &["'-1'", "<RUN_ID>", "the id of a run"]),
            (
                "flwr stop 99999999999999999999",
                &["<RUN_ID>", "up to 18446744073709551615"],
            ),
            (
                "flwr ls --run-id abc",
                &["'abc'", "--run-id", "the id of a run"],
            ),
            (
                "flwr ls --run-id -1",
                &["'-1'", "--run-id", "the id of a run"],
            ),
            (
                "flwr pull --run-id latest",
                &["--run-id", "the id of a run"],
            ),
            ("flwr log 7 --tail x", &["'x'", "--tail", "a whole number"]),
            (
                "flwr log 7 --tail -3",
                &["'-3'", "--tail", "a whole number"],
            ),
            ("flwr log 7 --since yesterday", &["--since", "`10m`"]),
            (
                "flwr up --supernodes two",
                &["--supernodes", "from 1 to 1000"],
            ),
            (
                "flwr up --supernodes 0",
                &["--supernodes", "from 1 to 1000"],
            ),
            ("flwr key new --count -1", &["--count", "from 1 to 10000"]),
            ("flwr cert new --days 1.5", &["--days", "from 1 to 36500"]),
            ("flwr cert ca --days x", &["--days", "from 1 to 36500"]),
            ("flwr cert server --days x", &["--days", "from 1 to 36500"]),
            (
                "flwr cert sign a.csr --days x",
                &["--days", "from 1 to 36500"],
            ),
        ] {
            let told = told(line);
            let first = told.lines().next().unwrap();
            for word in words {
                assert!(first.contains(word), "{line}: {word} is not in {told}");
            }
            for word in ["invalid digit", "too large", "empty string"] {
                assert!(!told.contains(word), "{line}: {told}");
            }
        }
    }
}
