//! What a state tells, by the methods of its traits.

use flwr_core::id::TaskId;
use flwr_core::object::Pulled;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_core::task::TaskKind;

use super::*;
use crate::link::state::Role;

/// All that can be asked, without changing anything.
pub(super) async fn told(federation: &Federation, filled: &Filled) -> Vec<String> {
    let state = federation.state();
    let mut told = vec![
        format!("{:?}", state.nodes().await.unwrap()),
        format!("{:?}", state.online_nodes(NOON).await.unwrap()),
        format!("{:?}", state.join_tokens().await.unwrap()),
        format!("{:?}", state.runs().await.unwrap()),
        format!(
            "{:?}",
            state.waiting_tasks(TaskKind::ServerApp).await.unwrap()
        ),
        format!("{:?}", state.processes().await.unwrap()),
    ];
    let usage = state.usage().await.unwrap();
    told.push(format!(
        "{} {} {} {} {}",
        usage.runs, usage.finished, usage.run_bytes, usage.log_bytes, usage.nodes
    ));
    for node in &filled.nodes {
        told.push(format!(
            "{:?} {:?} {} {:?} {}",
            state.node(*node).await.unwrap(),
            state.session(*node).await.unwrap(),
            state.was_heard(*node),
            state.wire(*node).await.unwrap(),
            state.is_awaited(*node).await.unwrap(),
        ));
    }
    for key in &filled.keys {
        told.push(format!(
            "{:?} {:?} {}",
            state.node_of_key(key).await.unwrap(),
            state.node_of_next_key(key).await.unwrap(),
            state.is_dismissed(key),
        ));
    }
    for owner in filled.owners.iter().chain(&["CN=nobody"]) {
        told.push(format!("{owner} {}", state.is_of_node(owner)));
    }
    for run in &filled.runs {
        told.extend(run_told(federation, *run).await);
    }
    for (run, mail) in filled.mails.iter().chain(&filled.half) {
        told.push(format!(
            "{:?}",
            state.answers(*run, &[mail.id()], NOON).await.unwrap()
        ));
        for object in &mail.objects {
            let known = state.object(*run, object.id).await.unwrap();
            let known = known.map(|known| (known.children.clone(), known.available()));
            if known.as_ref().is_some_and(|(_, is_there)| *is_there) {
                let pulled = federation.link.pull_object(*run, object.id).await;
                assert_eq!(pulled.unwrap(), Pulled::There(object.bytes.clone()));
            }
            told.push(format!("{known:?}"));
        }
    }
    told
}

async fn run_told(federation: &Federation, run: RunId) -> Vec<String> {
    let state = federation.state();
    let known = state.run(run).await.unwrap().unwrap();
    let task = TaskId::of_serverapp(run);
    let claim = state.claim_of(task).await.unwrap();
    let mut told = vec![
        format!("{known:?}"),
        format!("{:?}", state.context(run).await.unwrap()),
        format!("{:?}", state.traffic(run).await.unwrap()),
        format!("{claim:?}"),
    ];
    if let Some(claim) = claim {
        let task = state.task_of_token(claim.token).await.unwrap();
        told.push(format!("{task:?}"));
    }
    let points = state.metric_points(run).await.unwrap();
    told.extend(points.iter().map(|point| format!("{point:?}")));
    let totals = state.metric_totals(run).await.unwrap();
    told.extend(totals.iter().map(|total| format!("{total:?}")));
    let log = state.log_after(run, Timestamp::ZERO, usize::MAX).await;
    for entry in log.unwrap() {
        told.push(format!("{} {:?}", entry.at.as_secs().to_bits(), entry.text));
    }
    if !known.status.phase.is_finished() {
        let bundle = federation.link.fab(&known.fab_hash).await.unwrap();
        assert_eq!(bundle, crate::link::tests::bundle());
    }
    told
}

/// Everything that waits is taken, what is half is made whole, and all runs end.
pub(super) async fn goes_on(federation: &Federation, filled: &Filled) -> Vec<String> {
    let (link, state) = (&federation.link, federation.state());
    let mut told = Vec::new();
    for (run, mail) in &filled.half {
        for object in &mail.objects {
            let pushed = link
                .push_object(*run, object.id, object.bytes.clone())
                .await;
            told.push(format!("{} {:?}", object.id, pushed.unwrap()));
        }
    }
    for (run, mail) in filled.mails.iter().chain(&filled.half) {
        let answers = state.answers(*run, &[mail.id()], NOON).await.unwrap();
        told.push(format!("{answers:?}"));
    }
    for node in &filled.nodes {
        for role in [Role::Receiver, Role::Sender] {
            let objects = state.objects_of(filled.runs[1], *node, role).await.unwrap();
            let mut objects: Vec<_> = objects.into_iter().collect();
            objects.sort_unstable();
            told.push(format!("{objects:?}"));
        }
        let Some(session) = state.session(*node).await.unwrap() else {
            continue;
        };
        while let Some(parcel) = state.claim_message(*node, session, NOON).await.unwrap() {
            let metadata = &parcel.message.metadata;
            link.confirm(metadata.run, metadata.id).await.unwrap();
            told.push(format!("{node} {parcel:?}"));
        }
    }
    for (number, key) in filled.keys.iter().enumerate() {
        let fresh = NodeId(1_000 + number as u64);
        let registered = state.register_node(key, fresh, NOON).await;
        told.push(format!("{registered:?}"));
    }
    let again = link.begin_again(filled.runs[2], "moved").await.unwrap();
    told.push(format!("begins again: {again}"));
    let stopped = RunStatus::plain(Phase::Finished(Outcome::Stopped));
    for run in &filled.runs[1..] {
        link.change_run(*run, stopped.clone()).await.unwrap();
        let log = state.log_after(*run, Timestamp::ZERO, usize::MAX).await;
        told.push(format!("{:?}", log.unwrap().len()));
    }
    told.push(format!("{:?}", state.runs().await.unwrap()));
    told
}
