//! Nodes, runs and messages are counted.

use flwr_core::id::NodeId;

use super::life::enrolment;
use super::world::{NOON, World, key};
use crate::link::state::Census;

impl World {
    async fn census(&self, after: f64) -> Census {
        self.state.census(NOON + after).await.unwrap()
    }
}

pub(super) async fn what_moves_is_counted(world: World) {
    assert_eq!(world.census(0.0).await, Census::default());
    world.running().await;
    let node = world.node(5, NOON + 60.0).await;
    let enrolment = enrolment(&key());
    let enrolled = world.state.enroll_node(&enrolment, NodeId(6), NOON);
    enrolled.await.unwrap();
    let sent = world.send("model", node).await;
    let expected = Census {
        online: 1,
        registered: 1,
        running: 1,
        waiting: 1,
        oldest: Some(sent.parcel.message.metadata.created_at),
        ..Census::default()
    };
    assert_eq!(world.census(0.0).await, expected);
    assert_eq!(world.claim(node, NOON).await, Some(sent.id()));
    let expected = Census {
        waiting: 0,
        in_flight: 1,
        ..expected
    };
    assert_eq!(world.census(0.0).await, expected);
    // Long after the last sign of life.
    let expected = Census {
        online: 0,
        offline: 1,
        ..expected
    };
    assert_eq!(world.census(1000.0).await, expected);
}
