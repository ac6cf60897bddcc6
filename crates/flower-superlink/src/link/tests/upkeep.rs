//! What is deleted, and what a run waits for.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

impl Federation {
    /// A node that got a message of a run that is over.
    async fn used_node(&self) -> NodeId {
        let node = self.node().await;
        let run = self.running().await;
        self.send(run, node, "model").await;
        let claimed = self.link.claim(node, Duration::ZERO).await;
        assert!(claimed.unwrap().is_some());
        self.link.stop_run(run).await.unwrap();
        node
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_nodes_says_so_in_its_log() {
    let federation = Federation::new();
    let node = federation.node().await;
    let run = federation.running().await;
    let link = &federation.link;
    let text = async || {
        let log = link
            .state
            .log_after(run, Timestamp::ZERO, usize::MAX)
            .await
            .unwrap();
        log.into_iter().map(|entry| entry.text).collect::<String>()
    };
    let ask = async |seconds: u32| {
        for _ in 0..seconds {
            federation.clock.advance(SECOND);
            link.node_lives(node, 30.0).await.unwrap();
            link.app_lives(run, 30.0).await.unwrap();
            assert_eq!(link.nodes(run).await.unwrap(), [node]);
            link.expire().await.unwrap();
        }
    };
    ask(60).await;
    assert_eq!((link.waits(run), text().await), (None, String::new()));
    ask(20).await;
    assert_eq!(link.waits(run), Some(Waits { online: 1 }));
    let told = text().await;
    assert!(
        told.starts_with("[SuperLink] The ServerApp has asked for nodes"),
        "{told}"
    );
    assert!(told.contains("1 SuperNode is online"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    // It has its nodes.
    federation.send(run, node, "model").await;
    assert_eq!(link.waits(run), None);
    ask(50).await;
    assert_eq!(link.waits(run), None);
}

#[tokio::test]
async fn only_a_finished_run_is_deleted_and_by_whom_it_belongs_to() {
    let federation = Federation::new();
    let link = &federation.link;
    let account = |id: &str| Principal::Account {
        id: id.to_owned(),
        name: String::new(),
        admin: false,
    };
    let (alice, bob) = (account("alice-1"), account("bob-1"));
    let run = link
        .start_run(bundle(), UserConfig::new(), &alice)
        .await
        .unwrap();
    let running = link.delete_run(&alice, run).await;
    assert!(
        matches!(running, Err(Error::Refused(Refusal::NotFinished { .. }))),
        "{running:?}"
    );
    link.stop_run(run).await.unwrap();
    let foreign = link.delete_run(&bob, run).await;
    assert!(
        matches!(foreign, Err(Error::Refused(Refusal::RunOfAnother))),
        "{foreign:?}"
    );
    link.delete_run(&alice, run).await.unwrap();
    let gone = link.delete_run(&alice, run).await;
    let unknown = Error::from(Refusal::UnknownRun(run)).to_string();
    assert_eq!(gone.unwrap_err().to_string(), unknown);
}

#[tokio::test]
async fn old_runs_go_and_those_that_are_not_finished_stay() {
    let federation = Federation::new();
    let link = &federation.link;
    let mut runs = Vec::new();
    // More than are looked up at once.
    for _ in 0..40 {
        let run = link
            .start_run(bundle(), UserConfig::new(), &Principal::Anybody)
            .await
            .unwrap();
        federation.clock.advance(SECOND);
        link.stop_run(run).await.unwrap();
        runs.push(run);
    }
    let pending = link
        .start_run(bundle(), UserConfig::new(), &Principal::Anybody)
        .await
        .unwrap();
    federation.clock.advance(60 * SECOND);
    assert_eq!(link.delete_old_runs(Keep::Forever).await.unwrap(), 0);
    assert_eq!(link.delete_old_runs(Keep::Newest(3)).await.unwrap(), 37);
    let left: Vec<_> = link.runs(&Principal::Anybody).await.unwrap();
    let left: Vec<_> = left.into_iter().map(|run| run.id).collect();
    assert_eq!(left, [&runs[37..], &[pending]].concat());
}

#[tokio::test]
async fn nodes_that_are_gone_for_a_month_are_forgotten_but_for_those_on_a_list() {
    let federation = Federation::new();
    let link = &federation.link;
    let listed = federation.used_node().await;
    let _gone = federation.used_node().await;
    let nodes = link.state.nodes().await.unwrap();
    let key = nodes
        .iter()
        .find(|node| node.id == listed)
        .unwrap()
        .key
        .clone();
    let is_listed = |found: &flwr_security::key::PublicKey| *found == key;
    federation.clock.advance(29 * DAY);
    let there = federation.node().await;
    link.forget_lost_nodes(is_listed, |_| false).await.unwrap();
    assert_eq!(link.state.nodes().await.unwrap().len(), 3);
    federation.clock.advance(2 * DAY);
    assert!(link.node_lives(there, 30.0).await.unwrap());
    link.forget_lost_nodes(is_listed, |_| false).await.unwrap();
    let left = link.state.nodes().await.unwrap();
    let left: std::collections::BTreeSet<_> = left.into_iter().map(|node| node.id).collect();
    assert_eq!(left, [listed, there].into());
}

#[tokio::test]
async fn nodes_of_no_use_are_forgotten_after_an_hour() {
    let federation = Federation::new();
    let link = &federation.link;
    let run = federation.running().await;
    let (unused, used) = (federation.node().await, federation.node().await);
    let (asked, long) = (federation.node().await, federation.node().await);
    federation.send(run, used, "model").await;
    let claimed = link.claim(used, Duration::ZERO).await;
    assert!(claimed.unwrap().is_some());
    // A message waits for this one.
    federation.send(run, asked, "model").await;
    let left = async || {
        link.forget_lost_nodes(|_| false, |_| false).await.unwrap();
        let nodes = link.state.nodes().await.unwrap();
        nodes.into_iter().map(|node| node.id).collect::<Vec<_>>()
    };
    federation.clock.advance(3_600 * SECOND);
    assert_eq!(left().await.len(), 4, "the last lease ends a minute later");
    federation.clock.advance(120 * SECOND);
    let kept = left().await;
    assert!(!kept.contains(&unused));
    assert!(kept.contains(&used) && kept.contains(&asked));
    // It comes back, with another id.
    assert!(!link.node_lives(unused, 30.0).await.unwrap());
    assert!(!kept.contains(&long), "it was there for a minute");
    let long = federation.node().await;
    for _ in 0..25 {
        federation.clock.advance(3_590 * SECOND);
        link.node_lives(long, 300.0).await.unwrap();
    }
    federation.clock.advance(7_200 * SECOND);
    assert!(left().await.contains(&long), "it was there for a day");
}

#[tokio::test]
async fn nodes_without_a_key_are_forgotten_after_a_day() {
    let federation = Federation::new();
    let link = &federation.link;
    federation.used_node().await;
    let left = async || {
        link.forget_lost_nodes(|_| false, |_| true).await.unwrap();
        link.state.nodes().await.unwrap().len()
    };
    federation.clock.advance(DAY);
    assert_eq!(left().await, 1);
    federation.clock.advance(120 * SECOND);
    assert_eq!(left().await, 0);
}

#[tokio::test]
async fn a_node_that_a_person_registered_is_kept_until_it_is_dismissed() {
    let federation = Federation::new();
    let link = &federation.link;
    let enroll = async || {
        let key = PrivateKey::generate().unwrap();
        let (nobody, label) = (Principal::Anybody, Label::default());
        let node = link.enroll(key.public_key(), &nobody, label).await.unwrap();
        (node, key)
    };
    // The one never comes, and the other came once.
    let ((waits, _), (came, key)) = (enroll().await, enroll().await);
    link.take_in(key.public_key(), 30.0, None).await.unwrap();
    let left = async || {
        link.forget_lost_nodes(|_| false, |_| false).await.unwrap();
        link.state.nodes().await.unwrap().len()
    };
    assert_eq!(left().await, 2);
    federation.clock.advance(400 * DAY);
    assert_eq!(left().await, 2);
    for node in [waits, came] {
        link.dismiss(node, &Principal::Anybody).await.unwrap();
    }
    assert_eq!(left().await, 2, "people see what became of it");
    federation.clock.advance(2 * DAY);
    assert_eq!(left().await, 0);
}
