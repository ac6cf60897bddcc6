use std::io;

use flwr_client::refused::failure;
use tonic::{Code, Status};

use super::*;

#[test]
fn wrong_configuration_is_2_and_failure_is_1() {
    assert_eq!(Error::NoProject("x".into()).exit_code(), 2);
    assert_eq!(Error::Federation(FederationError::NoDefault).exit_code(), 2);
    assert_eq!(Error::NotStarted.exit_code(), 1);
    assert_eq!(
        Error::from(failure(Status::not_found("Run ID not found"))).exit_code(),
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

#[test]
fn refusals_are_told_in_flowers_words() {
    let told = |status: Status| Error::from(failure(status)).chain();
    assert_eq!(
        told(Status::not_found("Run ID not found")),
        "Run ID not found."
    );
    assert!(
        told(Status::permission_denied("not yours")).starts_with("Permission denied.\nnot yours")
    );
    assert!(
        told(Status::unimplemented("Method not found!")).contains("cannot process this request")
    );
    assert!(
        told(Status::unavailable("gone")).starts_with("Connection to the SuperLink is unavailable")
    );
    assert_eq!(
        told(Status::failed_precondition("Run ID 7 is already finished")),
        "the SuperLink refused: Run ID 7 is already finished (FailedPrecondition)"
    );
    assert_eq!(
        told(Status::unknown("Exception calling application: 12")),
        "the SuperLink failed at this call: Exception calling application: 12"
    );
    assert_eq!(
        told(Status::deadline_exceeded("")),
        "the SuperLink did not answer in time"
    );
    let reset = std::io::Error::other("connection reset");
    let text = told(Status::from_error(Box::new(reset)));
    assert!(text.contains("broke off (connection reset)"), "{text}");
}

#[test]
fn a_numbered_refusal_is_told_without_its_json() {
    let told = |code, number: u16, text: &str, details: &str| {
        let json = format!(
            r#"{{"code": {number}, "public_message": "{text}", "public_details": {details}}}"#
        );
        Error::from(failure(Status::new(code, json))).chain()
    };
    assert_eq!(
        told(Code::NotFound, 16, "No such run.", "null"),
        "Run ID not found."
    );
    assert_eq!(
        told(
            Code::FailedPrecondition,
            18,
            "The run is over.",
            r#""Run 7.""#
        ),
        "the SuperLink refused: The run is over. (Run 7.) (FailedPrecondition)"
    );
    assert_eq!(
        told(Code::Unimplemented, 20, "There are no artifacts.", "null"),
        "the SuperLink refused: There are no artifacts. (Unimplemented)"
    );
    assert_eq!(
        told(Code::PermissionDenied, 31, "Not yours.", "null"),
        "Permission denied.\nNot yours."
    );
}
