//! What was typed.

use std::ffi::{OsStr, OsString};

use clap::{Args, Parser, Subcommand, ValueEnum};
use flwr_programs::Group;

/// Version of this program, and its commit.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("FLWR_COMMIT"),
    ")"
);

/// Choose whose programs the shell finds, these or those of pip's flwr, and run these by name.
///
/// pip's flwr has programs of the same names. Both stay where they are: PATH decides whose are found.
#[derive(Debug, Parser)]
#[command(name = "flwrd", bin_name = "flwrd", version = VERSION, max_term_width = 100)]
#[command(after_help = "\
Examples:
  eval \"$(flwrd env)\"                         these programs come first, in this shell
  eval \"$(flwrd env --only superlink)\"        flower-superlink only; flwr and the rest are pip's
  eval \"$(flwrd env --undo)\"                  pip's come first again
  flwrd which                                 what the shell finds now, and whose it is
  flwrd superlink --insecure                  flower-superlink of this project, whatever PATH says
Exit status: 0 success, 1 failure, 2 wrong usage; that of the program which was run.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the line by which a shell finds these programs first.
    Env(EnvArgs),
    /// Print what PATH finds for each of Flower's names, whose it is, and the line that changes it; and
    /// which of these daemons run.
    Which(WhichArgs),
    /// A program by its name.
    #[command(flatten)]
    Run(Program),
}

/// This project's programs. `main` runs them before clap reads their arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Program {
    /// Run flower-superlink with these arguments.
    Superlink(Passed),
    /// Run flower-supernode with these arguments.
    Supernode(Passed),
    /// Run flwr with these arguments.
    Flwr(Passed),
    /// Run flower-client-app with these arguments.
    ClientApp(Passed),
    /// Run flower-server-app with these arguments.
    ServerApp(Passed),
}

impl Program {
    /// The program's file name.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Superlink(_) => "flower-superlink",
            Self::Supernode(_) => "flower-supernode",
            Self::Flwr(_) => "flwr",
            Self::ClientApp(_) => "flower-client-app",
            Self::ServerApp(_) => "flower-server-app",
        }
    }
}

/// The file name of the program that this word runs.
pub(crate) fn program(word: &OsStr) -> Option<&'static str> {
    let nothing = || Passed {
        arguments: Vec::new(),
    };
    let program = match word.to_str()? {
        "superlink" => Program::Superlink(nothing()),
        "supernode" => Program::Supernode(nothing()),
        "flwr" => Program::Flwr(nothing()),
        "client-app" => Program::ClientApp(nothing()),
        "server-app" => Program::ServerApp(nothing()),
        _ => return None,
    };
    Some(program.name())
}

/// The arguments of a program.
#[derive(Debug, Args)]
pub(crate) struct Passed {
    /// Handed to the program unchanged.
    #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
    pub(crate) arguments: Vec<OsString>,
}

/// `flwrd env`
#[derive(Debug, Default, Args)]
pub(crate) struct EnvArgs {
    /// Only these: `flwr`, `superlink` with `flower-server-app`, `supernode` with `flower-client-app`.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) only: Vec<Only>,
    /// Take these programs out of PATH again.
    #[arg(long)]
    pub(crate) undo: bool,
}

impl EnvArgs {
    /// The groups that are meant.
    pub(crate) fn groups(&self) -> Vec<Group> {
        match self.only.as_slice() {
            [] => Group::ALL.to_vec(),
            only => only.iter().map(|only| only.group()).collect(),
        }
    }
}

/// A group of programs, as `--only` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// `flwr`
    Flwr,
    /// `flower-superlink` and `flower-server-app`
    Superlink,
    /// `flower-supernode` and `flower-client-app`
    Supernode,
}

impl Only {
    const fn group(self) -> Group {
        match self {
            Self::Flwr => Group::Flwr,
            Self::Superlink => Group::Superlink,
            Self::Supernode => Group::Supernode,
        }
    }
}

/// `flwrd which`
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// The format of the answer.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// The format of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Default,
    /// One JSON object.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn the_commands_that_run_programs_are_those_of_the_help() {
        Cli::command().debug_assert();
        for word in Cli::command()
            .get_subcommands()
            .map(clap::Command::get_name)
        {
            let is_program = !["env", "which", "help"].contains(&word);
            assert_eq!(program(OsStr::new(word)).is_some(), is_program, "{word}");
        }
    }

    #[test]
    fn an_unknown_name_is_refused() {
        for typed in [
            &["flwrd", "superexec"][..],
            &["flwrd", "env", "--only", "superlink,superexec"],
        ] {
            let error = Cli::try_parse_from(typed).unwrap_err();
            let kind = error.kind();
            let is_usage = [ErrorKind::InvalidSubcommand, ErrorKind::InvalidValue].contains(&kind);
            assert!(is_usage && error.exit_code() == 2, "{error}");
        }
    }

    #[test]
    fn a_list_of_groups_is_separated_by_commas() {
        let cli = Cli::try_parse_from(["flwrd", "env", "--only", "superlink,supernode"]).unwrap();
        let Command::Env(args) = cli.command else {
            panic!("{cli:?}")
        };
        assert_eq!(args.groups(), [Group::Superlink, Group::Supernode]);
    }
}
