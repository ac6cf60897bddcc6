//! One federation with SuperNodes of many releases, and ServerApps of two.

use e2e::{Federation, Maker, Release, Security};

use crate::trial::PATIENCE;

/// The SuperNodes: one of each wire, and ours.
const NODES: [Maker; 7] = [
    Maker::Pip(Release::V1_20),
    Maker::Pip(Release::V1_22),
    Maker::Pip(Release::V1_26),
    Maker::Pip(Release::V1_31),
    Maker::Pip(Release::V1_36),
    Maker::Pip(Release::V1_42),
    Maker::Ours,
];

/// Has all nodes train over TLS with keys, under a ServerApp of 1.22 and then of 1.42: no message
/// fails, and the digits are those of a federation of one release.
///
/// # Panics
/// If something is not as it should be.
pub(crate) fn train(rounds: u32) {
    for serverapp in [Release::V1_22, Release::V1_42] {
        let plan = Federation::plan(Security::TlsAndAuth).supernodes(NODES);
        let federation = plan.superlink(Maker::OursWith(serverapp)).start();
        let app = federation.app("mean");
        let flwr = federation.flwr(Maker::Ours);
        let config = format!("rounds={rounds} nodes={}", NODES.len());
        let words = ["run", ".", "e2e", "--stream", "--run-config", &config];
        let mut run = flwr.spawn(&app.path, &words);
        let status = run.wait_within(PATIENCE + PATIENCE * rounds / 3);
        let said = run.all_lines().join("\n");
        assert!(status.success(), "ServerApp {}: {said}", serverapp.number());
        for round in 1..=rounds {
            // Each node multiplies by its number: 4 on average.
            let mean = 4.0 * f64::from(round);
            let count = NODES.len();
            let calls = vec![round.to_string(); count].join(", ");
            let line = format!("round {round}: mean {mean:.3} of {count}, calls [{calls}]");
            assert!(said.contains(&line), "{line:?} is not in: {said}");
        }
        federation.stop();
    }
}
