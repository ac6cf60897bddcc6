use std::io;

use flwr_core::refusal::{Class, Code, Refused, Silence, Unanswered};

use super::*;

#[test]
fn wrong_configuration_is_2_and_failure_is_1() {
    assert_eq!(Error::NoProject("x".into()).exit_code(), 2);
    assert_eq!(Error::Federation(FederationError::NoDefault).exit_code(), 2);
    assert_eq!(Error::NotStarted.exit_code(), 1);
    assert_eq!(
        Error::from(Failure::from(Refused::read(
            Class::NotFound,
            "Run ID not found"
        )))
        .exit_code(),
        1
    );
}

#[test]
fn a_closed_pipe_is_success() {
    let stdout = |kind: io::ErrorKind| Error::Stdout(kind.into()).exit_code();
    assert_eq!(stdout(io::ErrorKind::BrokenPipe), 0);
    assert_eq!(stdout(io::ErrorKind::StorageFull), 1);
}

#[test]
fn the_chain_tells_every_cause_once() {
    let source = ConfigError::UnknownKey {
        key: "lrr".into(),
        nearest: Some("lr".into()),
    };
    let error = Error::Config {
        flag: "--run-config",
        source,
    };
    assert_eq!(
        error.chain(),
        "--run-config: Key 'lrr' is not present in the main dictionary (did you mean 'lr'?)"
    );
    let error = Error::Federation(FederationError::Override(ConfigError::Mixed));
    assert_eq!(
        error.chain(),
        "the federation configuration cannot be overridden: TOML files cannot be passed alongside key-value pairs"
    );
}

fn told(failure: impl Into<Failure>) -> String {
    Error::from(failure.into()).chain()
}

#[test]
fn refusals_are_told_in_flowers_words() {
    let refused = |class, text| told(Refused::read(class, text));
    let no_run = Refused {
        code: Some(Code::RunIdNotFound),
        ..Refused::read(Class::NotFound, "Run ID not found")
    };
    assert_eq!(told(no_run), "Run ID not found.");
    assert!(refused(Class::Forbidden, "not yours").starts_with("Permission denied.\nnot yours"));
    assert!(
        refused(Class::NotOffered, "Method not found!").contains("cannot process this request")
    );
    assert_eq!(
        refused(Class::Precondition, "Run ID 7 is already finished"),
        "the SuperLink refused: Run ID 7 is already finished (FailedPrecondition)"
    );
}

#[test]
fn what_is_no_refusal_is_not_told_as_one() {
    let silence = |why, text: &str| told(Unanswered::new(why, text));
    let away = silence(Silence::Busy, "gone");
    assert!(away.starts_with("Connection to the SuperLink is unavailable"));
    assert_eq!(
        silence(Silence::Broken, "Exception calling application: 12"),
        "the SuperLink failed at this call: Exception calling application: 12"
    );
    assert_eq!(
        silence(Silence::Late, ""),
        "the SuperLink did not answer in time"
    );
    let reset = Unanswered::caused_by(io::Error::other(io::Error::other("connection reset")));
    let text = told(reset);
    assert!(text.contains("broke off (connection reset)"), "{text}");
}

#[test]
fn a_numbered_refusal_is_told_without_its_json() {
    let told = |class, number: u16, text: &str, details: &str| {
        let json = format!(
            r#"{{"code": {number}, "public_message": "{text}", "public_details": {details}}}"#
        );
        told(Refused::read(class, &json))
    };
    assert_eq!(
        told(Class::NotFound, 16, "No such run.", "null"),
        "Run ID not found."
    );
    assert_eq!(
        told(Class::Precondition, 18, "The run is over.", r#""Run 7.""#),
        "the SuperLink refused: The run is over. (Run 7.) (FailedPrecondition)"
    );
    assert_eq!(
        told(Class::NotOffered, 20, "There are no artifacts.", "null"),
        "the SuperLink refused: There are no artifacts. (Unimplemented)"
    );
    assert_eq!(
        told(Class::Forbidden, 31, "Not yours.", "null"),
        "Permission denied.\nNot yours."
    );
}
