//! Refusals and failures as gRPC statuses. Python peers read PERMISSION_DENIED as "the run is
//! over", and UNAVAILABLE as "try again". A disk that is full or fails is one to try again: nothing
//! was acknowledged, and space may return.

use flwr_core::refusal::{Class, Failure, Feature, Refusal};
use serde_json::json;
use tonic::{Code, Status};

use crate::carrier::Reader;
use crate::head::Release;

mod texts;

use texts::texts;

/// The first release whose `flwr` command reads numbers. 1.29 prints the text as it is (checked with
/// 1.29.0 and 1.30.0).
const COMMAND_WITH_NUMBERS: Release = Release::new(1, 30);
/// The first release whose SuperNode does.
const NODE_WITH_NUMBERS: Release = Release::new(1, 39);

/// The form in which a reader knows refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For a daemon or an app process, which prints the text.
    Peer,
    /// For the `flwr` command until 1.29. At FAILED_PRECONDITION, and a few texts of other codes, the
    /// command prints a sentence. At INVALID_ARGUMENT and ALREADY_EXISTS releases 1.23 to 1.26 print a
    /// traceback of Python, and at UNIMPLEMENTED a sentence that says nothing of the cause.
    Command,
    /// For a program that reads the number of a refusal beside its text.
    Numbers,
}

/// The status of a call that is refused or fails, for a daemon or an app process.
#[must_use]
pub fn status(failure: impl Into<Failure>) -> Status {
    Form::Peer.status(failure)
}

impl Form {
    /// The form for this reader.
    pub(crate) fn of(reader: Reader) -> Self {
        match reader {
            Reader::Node(release) => Self::node(release),
            Reader::Joiner => Self::Numbers,
            Reader::App => Self::Peer,
            Reader::Command(release) => Self::command(release),
        }
    }

    /// A `flwr` command of this release.
    fn command(release: Option<Release>) -> Self {
        match release {
            Some(release) if release >= COMMAND_WITH_NUMBERS => Self::Numbers,
            _ => Self::Command,
        }
    }

    /// A SuperNode of this release.
    fn node(release: Option<Release>) -> Self {
        match release {
            Some(release) if release >= NODE_WITH_NUMBERS => Self::Numbers,
            _ => Self::Peer,
        }
    }

    /// The status of a call that is refused or fails.
    pub(crate) fn status(self, failure: impl Into<Failure>) -> Status {
        match failure.into() {
            Failure::Refused(refusal) => self.refused(&refusal),
            Failure::Answered(refused) => Status::new(code(refused.class), refused.to_string()),
            Failure::TryAgain(text) => Status::unavailable(text),
            Failure::Unanswered(unanswered) => Status::unavailable(unanswered.text),
        }
    }

    fn refused(self, refusal: &Refusal) -> Status {
        match self {
            Self::Numbers if !is_by_words(refusal) => {
                let answer = json!({
                    "code": refusal.code().number(),
                    "public_message": refusal.to_string(),
                    "public_details": null,
                });
                Status::new(code(refusal.class()), answer.to_string())
            }
            Self::Command => Status::new(code(class_for_command(refusal)), words(refusal)),
            Self::Peer | Self::Numbers => Status::new(code(class(refusal)), words(refusal)),
        }
    }
}

/// Whether upstream has words and no number for it in every release. Commands know the first by its
/// status, and tell how to sign in. The others are about a node's signature.
const fn is_by_words(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::NotSignedIn
            | Refusal::MissingSignature
            | Refusal::UnknownKey
            | Refusal::MalformedKey
            | Refusal::InvalidSignature
            | Refusal::MalformedTimestamp
            | Refusal::StaleTimestamp { .. }
            | Refusal::NotRegistered
            | Refusal::OtherNode { .. }
            | Refusal::AccessDenied
    )
}

fn words(refusal: &Refusal) -> String {
    texts(refusal).unwrap_or_else(|| refusal.to_string())
}

/// The class by which peers that read no numbers know a refusal. The class of a refusal's number
/// differs from it for the refusals named here.
const fn class(refusal: &Refusal) -> Class {
    match refusal {
        // A process with a wrong token ends as if its run were over.
        Refusal::UnknownToken => Class::RunOver,
        Refusal::RunConfig(_) | Refusal::OtherRun { .. } => Class::Invalid,
        refusal => refusal.class(),
    }
}

/// The class at which a `flwr` command without numbers prints the text.
const fn class_for_command(refusal: &Refusal) -> Class {
    match (class(refusal), refusal) {
        (Class::NotFound, Refusal::NoFederation(_)) | (Class::Invalid | Class::Exists, _) => {
            Class::Precondition
        }
        // Command lines know these two by their texts.
        (class, Refusal::NotOffered(Feature::Accounts | Feature::Artifacts)) => class,
        (Class::NotOffered, _) => Class::Precondition,
        (class, _) => class,
    }
}

const fn code(class: Class) -> Code {
    match class {
        Class::Invalid => Code::InvalidArgument,
        Class::Unauthenticated => Code::Unauthenticated,
        // At PERMISSION_DENIED a Python SuperNode drops the message and goes on. At other codes it ends.
        Class::Forbidden | Class::RunOver => Code::PermissionDenied,
        Class::NotFound => Code::NotFound,
        Class::Precondition => Code::FailedPrecondition,
        Class::Exists => Code::AlreadyExists,
        Class::Exhausted => Code::ResourceExhausted,
        Class::NotOffered => Code::Unimplemented,
    }
}

#[cfg(test)]
mod tests;
