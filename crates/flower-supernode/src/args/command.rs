//! `flower-supernode` runs a SuperNode; `flower-supernode key renew` renews its key. Both take the same
//! flags, from the same sources, so that the words of a node's start serve for its renewal.

use std::ffi::OsString;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run a SuperNode.
    Run,
    /// Give the node another key.
    RenewKey,
}

/// There is no such command.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no command: there is `flower-supernode key renew`")]
pub struct UnknownCommand(String);

impl Command {
    /// The command of a command line, and the line without the command's words.
    ///
    /// # Errors
    /// If there is no such command.
    pub fn of(
        typed: impl IntoIterator<Item = OsString>,
    ) -> Result<(Self, Vec<OsString>), UnknownCommand> {
        let mut typed: Vec<_> = typed.into_iter().collect();
        if typed.get(1).is_none_or(|word| word != "key") {
            return Ok((Self::Run, typed));
        }
        match typed.get(2) {
            Some(word) if word == "renew" => {
                typed.drain(1..3);
                Ok((Self::RenewKey, typed))
            }
            other => {
                let other = other.map_or_else(String::new, |word| format!(" {}", word.display()));
                Err(UnknownCommand(format!("key{other}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_command_are_taken_from_its_line() {
        let of = |line: &str| {
            let read = Command::of(line.split(' ').map(OsString::from));
            read.map(|(command, rest)| (command, rest.len()))
        };
        assert_eq!(of("flower-supernode").unwrap(), (Command::Run, 1));
        assert_eq!(
            of("flower-supernode --insecure").unwrap(),
            (Command::Run, 2)
        );
        let renew = "flower-supernode key renew --flwr-dir d";
        assert_eq!(of(renew).unwrap(), (Command::RenewKey, 3));
        for line in ["flower-supernode key", "flower-supernode key show"] {
            let told = of(line).unwrap_err().to_string();
            assert!(told.contains("key renew"), "{told}");
        }
    }
}
