//! Runs that end while the node has nothing to do for them.

use flwr_core::id::RunId;

use super::restart::{files, node};
use super::*;

const RUNS: std::ops::Range<u64> = 100..112;

#[tokio::test]
async fn all_runs_that_ended_are_forgotten_in_one_sweep_while_others_go_on() {
    let (fleet, superlink, address) = FakeFleet::in_plaintext().await;
    let kept = tempfile::tempdir().unwrap();
    let scene = Scene {
        node: node(&fleet, &address, &kept).await,
        fleet: fleet.clone(),
        dir: tempfile::tempdir().unwrap(),
        _superlink: superlink,
    };
    let state = seen();
    for run in RUNS.map(RunId).chain([RUN]) {
        fleet.hand_out_of(run, NODE, 3600.0);
        work(&scene, &scene.token().await, Some(state.clone())).await;
    }
    let count = RUNS.count();
    until(|| files(&kept, "context") > count).await;
    fleet.change(|world| {
        world.holds_get_run = true;
        world.over.extend(RUNS.skip(1));
    });

    // The SuperLink is asked about several runs at once, and not about all.
    fleet
        .until(|world| (world.open_get_run.0 == 4).then_some(()))
        .await;
    // A message is worked on meanwhile.
    fleet.hand_out(NODE, 3600.0);
    let context = work(&scene, &scene.token().await, Some(state.clone())).await;
    assert_eq!(context.state, Some(state.clone()));

    fleet.change(|world| world.holds_get_run = false);
    until(|| files(&kept, "context") <= 2).await;
    assert_eq!(fleet.change(|world| world.open_get_run.1), 4);
    fleet.hand_out_of(RunId(RUNS.start), NODE, 3600.0);
    let context = work(&scene, &scene.token().await, None).await;
    assert_eq!(
        context.state,
        Some(state),
        "a run that goes on keeps its state"
    );
}
