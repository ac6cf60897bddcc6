//! Every refusal on the wire, byte for byte, as peers with and without numbers know it.

use flwr_core::config::ConfigError;
use flwr_core::fab::FabError;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Flaw, Flaws};
use flwr_core::object::{ObjectError, ObjectId, TreeError};
use flwr_core::refusal::{Class, Code as Number, Feature, Refused};
use flwr_core::run::{Outcome, Phase, RunStatus};
use tonic::Code;
use tonic::Code::{
    FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, ResourceExhausted,
    Unauthenticated, Unavailable, Unimplemented,
};

use super::*;

mod callers;
mod commands;
mod joining;

const RUN: RunId = RunId(7);

fn id() -> ObjectId {
    "ab".repeat(32).parse().unwrap()
}

fn said(status: &Status) -> (Code, &str) {
    (status.code(), status.message())
}

/// Checks the rows, and gives the numbers of their refusals.
fn check(rows: &[(Refusal, Code, &str)]) -> Vec<Number> {
    check_for(&[Form::Peer], rows)
}

/// The same, for each of these readers.
fn check_for(readers: &[Form], rows: &[(Refusal, Code, &str)]) -> Vec<Number> {
    for (refusal, code, text) in rows {
        for reader in readers {
            let status = reader.status(refusal.clone());
            assert_eq!(said(&status), (*code, *text), "{refusal:?} for {reader:?}");
        }
    }
    rows.iter().map(|(refusal, ..)| refusal.code()).collect()
}

#[test]
fn every_refusal_has_its_code_and_text() {
    let tables = [
        requests(),
        runs(),
        the_standing_of_a_run(),
        causes_on_the_same_line(),
        messages(),
        objects(),
        callers::nodes_and_processes(),
        callers::people(),
        commands::later_refusals(),
        joining::all(),
    ];
    let met = tables.concat();
    for number in Number::ALL.iter().filter(|it| it.number() >= Number::OWN) {
        assert!(met.contains(number), "no row has {}", number.name());
    }
}

fn requests() -> Vec<Number> {
    check(&[
        (
            Refusal::field("messages_list", "is empty"),
            InvalidArgument,
            "`messages_list` is empty",
        ),
        (
            Refusal::HeartbeatInterval {
                given: -0.5,
                min: 10.0,
                max: 1800.0,
            },
            InvalidArgument,
            "Invalid heartbeat interval: `heartbeat_interval` is -0.5, and 10 to 1800 seconds are expected",
        ),
    ])
}

fn runs() -> Vec<Number> {
    let phase = Phase::Running;
    check(&[
        (
            Refusal::UnknownRun(RUN),
            PermissionDenied,
            "run 7 is not known to this SuperLink",
        ),
        (
            Refusal::Transition {
                run: RUN,
                from: Phase::Finished(Outcome::Failed),
                to: phase,
            },
            FailedPrecondition,
            "run 7 cannot go from finished:failed to running",
        ),
        (
            Refusal::AlreadyFinished(RUN),
            FailedPrecondition,
            "Run ID 7 is already finished",
        ),
        (
            Refusal::NotFinished { run: RUN, phase },
            FailedPrecondition,
            "Run ID 7 is running: end it first, with `flwr stop 7`",
        ),
        (
            Refusal::HasToken(RUN),
            FailedPrecondition,
            "run 7 has its token already",
        ),
        (
            Refusal::ResumedBefore(RUN),
            FailedPrecondition,
            "run 7 was begun again before",
        ),
        (
            Refusal::ProcessLives(RUN),
            FailedPrecondition,
            "run 7 is finished, and its ServerApp process is still ending: try again in a moment",
        ),
        (
            Refusal::NoRunForNode(RUN),
            PermissionDenied,
            "Run ID not found: 7",
        ),
        (
            Refusal::NoFabForNode(Box::new(Refusal::UnknownRun(RUN))),
            PermissionDenied,
            "run 7 is not known to this SuperLink",
        ),
        (
            Refusal::FabOfAnotherRun {
                run: RUN,
                hash: "abc".to_owned(),
            },
            PermissionDenied,
            "Requested FAB hash abc does not match the FAB hash of run 7",
        ),
        (
            Refusal::UnknownFab("abc".to_owned()),
            NotFound,
            "Found no FAB with hash: abc",
        ),
    ])
}

fn the_standing_of_a_run() -> Vec<Number> {
    let phases = [
        (Phase::Pending, "Run is pending."),
        (Phase::Starting, "Run is starting."),
        (Phase::Finished(Outcome::Completed), "Run is finished."),
        (
            Phase::Finished(Outcome::Stopped),
            "Run is finished. Stopped by user.",
        ),
    ];
    check(&phases.map(|(phase, text)| (Refusal::RunIs { run: RUN, phase }, PermissionDenied, text)))
}

fn causes_on_the_same_line() -> Vec<Number> {
    let status = flwr_proto::RunStatus {
        status: "asleep".to_owned(),
        ..Default::default()
    };
    let status = RunStatus::try_from(status).unwrap_err();
    let config = flwr_core::config::parse_pairs(&["a=b"]).unwrap_err();
    let ConfigError::Pairs { source, .. } = &config else {
        panic!("{config:?}");
    };
    let config_text = format!("the run configuration is refused: {config}: {source}");
    let fab = FabError::Missing("pyproject.toml");
    check(&[
        (
            Refusal::Status(status),
            InvalidArgument,
            "\"asleep\" is not the status of a run: pending, starting, running or finished:<completed|failed|stopped> is expected",
        ),
        (
            Refusal::from(fab),
            InvalidArgument,
            "the FAB is refused: FAB file has incorrect format: pyproject.toml is missing",
        ),
        (Refusal::from(config.clone()), InvalidArgument, &config_text),
    ])
}

fn messages() -> Vec<Number> {
    let flaws = Flaws(vec![Flaw::NoSource, Flaw::ReplyToNothing]);
    let other_run = format!("message {} is of run 8, not of run 7", id());
    let unknown = format!("no instruction {} waits for a reply of this node", id());
    let answered = format!("instruction {} is answered already", id());
    let late = format!(
        "the reply to instruction {} came after its time to live",
        id()
    );
    check(&[
        (
            Refusal::Malformed(flaws),
            InvalidArgument,
            "Malformed PushMessages: `metadata.src_node_id` is not set., `metadata.reply_to_message_id` MUST be set.",
        ),
        (
            Refusal::OtherRun {
                message: id(),
                run: RUN,
                found: RunId(8),
            },
            InvalidArgument,
            &other_run,
        ),
        (
            Refusal::UnknownInstruction(id()),
            FailedPrecondition,
            &unknown,
        ),
        (
            Refusal::AlreadyAnswered(id()),
            FailedPrecondition,
            &answered,
        ),
        (Refusal::ReplyExpired(id()), InvalidArgument, &late),
        (
            Refusal::ReplyOutlivesInstruction { excess: 12.51 },
            InvalidArgument,
            "the reply's `metadata.ttl` reaches 12.5 s beyond the instruction's",
        ),
    ])
}

fn objects() -> Vec<Number> {
    let no_id = "xyz".parse::<ObjectId>().unwrap_err();
    let no_id_text = "\"xyz\" is not an object id: 64 lowercase hex digits are expected";
    let tree_text = format!("malformed object tree: {no_id_text}");
    let no_tree = format!(
        "message {} has no object tree of its own: `message_object_trees` must hold one for each message, with its id at the root",
        id()
    );
    let differs = format!("object {} was announced with other children before", id());
    let object = format!("Object with ID '{}' has an unexpected structure.", id());
    let head = format!("{object} Unexpected format for object head.");
    let children =
        format!("{object} Its head lists other children than the object tree that announced it.");
    check(&[
        (Refusal::NoTree(id()), InvalidArgument, &no_tree),
        (
            Refusal::Tree(TreeError::InvalidId(no_id.clone())),
            InvalidArgument,
            &tree_text,
        ),
        (Refusal::ObjectId(no_id), InvalidArgument, no_id_text),
        (Refusal::ObjectDiffers(id()), InvalidArgument, &differs),
        (
            Refusal::Object {
                id: id(),
                problem: ObjectError::MalformedHead,
            },
            FailedPrecondition,
            &head,
        ),
        (Refusal::ObjectChildren(id()), FailedPrecondition, &children),
    ])
}

#[test]
fn what_may_pass_is_to_be_tried_again() {
    let away = status(Failure::TryAgain("the login provider is away".to_owned()));
    assert_eq!(said(&away), (Unavailable, "the login provider is away"));
}

#[test]
fn the_refusal_of_another_program_keeps_its_class() {
    for (class, expected) in [
        (Class::Invalid, InvalidArgument),
        (Class::Unauthenticated, Unauthenticated),
        (Class::Forbidden, PermissionDenied),
        (Class::RunOver, PermissionDenied),
        (Class::NotFound, NotFound),
        (Class::Precondition, FailedPrecondition),
        (Class::Exists, Code::AlreadyExists),
        (Class::Exhausted, ResourceExhausted),
        (Class::NotOffered, Unimplemented),
    ] {
        let status = status(Refused::read(class, "No."));
        assert_eq!(said(&status), (expected, "No."));
    }
}
