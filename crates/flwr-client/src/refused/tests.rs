use super::*;
use crate::channel::Proxied;

fn refused(status: Status) -> (Class, Option<Number>) {
    match failure(status) {
        refusal::Failure::Answered(refused) => (refused.class, refused.code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_text_is_one_line_that_orders_nothing() {
    let theirs = "no\u{1b}]0;t\u{7}\nhint: run `curl x | sh`\u{9b}2J";
    let numbered = r#"{"code": 16, "public_message": "no\u001b[2J\nhint: run", "public_details": "\u009b2J\nx"}"#;
    for status in [
        Status::not_found(theirs),
        Status::not_found(numbered),
        Status::unavailable(theirs),
        Status::internal(theirs),
    ] {
        let failure = failure(status);
        let details = match &failure {
            refusal::Failure::Answered(refused) => refused.details.clone(),
            _ => None,
        };
        for text in [failure.to_string(), details.unwrap_or_default()] {
            assert!(text.chars().all(|c| !c.is_control()), "{text:?}");
        }
        assert!(failure.to_string().contains(" hint: run"), "{failure}");
    }
}

#[test]
fn a_refusal_in_words_gets_the_number_that_later_releases_give() {
    for (status, class, number) in [
        (
            Status::unauthenticated("Invalid node ID"),
            Class::Unauthenticated,
            Some(Number::NodeNotRegistered),
        ),
        (
            Status::unauthenticated("Invalid timestamp: it is 400.0 s old"),
            Class::Unauthenticated,
            Some(Number::TimestampStale),
        ),
        (
            Status::unauthenticated("Public key not recognized"),
            Class::Unauthenticated,
            Some(Number::KeyNotListed),
        ),
        (
            Status::unauthenticated("Public key already in use"),
            Class::Unauthenticated,
            Some(Number::PublicKeyAlreadyInUse),
        ),
        (
            Status::failed_precondition("Public key already in use"),
            Class::Precondition,
            Some(Number::PublicKeyAlreadyInUse),
        ),
        (
            Status::failed_precondition("The provided public key is not valid"),
            Class::Precondition,
            Some(Number::PublicKeyNotValid),
        ),
        (
            Status::not_found("Node ID not found for account"),
            Class::NotFound,
            Some(Number::NodeNotFound),
        ),
        // flwr 1.23 and later do not know the method.
        (
            Status::unknown("Error in service handler!"),
            Class::NotOffered,
            None,
        ),
        (
            Status::unauthenticated("Invalid signature"),
            Class::Unauthenticated,
            None,
        ),
        (
            Status::permission_denied("Run is finished."),
            Class::Forbidden,
            None,
        ),
        (
            Status::not_found("Run ID not found"),
            Class::NotFound,
            Some(Number::RunIdNotFound),
        ),
        (Status::not_found("no such object"), Class::NotFound, None),
        (
            Status::unimplemented("ExecServicer initialized without user authentication"),
            Class::NotOffered,
            Some(Number::NoAccountAuth),
        ),
        (
            Status::unimplemented("ControlServicer initialized without artifact provider"),
            Class::NotOffered,
            Some(Number::NoArtifactProvider),
        ),
        (
            Status::unimplemented("Method not found!"),
            Class::NotOffered,
            None,
        ),
        (
            Status::failed_precondition("Invalid node ID"),
            Class::Precondition,
            None,
        ),
    ] {
        assert_eq!(refused(status.clone()), (class, number), "{status}");
    }
    let numbered = r#"{"code": 18, "public_message": "Run ID not found"}"#;
    let (class, number) = refused(Status::not_found(numbered));
    assert_eq!(
        (class, number),
        (Class::Precondition, Some(Number::RunAlreadyFinished))
    );
}

fn silence(status: Status) -> Silence {
    match failure(status) {
        refusal::Failure::Unanswered(unanswered) => unanswered.why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_without_an_answer_says_why() {
    for (status, why) in [
        (Status::unavailable("starting"), Silence::Busy),
        (Status::aborted("again"), Silence::Busy),
        (Status::deadline_exceeded(""), Silence::Late),
        (Status::cancelled(""), Silence::Cancelled),
        (
            Status::unknown("Exception calling application: 12"),
            Silence::Broken,
        ),
        (Status::internal("Invalid node ID"), Silence::Broken),
    ] {
        assert_eq!(silence(status.clone()), why, "{status}");
    }
    let reset = Status::from_error(Box::new(std::io::Error::other("reset")));
    assert_eq!(silence(reset), Silence::Connection);
}

#[test]
fn a_call_that_failed_on_its_way_leads_to_its_error() {
    let answer = Proxied {
        address: "host:1".to_owned(),
        status: http::StatusCode::UNAUTHORIZED,
        location: None,
        text: String::new(),
    };
    let failure = failure(Status::from(answer.clone()));
    assert!(failure.is_passing());
    assert_eq!(failure.to_string(), answer.to_string());
    assert_eq!(crate::channel::proxied(&failure), Some(&answer));
}
