use flwr_core::checkup::Outcome;

use super::*;
use crate::connect::testing::OldSuperLink;

fn outcome(checkup: &Checkup, step: &str) -> Option<Outcome> {
    let finding = checkup.findings().iter().find(|found| found.step == step);
    finding.map(|found| found.outcome)
}

#[tokio::test]
async fn an_older_superlink_is_recognised() {
    let superlink = OldSuperLink::default().serve().await;
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
    let mut checkup = Checkup::new();
    refused(&Status::unauthenticated("Access denied"), &mut checkup);
    assert_eq!(outcome(&checkup, AUTHENTICATION), Some(Outcome::Failed));
    assert_eq!(outcome(&checkup, PERMISSION), Some(Outcome::Skipped));
    let mut checkup = Checkup::new();
    refused(&Status::permission_denied("not you"), &mut checkup);
    assert_eq!(outcome(&checkup, AUTHENTICATION), Some(Outcome::Good));
    assert_eq!(outcome(&checkup, PERMISSION), Some(Outcome::Failed));
}

#[test]
fn clocks_far_apart_are_warned_of() {
    let told = |seconds: i64| {
        let now = OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
        let answer = ListRunsResponse {
            now: now.format(&Rfc3339).unwrap(),
            ..ListRunsResponse::default()
        };
        let mut checkup = Checkup::new();
        clock(&answer, &mut checkup);
        outcome(&checkup, CLOCK)
    };
    assert_eq!(told(0), Some(Outcome::Good));
    assert_eq!(told(60), Some(Outcome::Warning));
    assert_eq!(told(-60), Some(Outcome::Warning));
}
