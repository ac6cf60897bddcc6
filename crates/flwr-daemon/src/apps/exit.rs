//! The exit of an app, and its text for people.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::MissingModule;

/// How an app ended.
#[derive(Clone, Debug, Default)]
pub struct Exit {
    /// The exit status. `None` if the system lost track of the process, or if an earlier daemon
    /// started the process: only a parent gets the status.
    pub status: Option<ExitStatus>,
    /// The app's last lines on stdout and stderr, oldest first.
    pub tail: Vec<String>,
    /// The missing module that the output names, above the last lines or in them.
    pub missing: Option<MissingModule>,
}

impl Exit {
    /// The last lines in one text.
    #[must_use]
    pub fn output(&self) -> String {
        self.tail.join("\n")
    }

    /// Whether the app ended by itself with status 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// "exited with status 1", "was killed by signal 9 (SIGKILL)".
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(status) = self.status else {
            return f.write_str("ended in an unknown way");
        };
        match (status.code(), status.signal()) {
            (Some(code), _) => write!(f, "exited with status {code}"),
            (None, Some(signal)) => {
                write!(f, "was killed by signal {signal}{}", signal_name(signal))
            }
            (None, None) => write!(f, "ended: {status}"),
        }
    }
}

fn signal_name(number: i32) -> &'static str {
    match number {
        2 => " (SIGINT)",
        6 => " (SIGABRT)",
        9 => " (SIGKILL; out of memory?)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}
