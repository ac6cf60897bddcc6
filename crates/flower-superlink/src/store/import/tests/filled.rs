//! A state with something of everything.

use flwr_core::config::UserConfig;
use flwr_core::context::{Context, State};
use flwr_core::id::TaskId;
use flwr_core::message::Metadata;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_daemon::apps::Identity;
use flwr_security::joining::JoinTokenId;
use flwr_security::key::PublicKey;

use super::*;
use crate::link::Principal;
use crate::link::state::{
    Enrolment, KnownToken, Measure, Process, Sample, Source, Traffic, Traits,
};
use crate::link::tests::{Mail, bundle};
use crate::store::battery::joining::token;
use crate::store::battery::world::key;
use crate::store::log::MAX_BYTES;

/// Text that PostgreSQL keeps in another form.
pub(super) const ODD: &str = "a\0b\\0c\\\\ \u{1f33c}\n";

/// What a state was filled with.
#[derive(Default)]
pub(super) struct Filled {
    pub(super) runs: Vec<RunId>,
    pub(super) nodes: Vec<NodeId>,
    pub(super) keys: Vec<PublicKey>,
    pub(super) owners: Vec<&'static str>,
    /// Messages, with their runs.
    pub(super) mails: Vec<(RunId, Mail)>,
    /// A reply of which an object is missing, and an instruction.
    pub(super) half: Vec<(RunId, Mail)>,
}

async fn people(federation: &Federation, filled: &mut Filled) {
    let state = federation.state();
    for number in 100..104 {
        let enrolment = Enrolment {
            key: key(),
            owner: format!("alice {ODD}"),
            name: (number > 100).then(|| ODD.to_owned()),
            location: Some("52.5,13.4".to_owned()),
        };
        let enrolled = state.enroll_node(&enrolment, NodeId(number), NOON).await;
        filled.nodes.push(enrolled.unwrap().0);
        filled.keys.push(enrolment.key);
    }
    let [named, dismissed, gone, joined] = [100, 101, 102, 103].map(NodeId);
    let traits = Traits {
        release: Some("1.42.0".to_owned()),
        certificate: Some(format!("CN={ODD}")),
    };
    state.note_traits(named, &traits).await.unwrap();
    state.note_wire(named, "inline").await.unwrap();
    for owner in ["CN=hospital", ODD] {
        state.note_certificate(owner).await.unwrap();
        filled.owners.push(owner);
    }
    filled.keys.push(key());
    let next = filled.keys.last().unwrap();
    state.note_next_key(named, next).await.unwrap();
    state.dismiss_node(dismissed, NOON + 1.0).await.unwrap();
    state.activate_node(gone, NOON + 60.0, NOON).await.unwrap();
    state.unregister_node(gone, NOON + 2.0).await.unwrap();
    state
        .activate_node(joined, NOON + 60.0, NOON)
        .await
        .unwrap();
    state.hear_node(joined);
    state.deactivate_node(joined, NOON + 3.0).await.unwrap();
    let token = |byte, uses| KnownToken {
        id: JoinTokenId([byte; 8]),
        secret: [byte; 32],
        name: (byte == 1).then(|| ODD.to_owned()),
        ..token(uses)
    };
    for token in [token(1, 3), token(2, 1)] {
        state.add_join_token(&token).await.unwrap();
    }
    for number in 200..202 {
        let key = key();
        let joined = state.join_node(JoinTokenId([1; 8]), &key, NodeId(number), NOON);
        filled.nodes.push(joined.await.unwrap().0);
        filled.keys.push(key);
    }
    let revoked = state.revoke_join_token(JoinTokenId([2; 8]), NOON + 9.0);
    revoked.await.unwrap();
}

async fn runs(federation: &Federation, filled: &mut Filled) {
    let (link, state) = (&federation.link, federation.state());
    for _ in 0..3 {
        filled.runs.push(federation.running().await);
    }
    let pending = link.start_run(bundle(), Default::default(), &Principal::Anybody);
    filled.runs.push(pending.await.unwrap());
    let [finished, first, second, _] = filled.runs[..] else {
        panic!("four runs")
    };
    for (run, number) in [(finished, 1), (first, 2)] {
        let nothing = UserConfig::new();
        let of_node = (NodeId(number), &nothing);
        let context = Context::new((run, &nothing), of_node, State::default());
        state.set_context(run, context).await.unwrap();
    }
    for (run, text) in [
        (finished, "the end\n".to_owned()),
        (first, ODD.repeat(700)),
        (first, ODD.to_owned()),
        (second, "x".repeat(MAX_BYTES + 10)),
    ] {
        state.append_log(run, text, NOON).await.unwrap();
    }
    for round in 1..=2 {
        let measure = |name: &str, value| Measure {
            source: Source::App,
            name: name.to_owned(),
            value,
        };
        let sample = Sample {
            node: NodeId(u64::MAX),
            round,
            kind: ODD.to_owned(),
            weight: 32.0,
            is_error: false,
            measures: vec![measure(ODD, 0.1), measure("nan", f64::NAN)],
        };
        state.add_samples(first, vec![sample], true).await.unwrap();
    }
    let status = RunStatus {
        details: ODD.to_owned(),
        phase: Phase::Finished(Outcome::Failed),
    };
    link.change_run(finished, status).await.unwrap();
    state.add_traffic(
        first,
        Traffic {
            received: 1_000,
            sent: 2_000,
            worked: Duration::from_millis(1_234),
        },
    );
    let process = Process {
        host: "old.example".to_owned(),
        identity: Identity {
            pid: 4711,
            started: "boot:123".to_owned(),
        },
    };
    let task = TaskId::of_serverapp(first);
    state.set_process(task, Some(process)).await.unwrap();
    let claim = state.claim_of(task).await.unwrap().unwrap();
    let noted = state.note_holder(task, claim.token, "127.0.0.1:5000".to_owned());
    noted.await.unwrap();
}

async fn messages(federation: &Federation, filled: &mut Filled) {
    let link = &federation.link;
    let (node, other) = (federation.node().await, federation.node().await);
    filled.nodes.extend([node, other]);
    let (first, second) = (filled.runs[1], filled.runs[2]);
    let large = "m".repeat(100_000);
    let answered = federation.send(first, node, &large).await;
    let claimed = link.claim(node, Duration::ZERO).await.unwrap().unwrap();
    assert_eq!(claimed.message.metadata.id, answered.id());
    federation.send(second, node, &large).await;
    let half = federation.send(first, other, "half answered").await;
    link.claim(other, Duration::ZERO).await.unwrap().unwrap();
    link.confirm(first, half.id()).await.unwrap();
    let reply = half.reply(first, "half");
    let missing = link.reply(reply.parcel.clone()).await.unwrap().unwrap();
    let some = reply.objects_of(&missing[..1]).next().unwrap();
    let pushed = link.push_object(first, some.id, some.bytes.clone()).await;
    assert!(pushed.unwrap());
    filled.half.push((first, reply));
    // Small replies: all large objects are of instructions.
    let unread = federation.send(first, other, "to be answered").await;
    link.claim(other, Duration::ZERO).await.unwrap().unwrap();
    let answer = federation.answer(first, &unread, ODD).await;
    filled.mails.extend([
        (first, answered),
        (first, half),
        (first, unread),
        (first, answer),
    ]);
    // In the order in which they wait.
    for (run, text) in [
        (second, "waits"),
        (first, "waits too"),
        (first, "and it"),
        (second, ODD),
    ] {
        let sent = federation.send(run, node, text).await;
        filled.mails.push((run, sent));
    }
    // Comes behind them, once it is whole.
    let announced = Mail::new(second, "announced", |metadata| Metadata {
        dst: node,
        ..metadata
    });
    link.send(second, vec![announced.parcel.clone()])
        .await
        .unwrap();
    filled.half.push((second, announced));
}

pub(super) async fn fill(federation: &Federation) -> Filled {
    let mut filled = Filled::default();
    people(federation, &mut filled).await;
    runs(federation, &mut filled).await;
    messages(federation, &mut filled).await;
    filled
}
