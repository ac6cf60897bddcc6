//! What the `flwr` command is refused, as it is known to commands with and without numbers.

use super::*;

/// A refusal, and the code and text for a command without numbers, and the code for one with numbers.
type Row = (Refusal, Code, &'static str, Code);

fn rows() -> Vec<Row> {
    let text = str::to_owned;
    vec![
        (
            Refusal::NoFederation(text("x")),
            FailedPrecondition,
            "Federation 'x' does not exist: this SuperLink has one federation, @none/default",
            NotFound,
        ),
        (
            Refusal::NotInFederation(text("x")),
            FailedPrecondition,
            "Federation 'x' does not exist or you are not a member of it: this SuperLink has one federation, @none/default",
            FailedPrecondition,
        ),
        (
            Refusal::KeyNotValid(text("why")),
            FailedPrecondition,
            "The provided public key is not valid",
            FailedPrecondition,
        ),
        (
            Refusal::KeyInUse,
            FailedPrecondition,
            "Public key already in use",
            FailedPrecondition,
        ),
        (
            Refusal::NodeNotFound(NodeId(5)),
            NotFound,
            "Node ID not found for account",
            NotFound,
        ),
        (
            Refusal::KeysAreListed(text("/keys.csv")),
            FailedPrecondition,
            "SuperNodes are not registered or unregistered here: the list of keys decides (/keys.csv, --auth-list-public-keys). Put the key on the list, or take it off",
            FailedPrecondition,
        ),
        (
            Refusal::FabHash(text("ab")),
            FailedPrecondition,
            "FAB (ab) hash from request doesn't match contents",
            FailedPrecondition,
        ),
        (
            Refusal::AppSpec(text("x")),
            FailedPrecondition,
            "\"x\" is not the name of an app: `@account/app` or `@account/app==1.2.3` is expected",
            FailedPrecondition,
        ),
        (
            Refusal::AppNotFetched(text("@a/b")),
            FailedPrecondition,
            "the app @a/b is not fetched: this SuperLink does not call Flower Hub. Get the app, and run it from its directory: `flwr run path/to/app`",
            FailedPrecondition,
        ),
        (
            Refusal::AppNotStored,
            FailedPrecondition,
            "this SuperLink stores no apps: the request must carry the bundle of the app",
            FailedPrecondition,
        ),
        (
            Refusal::NotOffered(Feature::Federations),
            FailedPrecondition,
            "federations beside @none/default, their members and invitations are not offered here",
            Unimplemented,
        ),
        (
            Refusal::NotOffered(Feature::Apps),
            FailedPrecondition,
            "apps stored at the SuperLink are not offered here",
            Unimplemented,
        ),
        (
            Refusal::from(FabError::Missing("a")),
            FailedPrecondition,
            "the FAB is refused: FAB file has incorrect format: a is missing",
            InvalidArgument,
        ),
    ]
}

pub(super) fn later_refusals() -> Vec<Number> {
    let rows = rows();
    for (refusal, code, text, numbered) in &rows {
        for release in [None, Some(Release::new(1, 29))] {
            let status = Form::command(release).status(refusal.clone());
            assert_eq!(said(&status), (*code, *text), "{refusal:?}");
        }
        let status = Form::command(Some(Release::new(1, 30))).status(refusal.clone());
        assert_eq!(status.code(), *numbered, "{refusal:?}");
        let answer: serde_json::Value = serde_json::from_str(status.message()).unwrap();
        assert_eq!(answer["code"], refusal.code().number());
        assert_eq!(answer["public_message"], refusal.to_string());
        assert!(answer["public_details"].is_null());
    }
    rows.iter().map(|(refusal, ..)| refusal.code()).collect()
}

#[test]
fn a_command_that_is_not_signed_in_and_reads_numbers_gets_the_words_at_which_it_says_how() {
    let status = Form::Numbers.status(Refusal::NotSignedIn);
    assert_eq!(said(&status), (Unauthenticated, "Access denied"));
}

#[test]
fn a_node_whose_signature_is_refused_gets_words_in_every_release() {
    for release in [None, Some(Release::new(1, 39))] {
        let status = Form::node(release).status(Refusal::NotRegistered);
        assert_eq!(said(&status), (Unauthenticated, "Invalid node ID"));
    }
}

#[test]
fn a_node_reads_numbers_later_than_a_command() {
    let numbered = |reader: Form| reader == Form::Numbers;
    assert!(!numbered(Form::node(None)));
    assert!(!numbered(Form::node(Some(Release::new(1, 38)))));
    assert!(numbered(Form::node(Some(Release::new(1, 39)))));
    assert!(numbered(Form::command(Some(Release::new(2, 0)))));
}
