//! SuperNodes that leave and join while a run goes on.

use e2e::{Federation, Maker, Security};

const OURS: Maker = Maker::Ours;

#[test]
fn rounds_go_on_with_the_nodes_that_are_there_while_nodes_leave_and_join() {
    let plan = Federation::plan(Security::TlsAndAuth).nodes(3);
    let mut federation = plan.start();
    let app = federation.app("rounds");
    let run = federation.flwr(OURS).start(&app, "rounds=1000 nodes=2");
    let results = |federation: &mut Federation, count: usize| {
        let superlink = federation.superlink();
        let seen = superlink.lines().len();
        let _ = superlink.line_after(seen, &format!("aggregate_train: Received {count} results"));
    };
    results(&mut federation, 3);
    let seen = federation.superlink().lines().len();
    federation.node(2).stop();
    let _ = federation
        .superlink()
        .line_where_after(seen, "a round without the node", |line| {
            // Flower's strategy looks twice for nodes when it samples: how many there are, and which. Where
            // the node leaves between the two, the strategy waits until it is back.
            line.contains("aggregate_train: Received 2 results")
                || line.contains("2 connected (minimum required: 3)")
        });
    federation.restart_node(2);
    results(&mut federation, 3);
    // A node that dies has its message again when it is back.
    federation.node(1).kill();
    federation.restart_node(1);
    results(&mut federation, 3);
    let flwr = federation.flwr(OURS);
    assert_eq!(flwr.status(&app, run), "running");
    let stop = ["stop", &run.to_string(), ".", "e2e"];
    let _ = flwr.call(&app.path, &stop).success();
    federation.stop();
}
