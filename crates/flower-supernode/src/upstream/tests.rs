//! What failed calls ask for.

use flwr_client::refused::failure;
use tonic::Status;

use super::*;

#[test]
fn each_failure_asks_for_one_thing() {
    for (status, verdict) in [
        (
            Status::permission_denied("Run is finished."),
            Verdict::RunOver,
        ),
        (
            Status::unauthenticated("Invalid node ID"),
            Verdict::UnknownNode,
        ),
        (
            Status::unauthenticated("Invalid timestamp: it is 400.0 s old"),
            Verdict::Passing,
        ),
        (Status::resource_exhausted("full"), Verdict::Passing),
        (Status::unavailable("starting"), Verdict::Passing),
        (
            Status::from_error(Box::new(std::io::Error::other("reset"))),
            Verdict::Passing,
        ),
        (
            Status::unauthenticated("Public key not recognized"),
            Verdict::Standing,
        ),
        (
            Status::unimplemented("Method not found!"),
            Verdict::Standing,
        ),
        (Status::unknown("Exception calling"), Verdict::Standing),
    ] {
        let text = status.to_string();
        assert_eq!(Verdict::of(&failure(status)), verdict, "{text}");
    }
}

#[test]
fn a_finished_reply_is_given_up_late_where_something_breaks() {
    let refused = failure(Status::failed_precondition("no"));
    let broken = failure(Status::internal("no"));
    let limits = |patience: Patience| (patience.limit(&refused), patience.limit(&broken));
    assert_eq!(limits(Patience::Few), (FEW, FEW));
    assert_eq!(limits(Patience::Reply), (FEW, MANY));
    assert_eq!(limits(Patience::Endless), (u32::MAX, u32::MAX));
}
