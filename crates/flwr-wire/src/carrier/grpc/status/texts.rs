//! Refusals in the words of flwr 1.8 to 1.22, for peers that read no numbers.

use flwr_core::refusal::{Feature, Refusal};
use flwr_core::run::{Outcome, Phase};

/// The peers' words for a refusal. `None`: they have no words of their own, and get Display.
pub(super) fn texts(refusal: &Refusal) -> Option<String> {
    let text = match refusal {
        Refusal::RunIs { phase, .. } => return Some(run_is(*phase)),
        Refusal::Malformed(flaws) => return Some(format!("Malformed PushMessages: {flaws}")),
        Refusal::RunNotFound(_) => "Run ID not found",
        Refusal::NotRegistered | Refusal::OtherNode { .. } => "Invalid node ID",
        Refusal::UnexpectedNode(_) => "Unexpected node ID.",
        Refusal::UnknownToken => "Invalid token.",
        Refusal::UnknownAppToken => "Authentication failed.",
        Refusal::AccessDenied | Refusal::NotSignedIn => "Access denied",
        Refusal::UnsignedNotServed => {
            "Missing authentication metadata: SuperNodes of flwr 1.8 to 1.14, which sign nothing, are served only where the SuperLink is given `--serve-older 1.8`"
        }
        Refusal::AccountNotListed => {
            "❗\u{fe0f} User not authorized. Please contact the SuperLink administrator."
        }
        Refusal::RunOfNobody => {
            "⛔\u{fe0f} User authentication is enabled, but the run is not associated with a `flwr_aid`."
        }
        Refusal::RunOfAnother => "⛔\u{fe0f} Run ID does not belong to the user",
        Refusal::KeyNotValid(_) => "The provided public key is not valid",
        Refusal::NodeNotFound(_) => "Node ID not found for account",
        // By these two, command lines know what is not offered.
        Refusal::NotOffered(Feature::Accounts) => {
            "ControlServicer initialized without user authentication"
        }
        Refusal::NotOffered(Feature::Artifacts) => {
            "ControlServicer initialized without artifact provider"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn run_is(phase: Phase) -> String {
    let stopped = phase == Phase::Finished(Outcome::Stopped);
    format!(
        "Run is {}.{}",
        phase.name(),
        if stopped { " Stopped by user." } else { "" }
    )
}
