use flwr_core::checkup::Outcome;
use flwr_core::refusal::Refused;

use super::*;
use crate::connect::testing::OldSuperLink;

fn outcome(checkup: &Checkup, step: &str) -> Option<Outcome> {
    let finding = checkup.findings().iter().find(|found| found.step == step);
    finding.map(|found| found.outcome)
}

#[tokio::test]
async fn an_older_superlink_is_recognised() {
    let superlink = OldSuperLink::default().serve();
    let mut checkup = Checkup::new();
    ask(superlink, &mut checkup).await;
    assert!(
        checkup.to_string().contains("Exec: flwr 1.20 or earlier"),
        "{checkup}"
    );
    assert_eq!(outcome(&checkup, PERMISSION), Some(Outcome::Good));
}

#[test]
fn a_refusal_is_told_at_its_step() {
    let refused = |class, text: &str, checkup: &mut Checkup| {
        refused(&Refused::read(class, text).into(), checkup);
    };
    let mut checkup = Checkup::new();
    refused(Class::Unauthenticated, "Access denied", &mut checkup);
    assert_eq!(outcome(&checkup, AUTHENTICATION), Some(Outcome::Failed));
    assert_eq!(outcome(&checkup, PERMISSION), Some(Outcome::Skipped));
    let mut checkup = Checkup::new();
    refused(Class::Forbidden, "not you", &mut checkup);
    assert_eq!(outcome(&checkup, AUTHENTICATION), Some(Outcome::Good));
    assert_eq!(outcome(&checkup, PERMISSION), Some(Outcome::Failed));
}

#[test]
fn clocks_far_apart_are_warned_of() {
    let told = |seconds: i64| {
        let now = OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
        let now = Timestamp::from_secs(now.unix_timestamp_nanos() as f64 / 1e9);
        let mut checkup = Checkup::new();
        clock(Some(now), &mut checkup);
        outcome(&checkup, CLOCK)
    };
    assert_eq!(told(0), Some(Outcome::Good));
    assert_eq!(told(60), Some(Outcome::Warning));
    assert_eq!(told(-60), Some(Outcome::Warning));
}
