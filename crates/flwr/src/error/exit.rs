//! The exit status of each error.

use std::io;

use super::Error;

impl Error {
    /// 1: it was tried and failed; 2: it was asked for in a way that cannot work; 130: Ctrl-C.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::JsonAs(_)
            | Self::NoProject(_)
            | Self::Project(_)
            | Self::Module(_)
            | Self::Encoding { .. }
            | Self::NotText { .. }
            | Self::NotBundled { .. }
            | Self::LinkOutside { .. }
            | Self::Choice(_)
            | Self::NotADirectory(_)
            | Self::DirectoryName(_)
            | Self::FileName(_)
            | Self::FilePath(_)
            | Self::Federation(_)
            | Self::AppName(_)
            | Self::AppNameTaken(_)
            | Self::AppExists(_)
            | Self::Username(_)
            | Self::NobodyToAsk(_)
            | Self::NotAsked { .. }
            | Self::NoRun
            | Self::BundleName { .. }
            | Self::NoHome
            | Self::HomeFile { .. }
            | Self::HomeFileForm { .. }
            | Self::OneWithoutOther { .. }
            | Self::AddressFlag(_)
            | Self::FederationName(_)
            | Self::FederationExists { .. }
            | Self::NotKept { .. }
            | Self::Config { .. }
            | Self::NoAddress { .. }
            | Self::SuperGrid(_)
            | Self::NotLoggedIn
            | Self::DamagedTokens(_)
            | Self::TokenFile { .. }
            | Self::UnboundTokens(_)
            | Self::TokensOfAnother { .. }
            | Self::AccountOverPlaintext
            | Self::LoginNotAsked(_)
            | Self::Tls { .. }
            | Self::Read { .. }
            | Self::HostName(_)
            | Self::ServerName(_)
            | Self::Proxy(_)
            | Self::Pki(_)
            | Self::Passphrase(_)
            | Self::Key(_)
            | Self::Exists(_) => 2,
            Self::Runtime(_)
            | Self::NoHomeDefault(_)
            | Self::LocalDown
            | Self::LocalUp
            | Self::LocalStarting
            | Self::NoDaemon(_)
            | Self::NoPython
            | Self::NoInterpreter { .. }
            | Self::Python { .. }
            | Self::NoPort(_)
            | Self::Fallen(_)
            | Self::NotReady(_)
            | Self::NotUp(_)
            | Self::NotDown(_)
            | Self::Told
            | Self::Fab(_)
            | Self::Call(_)
            | Self::NotRegistered
            | Self::NotStarted
            | Self::NotStopped(_)
            | Self::CannotDelete
            | Self::NoneUnfinished { .. }
            | Self::LeftRunning(_)
            | Self::NoAccounts
            | Self::NotOffered(_)
            | Self::UnknownLogin(_)
            | Self::LoginTimeout
            | Self::NoArtifacts(_)
            | Self::NotCompleted { .. }
            | Self::LogLost(_)
            | Self::Write { .. }
            | Self::Certificates(_)
            | Self::Keys(_) => 1,
            // As shells report an interrupt.
            Self::Interrupted { .. } => 130,
            // Whoever read our output has seen enough, e.g. `flwr log 1 | head`.
            Self::Stdout(error) => u8::from(error.kind() != io::ErrorKind::BrokenPipe),
        }
    }
}
