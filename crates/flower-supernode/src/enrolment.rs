//! How the node came to its SuperLink: it joins with a token (`--join`), and remembers the address,
//! whom to trust and its key. Flags win over that, and `--insecure` turns all of it off.

use std::io;
use std::path::PathBuf;

use flwr_client::joined::{Enrolments, Joined, MemoryError};
use flwr_client::joining::JoinError;
use flwr_security::joining::{InvalidJoinToken, JoinToken, JoinTokenId};
use flwr_security::key::KeyError;
use flwr_security::pki::PkiError;
use tracing::{info, warn};

use crate::args::Args;
use crate::config;

mod issued;
mod join;
mod renew;
mod token;

pub(crate) use issued::{NOT_ISSUED, issued};
pub(crate) use renew::is_cut_off;
pub use renew::{KeyRenewal, hold_key, renew_key};
pub use token::{JoinFrom, leave_process_list, require_token_at_flag};

/// How the node comes to its SuperLink.
#[derive(Debug)]
pub enum Enrolment {
    /// By flags alone.
    None,
    /// The node has joined.
    Joined(Joined),
    /// The node joins at this start.
    Joining(Box<Join>),
}

/// What a node joins with.
#[derive(Debug)]
pub struct Join {
    /// The token.
    pub token: JoinToken,
    /// What is remembered is replaced.
    replaces: bool,
    enrolments: Enrolments,
}

/// Why the node cannot join, or its memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token goes over TLS only.
    #[error("--join needs TLS, but --insecure turns it off: leave out one of them")]
    JoinWithoutTls,
    /// The node makes its key.
    #[error(
        "--join has the node make its key: leave out --auth-supernode-private-key and --auth-supernode-public-key, or leave out --join"
    )]
    JoinWithKey,
    /// Standard input is for the token.
    #[error(
        "--until-stdin-closes and --join both need standard input: write the token to a file, and give --join FILE"
    )]
    StdinTwice,
    /// There is no directory for the key.
    #[error("--join has no directory to keep the node's key in: give --flwr-dir, or set FLWR_HOME")]
    NoHome,
    /// The token's file cannot be read.
    #[error("--join {}: cannot be read: a join token begins with `{}`", path.display(), flwr_security::joining::PREFIX)]
    TokenFile {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Standard input cannot be read.
    #[error("--join -: standard input cannot be read")]
    Stdin(#[source] io::Error),
    /// There is no token.
    #[error("--join {origin}")]
    Token {
        /// Where the token comes from. Never the token itself.
        origin: String,
        /// What is wrong.
        source: InvalidJoinToken,
    },
    /// There is neither a token nor a file.
    #[error("--join is empty: give the token, the file that it is in, or - for standard input")]
    EmptyJoin,
    /// A token stands where there is none. The token is not shown.
    #[error("a join token is given by --join, as one word: `flower-supernode --join TOKEN`")]
    TokenElsewhere,
    /// The program cannot take the token out of the process list.
    #[error(
        "--join: the token cannot be taken out of the process list: give --join FILE or --join -"
    )]
    ProcessList(#[source] io::Error),
    /// The node has joined.
    #[error(
        "--join: this node has joined {superlink} with token {joined}, not with {given}: leave out --join, give --rejoin to replace what is in {}, or give this node a --flwr-dir of its own", dir.display()
    )]
    Joined {
        /// The SuperLink.
        superlink: String,
        /// The token that it joined with.
        joined: JoinTokenId,
        /// The token of the flag.
        given: JoinTokenId,
        /// Where the enrolment is remembered.
        dir: PathBuf,
    },
    /// What is remembered cannot be used.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The SuperLink does not let the node join.
    #[error("--join")]
    Join(#[source] Box<JoinError>),
    /// The SuperLink was not reached within the limits that were set.
    #[error("--join: gave up after {tries} tries, as --max-retries or --max-wait-time says")]
    GaveUp {
        /// Requests sent.
        tries: u64,
        /// The last failure.
        source: Box<JoinError>,
    },
    /// The request for a client certificate cannot be made.
    #[error("the node's key signs no request for a client certificate")]
    SigningRequest(#[source] PkiError),
    /// There is no key to renew.
    #[error(
        "`key renew` needs a key that lasts: give --auth-supernode-private-key and --auth-supernode-public-key, or join with --join first"
    )]
    NothingToRenew,
    /// Keys are renewed over TLS only.
    #[error("`key renew` needs TLS, but --insecure turns it off")]
    RenewWithoutTls,
    /// The new key was not taken.
    #[error("the key was not renewed, and the old one stays in use")]
    NotRenewed(#[source] Box<JoinError>),
    /// The new key of an earlier renewal cannot be read.
    #[error(
        "the old key stays in use: an earlier renewal has left a new key that cannot be used; delete its file and renew again"
    )]
    NewKey(#[source] KeyError),
    /// It is not known whether the new key was taken.
    #[error("the old key stays in use; `key renew` again goes on with the new key in {}", new.display())]
    RenewalUnknown {
        /// The file of the new key.
        new: PathBuf,
        /// What happened.
        source: Box<JoinError>,
    },
    /// The SuperLink has a list of keys.
    #[error(
        "the old key stays in use, and the new one is in {}: change the list, and then move it to {}", new.display(), path.display()
    )]
    Listed {
        /// The file of the new key.
        new: PathBuf,
        /// The file of the old key.
        path: PathBuf,
        /// The line for the list.
        source: Box<JoinError>,
    },
    /// A file of the new key cannot be written.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Error {
    fn joined(joined: &Joined, given: JoinTokenId) -> Self {
        Self::Joined {
            superlink: joined.superlink.to_string(),
            joined: joined.token,
            given,
            dir: joined.dir().to_owned(),
        }
    }
}

impl Join {
    /// Whether there is no enrolment in the way. The caller has the lock.
    fn require_place(&self) -> Result<(), Error> {
        match self.enrolments.joined() {
            _ if self.replaces => Ok(()),
            Ok(None) => Ok(()),
            Ok(Some(joined)) => Err(Error::joined(&joined, self.token.id)),
            Err(error) => Err(error.into()),
        }
    }
}

impl Enrolment {
    /// What the flags and the memory say. A token is read; nothing is joined yet.
    ///
    /// # Errors
    /// If the token or the memory cannot be used, or the node has joined with another token.
    pub fn of(args: &Args) -> Result<Self, Error> {
        let Some(from) = &args.join else {
            return Self::remembered(args);
        };
        require_no_other_identity(args)?;
        if args.until_stdin_closes && from.takes_stdin() {
            return Err(Error::StdinTwice);
        }
        let enrolments = enrolments(args).ok_or(Error::NoHome)?;
        let token = from.read()?;
        if let Some(warning) = from.exposed(args.config.as_deref()) {
            warn!("{warning}");
        }
        let joining = |token| {
            let enrolments = enrolments.clone();
            let replaces = args.rejoin;
            Self::Joining(Box::new(Join {
                token,
                replaces,
                enrolments,
            }))
        };
        match enrolments.joined() {
            // A damaged memory is replaced too.
            Ok(None) | Err(MemoryError::Damaged(_)) if args.rejoin => Ok(joining(token)),
            Ok(None) => Ok(joining(token)),
            Ok(Some(joined)) if joined.token == token.id => {
                info!(
                    "--join: this node has joined with token {} already",
                    token.id
                );
                Ok(Self::Joined(joined))
            }
            Ok(Some(_)) if args.rejoin => Ok(joining(token)),
            Ok(Some(joined)) => Err(Error::joined(&joined, token.id)),
            Err(error) => Err(error.into()),
        }
    }

    /// What the node remembers, whatever `--join` says: a start's flags serve for other commands too.
    ///
    /// # Errors
    /// If the memory cannot be used.
    pub fn remembered(args: &Args) -> Result<Self, Error> {
        let enrolments = enrolments(args).filter(|_| !args.insecure);
        let joined = enrolments.map(|enrolments| enrolments.joined());
        let joined = joined.transpose()?.flatten();
        Ok(joined.map_or(Self::None, Self::Joined))
    }

    /// What the node remembers.
    #[must_use]
    pub const fn joined(&self) -> Option<&Joined> {
        match self {
            Self::Joined(joined) => Some(joined),
            Self::None | Self::Joining(_) => None,
        }
    }

    /// The token that the node joins with.
    #[must_use]
    pub fn token(&self) -> Option<&JoinToken> {
        match self {
            Self::Joining(join) => Some(&join.token),
            Self::None | Self::Joined(_) => None,
        }
    }
}

/// Where a node with these flags keeps its enrolment. `None`: there is no home directory.
fn enrolments(args: &Args) -> Option<Enrolments> {
    Some(Enrolments::below(&config::home(args)?))
}

fn require_no_other_identity(args: &Args) -> Result<(), Error> {
    if args.insecure {
        return Err(Error::JoinWithoutTls);
    }
    let keys = [
        &args.auth_supernode_private_key,
        &args.auth_supernode_public_key,
    ];
    if keys.iter().any(|key| key.is_some()) {
        return Err(Error::JoinWithKey);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
