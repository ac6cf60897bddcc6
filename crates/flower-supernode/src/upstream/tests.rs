//! What failed calls ask for.

use flwr_core::refusal::{Refused, Unanswered};

use super::*;

fn refused(class: Class, code: Option<Code>) -> Failure {
    let refused = Refused {
        code,
        ..Refused::read(class, "no")
    };
    refused.into()
}

fn unanswered(why: Silence) -> Failure {
    Unanswered::new(why, "no").into()
}

#[test]
fn each_failure_asks_for_one_thing() {
    use Class::{
        Exhausted, Forbidden, Invalid, NotOffered, Precondition, RunOver, Unauthenticated,
    };
    let unauthenticated = |code| refused(Unauthenticated, Some(code));
    let broken = std::io::Error::other("reset");
    for (failure, verdict) in [
        (refused(Forbidden, None), Verdict::RunOver),
        (refused(RunOver, None), Verdict::RunOver),
        (
            unauthenticated(Code::NodeNotRegistered),
            Verdict::UnknownNode,
        ),
        (unauthenticated(Code::NodeNotProven), Verdict::UnknownNode),
        (unauthenticated(Code::TimestampStale), Verdict::Passing),
        (refused(Exhausted, None), Verdict::Passing),
        (unanswered(Silence::Busy), Verdict::Passing),
        (Unanswered::caused_by(broken).into(), Verdict::Passing),
        (Failure::TryAgain("no key".to_owned()), Verdict::Passing),
        (unauthenticated(Code::KeyNotListed), Verdict::Passing),
        (refused(Unauthenticated, None), Verdict::Passing),
        (refused(NotOffered, None), Verdict::Passing),
        (refused(Invalid, None), Verdict::Standing),
        (refused(Precondition, None), Verdict::Standing),
        (unanswered(Silence::Broken), Verdict::Standing),
    ] {
        assert_eq!(Verdict::of(&failure), verdict, "{failure:?}");
    }
}

#[test]
fn a_finished_reply_is_given_up_late_where_something_breaks() {
    let (refused, broken) = (
        refused(Class::Precondition, None),
        unanswered(Silence::Broken),
    );
    let limits = |patience: Patience| (patience.limit(&refused), patience.limit(&broken));
    assert_eq!(limits(Patience::Few), (FEW, FEW));
    assert_eq!(limits(Patience::Reply), (FEW, MANY));
    assert_eq!(limits(Patience::Endless), (u32::MAX, u32::MAX));
}
