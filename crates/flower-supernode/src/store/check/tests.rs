use flwr_core::id::RunId;

use super::*;
use crate::store::tests::{context, kept};

fn problems(report: &Report) -> Vec<&str> {
    let problems = report.problems.iter();
    problems.map(|problem| problem.text.as_str()).collect()
}

#[tokio::test]
async fn what_is_whole_is_counted() {
    let (dir, store, ..) = kept().await;
    store.keep_context(RunId(7), &context()).await;
    let report = check(Some(&dir.path().join("node")), true);
    assert!(
        report.is_clean() && report.problems.is_empty(),
        "{report:?}"
    );
    let [replies, contexts] = &report.facts[..] else {
        panic!("{report:?}");
    };
    assert!(
        replies.starts_with("1 finished replies of 100"),
        "{replies}"
    );
    assert!(contexts.starts_with("1 Contexts of runs of "), "{contexts}");
}

#[tokio::test]
async fn a_damaged_file_is_named_and_removed_by_a_repair_only() {
    let (dir, store, _, reply) = kept().await;
    let node = dir.path().join("node");
    store.keep_context(RunId(7), &context()).await;
    let state = node.join("context/7");
    let mut bytes = fs::read(&reply).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&reply, bytes).unwrap();
    fs::write(&state, [0xff; 9]).unwrap();
    let stray = node.join("context/notes");
    fs::write(&stray, "mine").unwrap();

    let mut expected = [
        format!(
            "{}: it is damaged; its message is worked on again",
            reply.display()
        ),
        format!(
            "{}: it is damaged; its run begins with an empty Context at this node",
            state.display()
        ),
        format!(
            "{}: no SuperNode wrote it; its run begins with an empty Context at this node",
            stray.display()
        ),
    ];
    expected.sort();
    let report = check(Some(&node), false);
    assert!(!report.is_clean());
    let mut found = problems(&report);
    found.sort_unstable();
    assert_eq!(found, expected);
    assert!(reply.exists() && state.exists() && stray.exists());

    let report = check(Some(&node), true);
    assert!(
        report.is_clean() && report.problems.len() == 3,
        "{report:?}"
    );
    assert!(!reply.exists() && !state.exists() && !stray.exists());
    assert_eq!(problems(&check(Some(&node), false)), [] as [&str; 0]);
}

#[tokio::test]
async fn what_a_newer_supernode_wrote_stays() {
    let (dir, _, _, reply) = kept().await;
    let mut bytes = fs::read(&reply).unwrap();
    bytes[8] = 2;
    fs::write(&reply, bytes).unwrap();
    let report = check(Some(&dir.path().join("node")), true);
    assert!(!report.is_clean());
    assert!(
        problems(&report)[0]
            .contains("a newer SuperNode wrote it (format 2, and this one knows formats up to 1)")
    );
    assert!(reply.exists());
}

#[test]
fn a_node_that_keeps_nothing_has_nothing_to_check() {
    let report = check(None, false);
    assert!(report.is_clean());
    let dir = tempfile::tempdir().unwrap();
    let report = check(Some(dir.path()), true);
    assert!(report.is_clean() && report.facts.len() == 2, "{report:?}");
}
