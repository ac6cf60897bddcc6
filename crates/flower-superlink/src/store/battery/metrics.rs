//! The metrics of runs.

use flwr_core::id::NodeId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Outcome, Phase, RunStatus};

use super::runs::refusal;
use super::world::{NOON, RUN, World};
use crate::link::state::{Measure, Point, Sample, Source, Summary, Total};
use crate::store::metrics::MAX_POINTS;

/// What a node replies to `train` in a round, with these numbers of its app.
pub(in crate::store) fn sample(
    node: u64,
    round: u32,
    weight: f64,
    numbers: &[(&str, f64)],
) -> Sample {
    let measures = numbers.iter().map(|(name, value)| Measure {
        source: Source::App,
        name: (*name).to_owned(),
        value: *value,
    });
    Sample {
        node: NodeId(node),
        round,
        kind: "train".to_owned(),
        weight,
        is_error: false,
        measures: measures.collect(),
    }
}

fn failure(node: u64, round: u32) -> Sample {
    let mut sample = sample(node, round, 1.0, &[("seconds", 2.0)]);
    sample.is_error = true;
    sample.measures[0].source = Source::SuperLink;
    sample
}

impl World {
    async fn add(&self, samples: Vec<Sample>) {
        self.state.add_samples(RUN, samples, true).await.unwrap();
    }

    async fn points(&self) -> Vec<Point> {
        self.state.metric_points(RUN).await.unwrap()
    }

    async fn totals(&self) -> Vec<Total> {
        self.state.metric_totals(RUN).await.unwrap()
    }
}

/// Round, node, name and number.
fn told(points: &[Point]) -> Vec<(u32, u64, &str, f64)> {
    let told = points.iter().map(|point| {
        let Measure { name, value, .. } = &point.measure;
        (point.round, point.node.0, name.as_str(), *value)
    });
    told.collect()
}

pub(super) async fn what_replies_say_is_kept_by_node_and_in_total(world: World) {
    world.running().await;
    let large = u64::MAX - 3;
    world
        .add(vec![sample(5, 1, 10.0, &[("loss", 0.1), ("acc", 0.5)])])
        .await;
    world
        .add(vec![
            sample(large, 1, 30.0, &[("loss", 0.3)]),
            failure(7, 1),
            sample(5, 2, 10.0, &[("loss", 0.05)]),
        ])
        .await;
    let points = world.points().await;
    let expected = [
        (1, 5, "acc", 0.5),
        (1, 5, "loss", 0.1),
        (1, large, "loss", 0.3),
        (1, 7, "seconds", 2.0),
        (2, 5, "loss", 0.05),
    ];
    assert_eq!(told(&points), expected);
    assert_eq!(points[3].measure.source, Source::SuperLink);
    assert_eq!(points[0].kind, "train");
    let totals = world.totals().await;
    let names: Vec<_> = totals.iter().map(|t| (t.round, t.name.as_str())).collect();
    assert_eq!(
        names,
        [(1, "acc"), (1, "loss"), (1, "seconds"), (2, "loss")]
    );
    let loss = &totals[1].sum;
    assert_eq!((loss.least, loss.most, loss.weight), (0.1, 0.3, 40.0));
    assert!((loss.mean - 0.25).abs() < 1e-12, "{loss:?}");
    assert_eq!((loss.replies, loss.failures), (2, 0));
    let failed = Summary {
        least: 2.0,
        most: 2.0,
        mean: 2.0,
        weight: 1.0,
        replies: 1,
        failures: 1,
    };
    assert_eq!(totals[2].sum, failed);
    assert_eq!(totals[2].source, Source::SuperLink);
}

pub(super) async fn odd_numbers_and_names_stay_what_they_are(world: World) {
    world.running().await;
    let odd = "a\0b\\c \u{202e}<script>\u{1b}[31m";
    let numbers = [
        ("inf", f64::INFINITY),
        ("nan", f64::NAN),
        ("neg", f64::NEG_INFINITY),
        ("tiny", f64::MIN_POSITIVE),
        (odd, 0.1 + 0.2),
    ];
    world.add(vec![sample(1, 1, 1.0, &numbers)]).await;
    world.add(vec![sample(2, 1, 1.0, &[("nan", 4.0)])]).await;
    let points = world.points().await;
    let value = |node: u64, name: &str| {
        let found = points
            .iter()
            .find(|p| p.node.0 == node && p.measure.name == name);
        found.unwrap().measure.value
    };
    for (name, number) in numbers {
        let found = value(1, name);
        assert!(
            found == number || (found.is_nan() && number.is_nan()),
            "{name:?}"
        );
    }
    let totals = world.totals().await;
    let nan = totals.iter().find(|total| total.name == "nan").unwrap().sum;
    assert_eq!((nan.least, nan.most, nan.replies), (4.0, 4.0, 2));
    assert!(nan.mean.is_nan());
    let inf = totals.iter().find(|total| total.name == "inf").unwrap().sum;
    assert_eq!(inf.mean, f64::INFINITY);
}

pub(super) async fn without_points_the_totals_are_kept(world: World) {
    world.running().await;
    let samples = vec![sample(1, 1, 1.0, &[("loss", 1.0)])];
    world.state.add_samples(RUN, samples, false).await.unwrap();
    assert_eq!(world.points().await, []);
    assert_eq!(world.totals().await.len(), 1);
}

pub(super) async fn older_rounds_keep_their_totals_only(world: World) {
    world.running().await;
    let nodes = MAX_POINTS / 4;
    let round = |round| (0..nodes).map(move |node| sample(node, round, 1.0, &[("loss", 1.0)]));
    for number in 1..=5 {
        world.add(round(number).collect()).await;
    }
    let points = world.points().await;
    assert_eq!(points.len() as u64, MAX_POINTS);
    assert_eq!((points[0].round, points.last().unwrap().round), (2, 5));
    // More of an old round, while all that is kept is newer.
    world.add(round(1).collect()).await;
    assert_eq!(world.points().await, points);
    let totals = world.totals().await;
    let replies: Vec<_> = totals.iter().map(|total| total.sum.replies).collect();
    assert_eq!(replies, [2 * nodes, nodes, nodes, nodes, nodes]);
}

pub(super) async fn a_round_keeps_a_bounded_number_of_names(world: World) {
    world.running().await;
    for node in 0..20 {
        let names: Vec<_> = (0..10).map(|n| format!("name {node} {n}")).collect();
        let numbers: Vec<_> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
        world.add(vec![sample(node, 1, 1.0, &numbers)]).await;
    }
    assert_eq!(world.totals().await.len(), 100);
    assert_eq!(world.points().await.len(), 100);
    world
        .add(vec![sample(30, 1, 1.0, &[("name 0 0", 2.0)])])
        .await;
    assert_eq!(world.points().await.len(), 101);
}

pub(super) async fn metrics_go_with_their_run_and_begin_anew_with_it(world: World) {
    let state = &world.state;
    let samples = || vec![sample(1, 1, 1.0, &[("loss", 1.0)])];
    let unknown = Refusal::UnknownRun(RUN);
    assert_eq!(
        refusal(state.add_samples(RUN, samples(), true).await),
        unknown
    );
    world.running().await;
    world.add(samples()).await;
    state.rewind_run(RUN).await.unwrap().1.freed.clear();
    assert_eq!(
        (world.points().await, world.totals().await),
        (vec![], vec![])
    );
    world.add(samples()).await;
    let stopped = RunStatus::plain(Phase::Finished(Outcome::Stopped));
    state
        .change_run(RUN, stopped, NOON)
        .await
        .unwrap()
        .1
        .freed
        .clear();
    // The last reply of a run may be counted after its end.
    world.add(samples()).await;
    assert_eq!(world.points().await.len(), 2);
    state.delete_run(RUN).await.unwrap();
    assert_eq!(refusal(state.metric_points(RUN).await), unknown);
    assert_eq!(refusal(state.metric_totals(RUN).await), unknown);
    assert_eq!(
        refusal(state.add_samples(RUN, samples(), true).await),
        unknown
    );
    world.running().await;
    assert_eq!(
        (world.points().await, world.totals().await),
        (vec![], vec![])
    );
}
